"""Data sets that give `fit` batches, and how arrays become such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .random import make_default_seed


class PyDataset:
    """Base class of data sets that give `fit` one batch after another.

    A subclass has `__len__`, or `num_batches` (None: without end), and `__getitem__(index)`, which
    returns a batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Args:
        workers: how many threads make batches ahead of time; with 1, none does.
        use_multiprocessing: accepted as in Keras; the workers are threads.
        max_queue_size: how many batches are made ahead at most.
    """

    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Return batch `index`."""
        raise NotImplementedError(f"{type(self).__name__} must define `__getitem__(index)`.")

    @property
    def num_batches(self) -> int | None:
        """The number of batches, None for a data set without end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} must define `__len__` or `num_batches`.")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        index = 0
        while count is None or index < count:
            yield self[index]
            index += 1

    def on_epoch_begin(self) -> None:
        """Called before each pass over the data."""

    def on_epoch_end(self) -> None:
        """Called after each pass over the data."""


Sequence = PyDataset


class _Windows(PyDataset):
    """Windows of a series, in batches: `timeseries_dataset_from_array`."""

    def __init__(
        self,
        data: np.ndarray,
        targets: np.ndarray | None,
        starts: np.ndarray,
        steps: np.ndarray,
        batch_size: int,
        rng: np.random.Generator | None,
    ) -> None:
        super().__init__()
        self._data, self._targets = data, targets
        self._starts, self._steps, self._batch_size, self._rng = starts, steps, batch_size, rng
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._starts) // self._batch_size)

    def __getitem__(self, index: int) -> Any:
        first = index * self._batch_size
        starts = self._starts[first : first + self._batch_size]
        windows = self._data[starts[:, None] + self._steps]
        return windows if self._targets is None else (windows, self._targets[starts])

    def on_epoch_end(self) -> None:
        if self._rng is not None:
            self._starts = self._rng.permutation(self._starts)


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> PyDataset:
    """Return windows of a series as a data set of batches, which `fit` and `predict` take.

    Args:
        data: the series, time along the first axis.
        targets: the target of the window that begins at each place, None for windows alone.
        sequence_length: the number of steps in a window.
        sequence_stride: the distance between the beginnings of two windows.
        sampling_rate: the distance between two steps of a window.
        batch_size: the number of windows in a batch, None for 1.
        shuffle: whether the windows come in another order in each pass.
        seed: of that order.
        start_index: the first place that is used; by default the first of `data`.
        end_index: the place behind the last one that is used; by default behind the last of `data`.

    Raises:
        ValueError: lengths, distances or places that do not fit the series.

    Example:

        windows = coreops.utils.timeseries_dataset_from_array(series, series[24:], 24)
        model.fit(windows, epochs=5)
    """
    data = np.asarray(data)
    targets = None if targets is None else np.asarray(targets)
    first = 0 if start_index is None else start_index
    end = len(data) if end_index is None else end_index
    if not 0 <= first < end <= len(data):
        raise ValueError(
            f"`start_index` and `end_index` must lie in the {len(data)} steps of `data`, in order. "
            f"Received: start_index={start_index}, end_index={end_index}"
        )
    counts = {"sequence_length": sequence_length, "sequence_stride": sequence_stride}
    counts |= {
        "sampling_rate": sampling_rate,
        "batch_size": 1 if batch_size is None else batch_size,
    }
    for name, value in counts.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"`{name}` must be an int of 1 or more. Received: {value!r}")
    steps = np.arange(sequence_length) * sampling_rate
    if steps[-1] >= end - first:
        raise ValueError(
            f"A window of sequence_length={sequence_length} steps at sampling_rate={sampling_rate} "
            f"is longer than the {end - first} steps of the series."
        )
    last = end - steps[-1]  # behind the last beginning
    if targets is not None:
        last = min(last, len(targets))
    starts = np.arange(first, last, sequence_stride)
    rng = _generator(seed) if shuffle else None
    return _Windows(data, targets, starts, steps, counts["batch_size"], rng)


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """Return the samples of arrays in two parts, such as those to train and those to test with.

    Args:
        dataset: an array, or a list or tuple of arrays of one length; the parts are of its form.
        left_size: the number of samples in the first part, an int, or its share of all, a float.
        right_size: likewise of the second; what both leave out is in neither.
        shuffle: whether samples are drawn at random.
        seed: of that draw.

    Raises:
        ValueError: neither size, sizes that do not fit, or arrays of several lengths.
        TypeError: what is no array, or a size that is no number.

    Example:

        (x, y), (x_test, y_test) = coreops.utils.split_dataset((x, y), left_size=0.8)
    """
    arrays = [np.asarray(a) for a in dataset] if isinstance(dataset, (list, tuple)) else [dataset]
    if not arrays or not all(isinstance(a, np.ndarray) and a.ndim for a in arrays):
        raise TypeError(
            "split_dataset takes an array, or a list or tuple of arrays. "
            f"Received: {type(dataset).__name__}"
        )
    if len({len(a) for a in arrays}) > 1:
        raise ValueError(
            f"split_dataset: arrays of several lengths. Received: {[len(a) for a in arrays]}"
        )
    total = len(arrays[0])
    left, right = (_count(size, total) for size in (left_size, right_size))
    if left is None and right is None:
        raise ValueError("split_dataset needs a `left_size` or a `right_size`. Received: neither")
    left = total - (right or 0) if left is None else left
    right = total - left if right is None else right
    if left + right > total or 0 in (left, right):
        raise ValueError(
            f"split_dataset: {total} samples have no parts of left_size={left_size} and "
            f"right_size={right_size}."
        )
    order = np.arange(total)
    if shuffle:
        order = _generator(seed).permutation(order)
    parts = [[a[rows] for a in arrays] for rows in (order[:left], order[total - right :])]
    if isinstance(dataset, (list, tuple)):
        return type(dataset)(parts[0]), type(dataset)(parts[1])
    return parts[0][0], parts[1][0]


def _generator(seed: int | None) -> np.random.Generator:
    return np.random.default_rng(make_default_seed() if seed is None else seed)


def _count(size: float | None, total: int) -> int | None:
    """Return a number of samples for a number or a share of them."""
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, (int, float, np.integer)):
        raise TypeError(f"A size must be an int or a float. Received: {size!r}")
    limit = 1 if isinstance(size, float) else total
    if not 0 <= size <= limit:
        raise ValueError(f"A size must be in [0, {limit}]. Received: {size!r}")
    return round(size * total) if isinstance(size, float) else int(size)
