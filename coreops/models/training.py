"""Trainer: what models have to learn and to be judged with - fit, evaluate and their kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._arguments import check_numbers
from .._train.arrays import class_weights, split, unpack
from .._train.feed import Feed
from .._warnings import warn
from ..callbacks import CallbackList, History
from ..callbacks.progress import check_verbose
from ..random import SeedGenerator
from .judging import check_count, first_of
from .stepping import Stepping


class Trainer(Stepping):
    """A layer that can be trained and evaluated: the base of `Model`."""

    _feed: Feed | None = None  # of the fit that runs
    _resume_at: tuple[int, list[Any]] | None = None  # the epoch and what was counted in it

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable, tuple, dict[str, Any]]:
        make, args, state = super().__reduce_ex__(protocol)
        return make, args, {**state, "_feed": None, "_resume_at": None}  # no copy is in a fit

    # --- fit --------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        **kwargs: Any,
    ) -> History:
        """Train the model.

        Args:
            x: an array, batch axis first; or a generator, a `PyDataset` or another iterable of
                batches `(x, y)` or `(x, y, sample_weight)`.
            y: the targets, where `x` is an array.
            batch_size: samples per step, by default 32.
            epochs: the epoch to end with, counted from 0.
            verbose: 0 is silent, 1 draws a bar, 2 writes a line for each epoch; "auto" is 1.
            callbacks: callbacks to call.
            validation_split: the part of the arrays, taken from their end before shuffling, that
                is not trained on, but evaluated after each epoch.
            validation_data: what is evaluated instead: `(x, y)`, `(x, y, sample_weight)`, or an
                iterable as `x` may be.
            shuffle: whether arrays come in a new order in each epoch; "batch" shuffles only
                inside of the batches.
            class_weight: dict from labels to the weights of their samples.
            sample_weight: weights of the samples, or of their time steps.
            initial_epoch: the epoch to begin with.
            steps_per_epoch: batches of an epoch; by default all there are.
            validation_steps: batches of a validation.
            validation_batch_size: by default `batch_size`.
            validation_freq: after every so many epochs, or after which ones (counted from 1),
                there is a validation.
            **kwargs: Keras 1's `nb_epoch`.

        Returns:
            The History: `history` has the logs of each epoch.

        Raises:
            ValueError: before `compile`; arguments out of range; data that does not fit together
                or the model.
        """
        compiled = self._must_be_compiled("fit")
        if "nb_epoch" in kwargs:
            warn("fit: `nb_epoch` is the old spelling of `epochs`.", DeprecationWarning)
            epochs = kwargs.pop("nb_epoch")
        if kwargs:
            raise TypeError(f"fit() got unexpected keyword arguments: {sorted(kwargs)}")
        check_verbose(verbose)
        for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            check_count("fit", name, value, least=0)
        check_count("fit", "validation_batch_size", validation_batch_size)
        check_numbers("fit", validation_split=validation_split)
        if not 0 <= validation_split < 1:
            raise ValueError(
                f"fit: `validation_split` must be in [0, 1). Received: {validation_split!r}"
            )
        validates = _validation_times(validation_freq)
        if validation_split and validation_data is None:
            x, validation_data = split(x, y, sample_weight, validation_split, self._options("fit"))
            y = sample_weight = None
        feed = self._feed_of(
            "fit", x, y, sample_weight, batch_size, steps_per_epoch,
            shuffle=shuffle, class_weight=class_weight,
        )  # fmt: skip
        judged = None
        if validation_data is not None:
            judged = self._feed_of(
                "fit: validation", *unpack(validation_data, "validation_data"),
                validation_batch_size or batch_size, validation_steps,
            )  # fmt: skip
        self._build_for(first_of(feed))
        self._must_learn("fit")
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks, add_history=True, add_progbar=verbose != 0, model=self,
                verbose=verbose, epochs=epochs, steps=feed.num_batches,
            )  # fmt: skip
        self.stop_training = False
        self._feed = feed
        logs: dict[str, float] = {}
        finished = False
        step = None
        try:
            callbacks.on_train_begin()
            begun = self._resume_at
            for epoch in range(initial_epoch if begun is None else begun[0], epochs):
                if feed.is_over():
                    break
                step = self._training_step()
                self._begin(compiled)
                if begun is not None:
                    compiled.count_on(begun[1])
                    begun = None
                callbacks.on_epoch_begin(epoch)
                for batch in self._hooked("train", feed, callbacks, compiled):
                    self._train_on(step, compiled, batch)
                logs = self._results()
                if judged is not None and validates(epoch + 1):
                    judged.restart()
                    if not judged.is_over():
                        result = self._judge(judged, callbacks, compiled)
                        logs.update({f"val_{name}": value for name, value in result.items()})
                callbacks.on_epoch_end(epoch, dict(sorted(logs.items())))
                if self.stop_training:
                    break
            finished = True
        finally:
            self._feed = self._resume_at = None
            if step is not None:
                step.pull()
                self.optimizer.finalize_variable_values(self.trainable_weights)
            if finished:
                callbacks.on_train_end(logs)
        assert self.history is not None  # a CallbackList has one
        return self.history

    # --- evaluate ---------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss and the metrics of data.

        Args:
            x: as in `fit`, and so `y`, `batch_size`, `sample_weight` and `callbacks`.
            y: see there.
            batch_size: see there.
            verbose: 0 is silent, 1 draws a bar, 2 writes a line; "auto" is 1.
            sample_weight: see there.
            steps: at most so many batches.
            callbacks: see there.
            return_dict: whether to return a dict by name.

        Returns:
            The loss, or with metrics a list `[loss, metrics in the order of compile]`, or a dict.

        Raises:
            ValueError: as `fit`.
        """
        compiled = self._must_be_compiled("evaluate")
        check_verbose(verbose)
        feed = self._feed_of("evaluate", x, y, sample_weight, batch_size, steps)
        self._build_for(first_of(feed))
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks, add_progbar=verbose != 0, model=self,
                verbose=verbose, epochs=1, steps=feed.num_batches,
            )  # fmt: skip
        logs = self._judge(feed, callbacks, compiled)
        return logs if return_dict else compiled.in_order(logs)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one step on one batch, and return what `evaluate` would: the batch's own loss and
        metrics, before the step."""
        compiled = self._must_be_compiled("train_on_batch")
        step: Any = self._programs.get("step")
        flat = self._arrange(x) if isinstance(x, dict) and self._arrange is not None else x
        ends = self._in_order(y) if type(y) is dict else y
        weight = self._in_order(sample_weight) if type(sample_weight) is dict else sample_weight
        plain = class_weight is None
        if not plain and weight is None and type(y) is np.ndarray:
            weight, plain = class_weights(y, class_weight, "train_on_batch"), True
        self._begin(compiled)
        if self._is_free:
            batch = self._batch_of("train_on_batch", x, y, sample_weight, class_weight)
            self._train_on(None, compiled, batch)
        elif plain and step is not None and (made := step.again(compiled, flat, ends, weight)):
            made, targets, weights = made
            self._count(compiled, made, (flat, targets, weights), step.masks)
        else:
            batch = self._batch_of("train_on_batch", x, y, sample_weight, class_weight)
            self._must_learn("train_on_batch")
            self._learn(self._training_step(), compiled, batch, (flat, ends))
        logs = self._results()
        return logs if return_dict else compiled.in_order(logs)

    def _in_order(self, targets: dict[str, Any]) -> Any:
        """Return what a dict has for each output in a list, if it has nothing else."""
        keys = self._output_keys or ()
        fits = targets and targets.keys() <= set(keys)
        return [targets.get(key) for key in keys] if fits else targets

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Return the loss and the metrics of one batch, as `evaluate` does."""
        compiled = self._must_be_compiled("test_on_batch")
        x, y, weight = self._batch_of("test_on_batch", x, y, sample_weight, None)
        self._begin(compiled)
        self._examiner(compiled)(x, y, weight)
        logs = self._results()
        return logs if return_dict else compiled.in_order(logs)

    # --- interruptions ----------------------------------------------------------------------

    def _resumable(self, epoch: int) -> dict[str, Any]:
        """What, beside weights and optimizer, the rest of the fit depends on that is in `epoch`."""
        assert self._feed is not None  # a callback asks
        assert self._compilation is not None
        place = self._feed.place
        return {
            "epoch": epoch + self._feed.epoch_is_done,
            "place": list(place),
            "counted": self._compilation.counted() if place[2] else [[0.0], 0, []],
            "seed": self._feed.source.seed,
            "streams": [list(stream.place) for stream in self._streams()],
        }

    def _resume(self, state: dict[str, Any]) -> None:
        """Let the fit that begins go on where `_resumable` was asked."""
        assert self._feed is not None  # a callback says so
        self._feed.source.seed = state["seed"]
        self._feed.go_to(*state["place"])
        for stream, (seed, call) in zip(self._streams(), state["streams"], strict=False):
            stream.place = seed, call
        self._resume_at = state["epoch"], state["counted"]

    def _streams(self) -> list[SeedGenerator]:
        """The random streams of the layers, in order."""
        return [stream for layer in self._flatten_layers() for stream in layer._own_streams]


def _validation_times(frequency: Any) -> Callable[[int], bool]:
    """Return what tells after which epochs, counted from 1, there is a validation."""
    if isinstance(frequency, (int, np.integer)) and frequency >= 1:
        return lambda epoch: epoch % frequency == 0
    if isinstance(frequency, (list, tuple, set)):
        return lambda epoch: epoch in frequency
    raise ValueError(
        "fit: `validation_freq` must be a positive int or a list of epochs. "
        f"Received: {frequency!r} of type {type(frequency).__name__}"
    )
