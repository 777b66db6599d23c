"""Data as batches: arrays, generators, datasets, and epochs out of them."""

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coreops
from coreops import utils
from coreops._train.arrays import Options, class_weights, only, split, unpack
from coreops._train.data import open_source
from coreops._train.feed import Feed
from coreops.utils import PyDataset

FLOAT = np.dtype("float32")


class Only:
    """A source whose batches are arrays instead of lists of one."""

    def __init__(self, source):
        self.source = source

    def __getattr__(self, name):
        return getattr(self.source, name)

    def batches(self, number, start):
        return map(one_of_each, self.source.batches(number, start))


def one_of_each(batch):
    return tuple(None if arrays is None else arrays[0] for arrays in batch)


def source_of(x, y=None, weight=None, **options):
    return Only(open_source(x, y, weight, Options("fit", FLOAT, **options)))


def numbered(count):
    """Samples that tell their number, and targets that do."""
    return np.arange(count * 2, dtype="float32").reshape(count, 2), np.arange(count)


# --- arrays ---------------------------------------------------------------------------------


@given(
    count=st.integers(1, 60),
    batch_size=st.one_of(st.none(), st.integers(1, 70)),
    shuffle=st.sampled_from([False, True, "batch"]),
    number=st.integers(0, 3),
    data=st.data(),
)
def test_a_pass_holds_every_sample_once(count, batch_size, shuffle, number, data):
    x, y = numbered(count)
    source = source_of(x, y, batch_size=batch_size, shuffle=shuffle, seed=5)
    start = data.draw(st.integers(0, source.num_batches))
    batches = [(bx.copy(), by.copy()) for bx, by, _ in source.batches(number, 0)]
    size = min(batch_size or 32, count)
    assert [len(by) for _, by in batches] == [size] * (count // size) + [count % size] * bool(
        count % size
    )
    assert len(batches) == source.num_batches
    order = np.concatenate([by for _, by in batches])
    assert sorted(order) == list(range(count))
    np.testing.assert_array_equal(np.concatenate([bx for bx, _ in batches])[:, 0], order * 2)
    rest = [by.copy() for _, by, _ in source.batches(number, start)]
    assert [by.tolist() for by in rest] == [by.tolist() for _, by in batches[start:]]
    if shuffle == "batch":
        for index, (_, by) in enumerate(batches):
            assert sorted(by) == list(range(index * size, index * size + len(by)))


def test_the_order_hangs_on_seed_and_pass():
    x, y = numbered(50)

    def order(seed, number):
        source = source_of(x, y, shuffle=True, seed=seed, batch_size=50)
        return next(source.batches(number, 0))[1].tolist()

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(*key)) for key in itertools.product((1, 2), (0, 1))}) == 4


@pytest.mark.parametrize("dtype", ["float64", "float16", "float32", "uint8", "bool", "int64"])
def test_floats_are_cast_and_others_are_not(dtype):
    x = np.ones((4, 2), dtype)
    bx, by, weight = next(source_of(x, x[:, 0], np.ones(4, "int32")).batches(0, 0))
    expected = FLOAT if np.dtype(dtype).kind == "f" else np.dtype(dtype)
    assert (bx.dtype, by.dtype, weight.dtype) == (expected, expected, FLOAT)


def test_steps_give_the_size_of_batches():
    x, y = numbered(10)
    assert source_of(x, y, steps=3).batch_size == 4
    assert source_of(x, y, steps=3, batch_size=2).batch_size == 2


def test_containers_of_one():
    x = np.ones((3, 2))
    assert only([x]) is x
    assert only({"a": x}) is x
    assert only([1.0]) == [1.0]
    assert len(only([x, x])) == 2
    assert unpack((x,), "data") == (x, None, None)
    assert unpack(x, "data")[0] is x


@given(count=st.integers(1, 50), fraction=st.floats(0.01, 0.99))
def test_a_split_takes_the_end(count, fraction):
    x, y = numbered(count)
    at = int(np.floor(count * (1.0 - fraction)))
    if at in (0, count):
        with pytest.raises(ValueError, match="validation_split"):
            split(x, y, None, fraction, Options("fit", FLOAT))
        return
    parts = split(x, y, None, fraction, Options("fit", FLOAT))
    train, rest = (one_of_each(part.batch) for part in parts)
    assert train[1].tolist() == list(range(at))
    assert rest[1].tolist() == list(range(at, count))
    assert train[2] is rest[2] is None
    np.testing.assert_array_equal(np.concatenate([train[0], rest[0]]), x)


