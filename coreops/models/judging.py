"""Judge: what fit and evaluate share - the data as the model takes it, and the judging of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan, random
from .._train.arrays import Batch, Options, read_batch
from .._train.data import BATCH_SIZE, ArraySource, open_source
from .._train.feed import Feed
from .._train.judged import plain_value
from ..callbacks import CallbackList
from ..callbacks.progress import check_verbose
from ..metrics.metric import inside
from .tried import Tried

if TYPE_CHECKING:
    from .._train.compiled import Compiled

_MOST_ROWS = 4096  # that are judged at once: their losses stay in the cache
_STEPS = {"fit": "steps_per_epoch", "fit: validation": "validation_steps"}  # as callers name them
_PIECE_NS = 20e6  # estimated work of one call into the kernels: an interrupt waits for it


class Judge(Tried):
    """A compiled layer that can be built for data, and judged by it."""

    _built_for: Compiled | None = None  # of all that is compiled
    if TYPE_CHECKING:

        def _begin(self, compiled: Compiled) -> None: ...

    _logs: dict[str, Any] | None = None  # that a step of the class's own has returned

    def _options(self, caller: str, **asked: Any) -> Options:
        """How the model wants its data: in float64, if any of its layers computes in that."""
        wide = any(leaf.compute_dtype == "float64" for leaf in self.leaves() or [self])
        real = np.dtype("float64" if wide else "float32")
        size = asked.get("batch_size") or BATCH_SIZE
        return Options(
            caller, real,
            arrange=self._take_apart if self._is_tried else self._arrange,
            outputs=lambda x: self._outputs_of([one[:size] for one in x]),
            judged=None if self._compilation is None else self._compilation.with_loss,
            free=self._free(caller),
            **asked,
        )  # fmt: skip

    _arrange: Any = None  # what is passed for the inputs of a model of several, as a list

    def _free(self, caller: str) -> Callable[[str, Any], list[Any]] | None:
        """Return what takes targets apart that are not those of the outputs."""
        return None

    # --- logs -------------------------------------------------------------------------------

    def _keep(self, logs: Mapping[str, Any]) -> None:
        """Take the logs that a part of the class's own returned."""
        self.__dict__["_logs"] = {name: plain_value(logs[name]) for name in sorted(logs)}

    def _results(self) -> dict[str, Any]:
        """Return the loss and the metrics of what was counted."""
        assert self._compilation is not None
        return self._compilation.results() if self._logs is None else dict(self._logs)

    # --- data -------------------------------------------------------------------------------

    def _feed_of(
        self,
        caller: str,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
        steps: int | None,
        *,
        shuffle: bool | str = False,
        class_weight: Any = None,
    ) -> Feed:
        """Return the arguments of `fit` and its kin as epochs of batches."""
        check_count(caller, "batch_size", batch_size)
        check_count(caller, _STEPS.get(caller, "steps"), steps)
        if not (isinstance(shuffle, (bool, np.bool_)) or shuffle == "batch"):
            raise ValueError(
                f'{caller}: `shuffle` must be a bool or "batch". Received: {shuffle!r}'
            )
        seed = int(random.numpy_generator().integers(1 << 63)) if shuffle else 0
        options = self._options(
            caller, batch_size=batch_size, steps=steps,
            shuffle=shuffle, seed=seed, class_weight=class_weight,
        )  # fmt: skip
        feed = Feed(open_source(x, y, sample_weight, options), steps)
        if feed.is_empty():
            raise ValueError(f"{caller}: `x` is a {type(x).__name__} that yields no batch.")
        return feed

    def _batch_of(self, caller: str, x: Any, y: Any, weight: Any, class_weight: Any) -> Batch:
        """Return one batch as arrays, the model built for it."""
        batch = read_batch(x, y, weight, self._options(caller, class_weight=class_weight))
        if not len(batch[0][0]):
            raise ValueError(f"{caller}: `x` holds no samples.")
        self._build_for(batch[0])
        return batch

    def _build_for(self, x: list[np.ndarray]) -> None:
        """Build what is not built, the optimizer's variables too."""
        if self._built_for is self._compilation is not None and self.built:
            return
        if "built" not in self._programs:  # which a change of the model's layers empties
            x = self._adapt_all(x)
            if not all(layer.built for layer in self._flatten_layers()):
                self._prepare((None, *x[0].shape[1:]), x[0].dtype)
                if not all(layer.built for layer in self._flatten_layers()):
                    self._program(training=False, observe=False)(x)
            self._programs["built"] = True
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_weights)
        self._built_for = self._compilation
        if self._compilation is not None:
            self._compilation.own = inside(self._flatten_layers())

    def _hooked(
        self, mode: str, feed: Feed, callbacks: CallbackList, compiled: Compiled
    ) -> Iterator[Batch]:
        """Yield the batches of an epoch, with the hooks "train" or "test" around each, or around
        so many as `steps_per_execution` says.

        Raises:
            ValueError: one of them is empty.
        """
        begin, end = f"on_{mode}_batch_begin", f"on_{mode}_batch_end"
        call_begin = getattr(callbacks, begin) if callbacks.watches(begin) else None
        call_end = getattr(callbacks, end) if callbacks.watches(end) else None
        bar = callbacks.progbar
        draw = None if bar is None else getattr(bar, end)
        stop = "stop_training" if mode == "train" else "stop_evaluating"
        group = self.steps_per_execution
        last = None  # the step that the group ends with
        number = 0
        for number, batch in feed.epoch():
            if not len(batch[0][0]):
                raise ValueError(f"Model '{self.name}': batch {number} of `x` holds no samples.")
            if last is None:
                last = number + group - 1
                if call_begin is not None:
                    call_begin(number)
            yield batch
            if number < last:
                continue
            if call_end is not None:
                call_end(last, self._results())
            elif draw is not None and (number == 0 or bar.is_due()):
                draw(number, self._results())
            last = None
            if getattr(self, stop):
                return
        if last is not None and call_end is not None:
            call_end(last, self._results())
        if bar is not None and (mode == "train" or not bar.in_fit):
            bar.seen = number + 1

    def _judge(self, feed: Feed, callbacks: CallbackList, compiled: Compiled) -> dict[str, float]:
        """Evaluate what the feed gives, and return the logs."""
        self.stop_evaluating = False
        callbacks.on_test_begin()
        self._begin(compiled)
        examine = self._examiner(compiled)
        hooks = ("on_test_batch_begin", "on_test_batch_end")
        size = 0 if any(map(callbacks.watches, hooks)) else self._rows_at_once(feed, compiled)
        if size:
            assert isinstance(feed.source, ArraySource)
            bar = callbacks.progbar
            for done, (x, y, weight) in feed.source.pieces(size):
                examine(x, y, weight)
                if bar is not None and bar.is_due():
                    bar.on_test_batch_end(done - 1, self._results())
        else:
            for x, y, weight in self._hooked("test", feed, callbacks, compiled):
                examine(x, y, weight)
        logs = self._results()
        callbacks.on_test_end(logs)
        return logs

    def _rows_at_once(self, feed: Feed, compiled: Compiled) -> int:
        """Return how many samples can be judged at once, with the same result as batch by batch;
        0 if they cannot."""
        batch = feed.peek()
        whole = feed.steps is None and isinstance(feed.source, ArraySource)
        if not whole or batch is None or self._python_call or self._own:
            return 0
        if any(leaf.activity_regularizer for leaf in self.leaves()):
            return 0
        x = self._adapt_all(batch[0])
        program = self._program(training=False, observe=True)
        plan = program.single_plan(*x)
        if plan is None or _kernels.plan_batch(plan) is not None:
            return 0
        found = program(x)
        compiled.meet(batch[1], [y_pred for y_pred, _ in found])
        masked = any(mask is not None for _, mask in found)
        if masked or not compiled.is_mean_over_samples():
            return 0
        size = len(x[0])
        return size * max(1, min(_MOST_ROWS, int(_PIECE_NS / max(plan.cost_ns, 1.0))) // size)

    def _predict_each(
        self, x: Any, batch_size: int | None, verbose: Any, steps: int | None, callbacks: Any
    ) -> Any:
        """Predict one batch after the other, with the hooks of callbacks around each."""
        feed = self._feed_of("predict", x, None, None, batch_size, steps)
        self._build_for(first_of(feed))
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks, add_progbar=verbose not in (0, "auto"), model=self,
                verbose=check_verbose(verbose), epochs=1, steps=feed.num_batches,
            )  # fmt: skip
        predict, packed = self._forecaster()
        outputs: list[list[np.ndarray]] = []
        self.stop_predicting = False
        callbacks.on_predict_begin()
        group = self.steps_per_execution
        last = -1  # the step that the group ends with
        made: list[list[np.ndarray]] = []  # by the group
        for number, (batch, _, _) in feed.epoch():
            if number > last:
                last = number + group - 1
                made = []
                callbacks.on_predict_batch_begin(number)
            made.append(predict(batch))
            outputs.append(made[-1])
            if number == last:
                callbacks.on_predict_batch_end(last, {"outputs": packed(joined(made))})
                if self.stop_predicting:
                    break
        if len(outputs) <= last:
            callbacks.on_predict_batch_end(last, {"outputs": packed(joined(made))})
        callbacks.on_predict_end()
        return packed(joined(outputs))

    def _forecaster(self) -> tuple[Callable[[list], list[np.ndarray]], Callable[[list], Any]]:
        """Return what predicts a batch, and what puts predictions together as they came out."""
        program = self._program(training=False, observe=False)
        return lambda batch: [y for y, _ in program(self._adapt_all(batch))], self._packed

    def _examiner(self, compiled: Compiled) -> Any:
        """Return a function that counts the loss and the metrics of a batch."""
        self._clear_losses()
        constant = float(sum(self.losses))  # of the weights, which stay what they are
        layers = list(self._flatten_layers())
        adds = any(layer.activity_regularizer or layer._python_call for layer in layers)
        program = self._program(training=False, observe=True)

        def examine(x: list[np.ndarray], y: Any, weight: Any) -> None:
            if adds:
                self._clear_losses()
            found = program(self._adapt_all(x))
            y_pred, masks = [y for y, _ in found], [mask for _, mask in found]
            compiled.meet(y, y_pred)
            masked = [_plan.KerasArray.attach(*item) for item in found]
            loss, losses = compiled.data_loss(y, masked, weight)
            loss += constant
            if adds:
                loss += float(sum(term for layer in layers for term in layer._call_losses))
            compiled.update(loss, losses, y, y_pred, weight, masks)

        return examine


def first_of(feed: Feed) -> list[np.ndarray]:
    """Return the inputs of the next batch of a feed that is not empty."""
    batch = feed.peek()
    assert batch is not None
    return batch[0]


def check_count(caller: str, name: str, value: Any, least: int = 1) -> None:
    """Check that an argument is None or an integer of at least `least`.

    Raises:
        ValueError: it is not.
    """
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if (value is None and least) or (is_int and value >= least):
        return
    kind = "a positive int" if least else "an int of 0 or more"
    raise ValueError(f"{caller}: `{name}` must be {kind}. Received: {value!r}")


def joined(parts: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Return the outputs of batches, one after the other, as those of all samples."""
    if len(parts) == 1:
        return parts[0]
    return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
