"""What fit, evaluate and predict read: arrays, generators and datasets, in passes of batches.

Batches of arrays lie in buffers that the next batch overwrites.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .arrays import Batch, Options, cut, is_arrays, read_batch

BATCH_SIZE = 32
_BLOCK_BYTES = 1 << 17  # of shuffled rows: they are taken from there out of the cache


class Source:
    """Data that can be gone through in passes.

    num_batches: batches of a pass, None where only the end will tell.
    once: there is one pass.
    """

    num_batches: int | None = None
    once = False
    seed = 0  # of the order of a shuffled pass

    def batches(self, number: int, start: int) -> Iterator[Batch]:
        """Yield the batches of pass `number`, without the first `start` of them."""
        raise NotImplementedError


class ArraySource(Source):
    """Arrays of equal length, cut into batches; the last may be short.

    The order of a shuffled pass depends on the seed and its number alone.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any, options: Options) -> None:
        self._batch = read_batch(x, y, sample_weight, options)
        # All arrays in a row, in which a batch's are found again.
        self._arrays = [a for some in self._batch for a in some or () if a is not None]
        self.count = count = len(self._arrays[0])
        if count == 0:
            raise ValueError(f"{options.caller}: `x` holds no samples.")
        size = options.batch_size
        if not size:
            size = math.ceil(count / options.steps) if options.steps else BATCH_SIZE
        self.batch_size = size = min(int(size), count)
        self.num_batches = -(-count // size)
        self._shuffle = options.shuffle
        self.seed = options.seed
        self._block = count  # rows that are brought into order at once
        self._buffers: list[Any] = []
        if self._shuffle:
            row = sum(a.nbytes for a in self._arrays) // count
            self._block = size * max(1, _BLOCK_BYTES // max(row * size, 1))
            self._block = min(self._block, count)
            self._buffers = [np.empty((self._block, *a.shape[1:]), a.dtype) for a in self._arrays]
            self._shuffled = self._grouped(self._buffers)
            self._views = list(self._cut(self._shuffled, 0, self._block))

    def batches(self, number: int, start: int) -> Iterator[Batch]:
        order = self._order(number)
        if order is None:
            yield from self._cut(self._batch, start * self.batch_size, self.count)
            return
        for first in range(start * self.batch_size, self.count, self._block):
            rows = order[first : first + self._block]
            # mode="clip": the one that writes into `out` directly; no index is out of range.
            for a, out in zip(self._arrays, self._buffers, strict=True):
                a.take(rows, 0, out[: len(rows)], "clip")
            if len(rows) == self._block:
                yield from self._views
            else:
                yield from self._cut(self._shuffled, 0, len(rows))

    def _cut(self, batch: Batch, begin: int, end: int) -> Iterator[Batch]:
        for first in range(begin, end, self.batch_size):
            yield cut(batch, first, min(first + self.batch_size, end))

    def pieces(self, size: int) -> Iterator[tuple[int, Batch]]:
        """Yield all samples in order, so many at a time; and how many batches that is by then."""
        for begin in range(0, self.count, size):
            end = min(begin + size, self.count)
            yield -(-end // self.batch_size), cut(self._batch, begin, end)

    def _grouped(self, arrays: list[np.ndarray]) -> Batch:
        """Return all arrays in a row as inputs, targets and weights."""
        items = iter(arrays)
        x, y, weight = (
            None if some is None else [None if a is None else next(items) for a in some]
            for some in self._batch
        )
        return x, y, weight  # type: ignore[return-value]  # x is there

    def _order(self, number: int) -> np.ndarray | None:
        if not self._shuffle:
            return None
        key = np.array([self.seed, number], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        if self._shuffle != "batch":
            return generator.permutation(self.count)
        order = np.arange(self.count)
        for begin in range(0, self.count, self.batch_size):
            generator.shuffle(order[begin : begin + self.batch_size])
        return order


class IterableSource(Source):
    """A generator, or any iterable of batches."""

    def __init__(self, iterable: Iterable[Any], options: Options) -> None:
        self._iterable = iterable
        self._options = options
        self.once = iter(iterable) is iterable
        try:
            self.num_batches = None if self.once else len(iterable)  # type: ignore[arg-type]
        except TypeError:
            self.num_batches = None

    def batches(self, number: int, start: int) -> Iterator[Batch]:
        for item in itertools.islice(iter(self._iterable), start, None):
            yield _standard(item, self._options)


class DatasetSource(Source):
    """A `PyDataset`, or what looks like one."""

    def __init__(self, dataset: Any, options: Options) -> None:
        self._dataset = dataset
        self._options = options
        self.num_batches = dataset.num_batches
        self.seed = options.seed

    def batches(self, number: int, start: int) -> Iterator[Batch]:
        dataset, options = self._dataset, self._options
        dataset.on_epoch_begin()
        indices: Iterable[int] = itertools.count(start)
        self.num_batches = count = dataset.num_batches
        if count is not None:
            order = np.arange(count)
            if options.shuffle:
                key = np.array([self.seed, number], np.uint64)
                np.random.Generator(np.random.Philox(key=key)).shuffle(order)
            indices = order[start:].tolist()
        for item in _fetched(dataset, indices):
            yield _standard(item, options)
        dataset.on_epoch_end()


def _fetched(dataset: Any, indices: Iterable[int]) -> Iterator[Any]:
    """Yield the dataset's items in order; several workers fetch ahead."""
    workers = getattr(dataset, "workers", 1)
    if workers < 2:
        yield from map(dataset.__getitem__, indices)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        todo = iter(indices)
        ahead = max(workers, getattr(dataset, "max_queue_size", workers))
        waiting = [pool.submit(dataset.__getitem__, i) for i in itertools.islice(todo, ahead)]
        try:
            while waiting:
                item = waiting.pop(0).result()
                waiting += [pool.submit(dataset.__getitem__, i) for i in itertools.islice(todo, 1)]
                yield item
        finally:
            for future in waiting:
                future.cancel()


def open_source(x: Any, y: Any, sample_weight: Any, options: Options) -> Source:
    """Return the data that the arguments of `fit` and its kin stand for.

    Raises:
        ValueError: lengths that differ, no samples, `y` beside a generator, both kinds of weights,
            or data of a kind that cannot be read.
        TypeError: an array that does not hold numbers.
    """
    caller = options.caller
    if is_arrays(x):
        return ArraySource(x, y, sample_weight, options)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(
                f"{caller}: `{name}` must come with each batch when `x` is a "
                f"{type(x).__name__}. Received: a separate `{name}`"
            )
    if hasattr(x, "num_batches") and hasattr(x, "__getitem__"):
        return DatasetSource(x, options)
    if hasattr(x, "__iter__"):
        return IterableSource(x, options)
    raise ValueError(
        f"{caller}: `x` must be an array, a generator or another iterable of batches, or a "
        f"PyDataset. Received: {x!r} of type {type(x).__name__}"
    )


def _standard(item: Any, options: Options) -> Batch:
    """One item of an iterable as a batch."""
    if isinstance(item, (tuple, list)):
        if not 1 <= len(item) <= 3:
            raise ValueError(
                f"{options.caller}: a batch must be (x,), (x, y) or (x, y, sample_weight). "
                f"Received: {len(item)} items"
            )
        x, y, weight = [*item, None, None][:3]
    else:
        x, y, weight = item, None, None
    return read_batch(x, y, weight, options)