@pytest.mark.parametrize("form", ["labels", "column", "rows", "floats"])
def test_class_weights(form):
    labels = np.array([0, 2, 1, 2])
    y = {
        "labels": labels,
        "column": labels[:, None],
        "rows": np.eye(3)[labels],
        "floats": labels + 0.1,
    }[form]
    weights = class_weights(y, {0: 0.5, "2": 3}, "fit")
    assert weights.tolist() == [0.5, 3.0, 1.0, 3.0]
    with pytest.raises(ValueError, match="one label per sample"):
        class_weights(np.ones((2, 3, 4)), {0: 1}, "fit")


# --- generators and datasets ----------------------------------------------------------------


class Numbers(PyDataset):
    """Ten batches of one number each; writes down what is asked of it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = []
        self.threads = set()

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.calls.append(index)
        self.threads.add(threading.get_ident())
        return np.full((1, 1), index, "float32"), np.array([index])

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_dataset(workers):
    data = Numbers(workers=workers, max_queue_size=4)
    source = source_of(data)
    assert source.num_batches == 10
    assert [int(y[0]) for _, y, _ in source.batches(0, 0)] == list(range(10))
    assert data.calls[0] == "begin"
    assert data.calls[-1] == "end"
    assert sorted(data.calls[1:-1]) == list(range(10))
    assert (threading.get_ident() in data.threads) == (workers == 1)
    assert [int(y[0]) for _, y, _ in source.batches(0, 7)] == [7, 8, 9]
    shuffled = source_of(data, shuffle=True, seed=3)
    first, second = ([int(y[0]) for _, y, _ in shuffled.batches(n, 0)] for n in (0, 1))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert [int(y[0]) for _, y in data] == list(range(10))


def test_a_dataset_without_end():
    class Endless(PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return np.full((1, 1), index, "float32")

    source = source_of(Endless(workers=2), shuffle=True)
    assert [int(x[0, 0]) for x, _, _ in itertools.islice(source.batches(0, 0), 5)] == list(range(5))
    assert [int(x[0, 0]) for x in itertools.islice(Endless(), 3)] == [0, 1, 2]
    for broken in (PyDataset(),):
        with pytest.raises(NotImplementedError, match="num_batches"):
            _ = broken.num_batches
        with pytest.raises(NotImplementedError, match="__getitem__"):
            broken[0]


def test_a_worker_that_raises():
    class Broken(Numbers):
        def __getitem__(self, index):
            if index == 4:
                raise OSError("gone")
            return super().__getitem__(index)

    for workers in (1, 3):
        batches = source_of(Broken(workers=workers)).batches(0, 0)
        for _ in range(4):
            next(batches)
        with pytest.raises(OSError, match="gone"):
            next(batches)


def test_class_weights_of_batches():
    batches = [(np.ones((2, 1)), np.array([0, 1])), (np.ones((1, 1)), np.array([1]))]
    source = source_of(batches, class_weight={1: 4.0})
    assert [w.tolist() for _, _, w in source.batches(0, 0)] == [[1.0, 4.0], [4.0]]
    assert source.num_batches == 2
    with pytest.raises(ValueError, match="same time"):
        next(source_of([(*batches[0], np.ones(2))], class_weight={1: 2}).batches(0, 0))
    with pytest.raises(ValueError, match="targets"):
        next(
            source_of([np.ones((2, 1))] and iter([np.ones((2, 1))]), class_weight={1: 2}).batches(
                0, 0
            )
        )


# --- epochs ---------------------------------------------------------------------------------


def epochs(feed, count):
    """The targets of each batch of so many epochs, by epoch."""
    return [[(n, by.tolist()) for n, (_, by, _) in feed.epoch()] for _ in range(count)]


def test_epochs_are_passes():
    x, y = numbered(5)
    feed = Feed(source_of(x, y, batch_size=2))
    one = [(0, [0, 1]), (1, [2, 3]), (2, [4])]
    assert epochs(feed, 3) == [one, one, one]
    assert feed.place == (3, 0, 0)
    assert feed.num_batches == 3


def test_epochs_of_steps_go_on():
    x, y = numbered(6)
    feed = Feed(source_of(x, y, batch_size=1), 2)
    assert [[n for _, [n] in e] for e in epochs(feed, 4)] == [[0, 1], [2, 3], [4, 5], [0, 1]]
    feed.restart()
    assert epochs(feed, 1) == [[(0, [0]), (1, [1])]]
    feed = Feed(source_of(x, y, batch_size=1), 4)
    with pytest.warns(UserWarning, match="ran out"):
        assert [len(e) for e in epochs(feed, 3)] == [4, 2, 4]


@given(
    count=st.integers(1, 12),
    steps=st.one_of(st.none(), st.integers(1, 5)),
    at=st.integers(0, 25),
    shuffle=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:The input ran out")
def test_a_feed_goes_on_where_another_stood(count, steps, at, shuffle):
    x, y = numbered(count)

    def feed():
        return Feed(source_of(x, y, batch_size=1, steps=steps, shuffle=shuffle, seed=4), steps)

    def taken(feed):
        """Epoch that goes on, number in its own, sample, place; of 8 epochs."""
        for epoch in range(8):
            for number, (_, by, _) in feed.epoch():
                yield epoch + feed.epoch_is_done, number, int(by[0]), feed.place

    everything = list(taken(feed()))
    at = min(at, len(everything) - 1)
    epoch, _, _, place = everything[at]
    again = feed()
    again.go_to(*place)
    rest = [
        (number, sample)
        for _ in range(8 - epoch)
        for number, (_, by, _) in again.epoch()
        for sample in [int(by[0])]
    ]
    assert rest == [(number, sample) for _, number, sample, _ in everything[at + 1 :]]


def test_looking_ahead_takes_nothing():
    feed = Feed(source_of(iter([(np.ones((1, 1)), np.array([n])) for n in range(2)])))
    assert feed.peek()[1] == feed.peek()[1] == 0
    assert not feed.is_empty()
    assert [by for _, [(by)] in epochs(feed, 1)[0]] == [0, 1]
    assert feed.is_empty()


def test_normalised_labels_are_one_hot():
    np.testing.assert_array_equal(coreops.utils.to_categorical([0, 2], 3), np.eye(3)[[0, 2]])


def test_batches_are_packed_and_unpacked():
    x, y, weight = np.zeros((2, 1)), np.ones(2), np.ones(2)
    for parts in ((x,), (x, y), (x, y, weight)):
        packed = utils.pack_x_y_sample_weight(*parts)
        assert utils.unpack_x_y_sample_weight(packed) == (*parts, *[None] * (3 - len(parts)))
    assert utils.pack_x_y_sample_weight(x) is x
    assert utils.pack_x_y_sample_weight([x, x]) == ([x, x],)
    assert utils.unpack_x_y_sample_weight([x, y]) == (x, y, None)
    with pytest.raises(ValueError, match="4 items"):
        utils.unpack_x_y_sample_weight((x, y, weight, 1))


def test_sequences_of_one_length():
    several = [[1], np.array([2, 3]), (4, 5, 6), []]
    np.testing.assert_array_equal(
        utils.pad_sequences(several), [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]
    )
    assert utils.pad_sequences(several).dtype == np.int32
    cut = utils.pad_sequences(several, 2, "float32", "post", "post", -1.5)
    np.testing.assert_array_equal(cut, [[1, -1.5], [2, 3], [4, 5], [-1.5, -1.5]])
    np.testing.assert_array_equal(utils.pad_sequences(several, 2)[2], [5, 6])
    steps = utils.pad_sequences([np.ones((2, 3)), np.ones((1, 3))], dtype="float64")
    assert steps.shape == (2, 2, 3)
    assert steps[1, 0].sum() == 0
    words = utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="?")
    assert words.tolist() == [["?", "a"], ["b", "c"]]
    assert utils.pad_sequences([[1]], maxlen=0).shape == (1, 0)
    assert utils.pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("sequences", "kwargs", "message"),
    [
        ([[1]], {"padding": "left"}, "padding"),
        ([[1]], {"truncating": "left"}, "truncating"),
        ([1, 2], {}, "list of sequences"),
        (3, {}, "list of sequences"),
        ([["a"]], {"value": "?"}, "dtype=object"),
        ([np.ones((1, 2)), np.ones((1, 3))], {}, "one shape"),
    ],
)
def test_sequences_that_cannot_be(sequences, kwargs, message):
    with pytest.raises(ValueError, match=message):
        utils.pad_sequences(sequences, **kwargs)
