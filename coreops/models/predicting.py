"""Predictor: predictions, and the arrays that they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _kernels, _plan
from .._train.arrays import holds_batches
from ..callbacks.progress import Progress
from ..layers import InputLayer
from .judging import check_count, joined
from .training import Trainer

_CHUNK_NS = 50e6  # estimated work of one call into the kernels: an interrupt waits for it


class Predictor(Trainer):
    """A layer that predicts."""

    _input_layer: InputLayer | None = None  # of a model with one input, if it is known

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the outputs for all samples of `x`, computed batch by batch.

        Args:
            x: an array (or a list that holds but this one), or nested lists of numbers; batch
                axis first; or a generator or dataset, as in `fit`.
            batch_size: samples per step, by default 32. What runs in Python (a `Lambda`, a custom
                layer) receives batches of this size; kernels take larger ones where that gains.
            verbose: 0 is silent, 1 draws a bar, 2 writes one line; "auto" draws a bar for work of
                more than a second, in a terminal or a notebook.
            steps: at most so many steps.
            callbacks: callbacks to call; then all that is computed comes in batches of this size.

        Raises:
            ValueError: `x` does not fit the model, or an argument is out of range.
            TypeError: `x` cannot be read as numbers.
        """
        if callbacks or holds_batches(x) or "predict_step" in self._own:
            return self._predict_each(x, batch_size, verbose, steps, callbacks)
        check_count("predict", "batch_size", batch_size)
        check_count("predict", "steps", steps)
        batch_size = 32 if batch_size is None else int(batch_size)
        if steps is None and verbose in (0, "auto"):
            direct = self._direct(x, _CHUNK_NS)
            if direct is not None:
                return direct
        arrays = self._read_inputs(x, batch_size)
        if any(array.ndim == 0 for array in arrays):
            raise ValueError(f"Model '{self.name}': expected a batch of samples. Received: {x!r}")
        if len({len(array) for array in arrays}) > 1:
            raise ValueError(
                f"Model '{self.name}': all inputs must hold the same number of samples. Received: "
                f"{[len(array) for array in arrays]}"
            )
        count = len(arrays[0]) if steps is None else min(len(arrays[0]), steps * batch_size)
        progress = Progress(-(-count // batch_size), verbose)
        try:
            result = self._predict([array[:count] for array in arrays], batch_size, progress)
            progress.close({})
        finally:
            progress.close()
        return self._packed(result)

    def _read_inputs(self, x: Any, batch_size: int | None = None) -> list[np.ndarray]:
        """Return what was passed for the inputs as arrays, in order."""
        flat = self._flat_inputs(self._only_input(x))
        arrays = [_plan.as_array(one, f"the input of model '{self.name}'") for one in flat]
        if self._is_tried and all(array.ndim for array in arrays):
            self._try([array[:batch_size] for array in arrays])
        return arrays

    def _flat_inputs(self, x: Any) -> list[Any]:
        return self._take_apart(x) if self._is_tried else [x]

    def _predict(
        self, arrays: list[np.ndarray], batch_size: int, progress: Progress
    ) -> list[np.ndarray]:
        count = len(arrays[0])
        head = self._adapt_all([x[:batch_size] for x in arrays])
        epoch = _kernels.epoch()
        program = self._program(training=False, observe=False)
        segment = program.single_segment(*head)
        plan = program.single_plan(*head)
        if segment is not None and plan is not None:
            bare = len(head) == len(segment.results) == 1 and not self._wraps_output
            if bare and not any(leaf.activity_regularizer for leaf in self.leaves()):
                self._install(plan, epoch)
            batches = max(1, int(_CHUNK_NS / max(plan.cost_ns, 1.0)) // batch_size)
            if _kernels.plan_batch(plan) is not None:
                batches = 1
            size = batch_size * batches
            shapes = {result.ref: result.shape for result in segment.results}
            results = [np.empty((count, *shapes[ref]), plan.dtype) for ref in program.outputs]
            for start in range(0, count, size):
                stop = min(start + size, count)
                piece = self._adapt_all([x[start:stop] for x in arrays])
                out = results[0][start:stop]
                for whole, (part, _) in zip(results, program(piece, None, out), strict=True):
                    if part is not out:
                        whole[start:stop] = part
                progress.advance(-(-stop // batch_size))
            return results
        parts = []
        for start in range(0, max(count, 1), batch_size):
            stop = min(start + batch_size, count)
            piece = self._adapt_all([x[start:stop] for x in arrays])
            parts.append([y for y, _ in program(piece)])
            progress.advance(-(-stop // batch_size))
        return joined(parts)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch, computed at once."""
        arrays = self._adapt_all(self._read_inputs(x))
        found = self._program(training=False, observe=False)(arrays)
        return self._packed([y for y, _ in found])

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        return super()._call(*(self._only_input(x) for x in args), **kwargs)

    def _only_input(self, x: Any) -> Any:
        """Take the array out of a list of one input, as Keras' models do; read nested lists of
        numbers, which for a layer could be several inputs, as the one array that they are here."""
        source = self._input_layer
        if source is None or not isinstance(x, (list, tuple)):
            return x
        if len(x) == 1 and getattr(x[0], "ndim", None) == len(source.batch_shape):
            return x[0]
        first: Any = x
        while isinstance(first, (list, tuple)) and first:
            first = first[0]
        if isinstance(first, (bool, int, float)):
            return _plan.as_array(x, f"the input of model '{self.name}'")
        return x

    def _fit_input(self, source: InputLayer, array: np.ndarray, sizes: bool = True) -> np.ndarray:
        """Give an array an input layer's rank and dtype.

        Raises:
            ValueError: the sample shape does not fit.
            TypeError: complex numbers for an input of others.
        """
        shape = source.fit(array.shape, self.name, sizes)
        kind = np.dtype(source.compute_dtype if "float" in source.dtype else source.dtype)
        if array.dtype.kind == "c" and kind.kind != "c":
            raise TypeError(f"Model '{self.name}' takes {kind}. Received: {array.dtype}")
        if array.dtype != kind:
            array = array.astype(kind)
        return array if shape == array.shape else array.reshape(shape)
