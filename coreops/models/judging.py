"""Judge: what fit and evaluate share - the data as the model takes it, and the judging of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan, random
from .._train.data import Batch, Options, open_source, read_batch
from .._train.feed import Feed, warn_of_the_end
from .compiling import Compilable

if TYPE_CHECKING:
    from .._train.compiled import Compiled
    from ..callbacks import CallbackList


class Judge(Compilable):
    """A compiled layer that can be built for data, and judged by it."""

    def _options(self, caller: str, **asked: Any) -> Options:
        """How the model wants its data: in float64, if any of its layers computes in that."""
        wide = any(leaf.compute_dtype == "float64" for leaf in self.leaves() or [self])
        return Options(caller, np.dtype("float64" if wide else "float32"), **asked)

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
        check_count(caller, "steps", steps)
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
        if not len(batch[0]):
            raise ValueError(f"{caller}: `x` holds no samples.")
        self._build_for(batch[0])
        return batch

    def _build_for(self, x: np.ndarray) -> None:
        """Build what is not built, the optimizer's variables too."""
        x = self._adapt(x)
        if not all(layer.built for layer in self._flatten_layers()):
            self._prepare((None, *x.shape[1:]), x.dtype)
            if not all(layer.built for layer in self._flatten_layers()):
                self._program(training=False, observe=False)(x)
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_weights)

    def _judge(self, feed: Feed, callbacks: CallbackList, compiled: Compiled) -> dict[str, float]:
        """Evaluate what the feed gives, and return the logs."""
        feed.restart()
        self.stop_evaluating = False
        callbacks.on_test_begin()
        compiled.reset()
        if feed.is_empty():
            warn_of_the_end()
        begins, ends = map(callbacks.watches, ("on_test_batch_begin", "on_test_batch_end"))
        bar, group, last = callbacks.progbar, self.steps_per_execution, feed.num_batches
        number = -1
        examine = self._examiner(compiled)
        for number, (x, y, weight) in feed.epoch():
            if begins and number % group == 0:
                callbacks.on_test_batch_begin(number)
            examine(x, y, weight)
            if (number + 1) % group and number + 1 != last:
                continue
            if ends:
                callbacks.on_test_batch_end(number - number % group + group - 1, compiled.results())
            elif bar is not None and (number == 0 or bar.is_due()):
                bar.on_test_batch_end(number, compiled.results())
            if self.stop_evaluating:
                break
        if bar is not None and not bar.in_fit:
            bar.seen = number + 1
        logs = compiled.results()
        callbacks.on_test_end(logs)
        return logs

    def _examiner(self, compiled: Compiled) -> Any:
        """Return a function that counts the loss and the metrics of a batch."""
        self._clear_losses()
        constant = float(sum(self.losses))  # of the weights, which stay what they are
        layers = list(self._flatten_layers())
        adds = any(layer.activity_regularizer or layer._python_call for layer in layers)
        program = self._program(training=False, observe=True)

        def examine(x: np.ndarray, y: Any, weight: Any) -> None:
            y_pred, mask = program(self._adapt(x))
            if not compiled.resolved:
                compiled.resolve(np.shape(y), y_pred.shape)
            loss = compiled.data_loss(y, _plan.KerasArray.attach(y_pred, mask), weight) + constant
            if adds:
                loss += float(sum(term for layer in layers for term in layer._call_losses))
                self._clear_losses()
            compiled.update(loss, y, y_pred, weight, mask)

        return examine


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
