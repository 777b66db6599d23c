"""Series and arrays as data sets: windows in batches, and parts of samples."""

import numpy as np
import pytest
from fit_scenarios import linear

import coreops
from coreops.utils import split_dataset, timeseries_dataset_from_array

SERIES = np.arange(40.0, dtype="float32").reshape(20, 2)


def windows(length, stride, rate, first, end, count):
    """The windows of a series, one by one, and where they begin."""
    starts = [
        i
        for i in range(first, end, stride)
        if i + (length - 1) * rate < end and (count is None or i < count)
    ]
    return [SERIES[i : i + length * rate : rate][:length] for i in starts], starts


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize(
    ("length", "stride", "rate", "first", "end", "targets"),
    [
        (4, 1, 1, None, None, None),
        (4, 3, 2, 2, 18, None),
        (1, 1, 1, None, None, SERIES[:5]),
        (5, 2, 3, 1, 20, SERIES[3:]),
        (20, 1, 1, None, None, SERIES),
    ],
)
def test_windows(length, stride, rate, first, end, targets, batch_size):
    made = timeseries_dataset_from_array(
        SERIES, targets, length, stride, rate, batch_size, start_index=first, end_index=end
    )
    count = None if targets is None else len(targets)
    expected, starts = windows(length, stride, rate, first or 0, end or 20, count)
    batches = list(made)
    assert len(made) == len(batches) == -(-len(starts) // batch_size)
    if targets is not None:
        found = np.concatenate([batch[1] for batch in batches])
        np.testing.assert_array_equal(found, targets[starts])
        batches = [batch[0] for batch in batches]
    np.testing.assert_array_equal(np.concatenate(batches), expected)


def test_windows_in_another_order():
    def passes(seed):
        made = timeseries_dataset_from_array(SERIES, SERIES[:, 0], 3, shuffle=True, seed=seed)
        first = made[0]
        made.on_epoch_end()
        return [*first, *made[0]]

    x, y, again, _ = passes(1)
    np.testing.assert_array_equal(x[:, 0, 0], y)
    assert sorted(y) == sorted(again[:, 0, 0])
    assert list(y) != list(again[:, 0, 0])
    for one, other in zip(passes(1), (x, y, again, _), strict=True):
        np.testing.assert_array_equal(one, other)


def test_windows_are_fitted():
    model = coreops.Sequential([coreops.Input((4, 2)), coreops.layers.LSTM(2)])
    model.compile("sgd", "mse")
    model.fit(timeseries_dataset_from_array(SERIES, SERIES[4:], 4, batch_size=8), verbose=0)
    assert model.predict(timeseries_dataset_from_array(SERIES, None, 4), verbose=0).shape == (17, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"sequence_length": 0},
        {"sequence_length": 21},
        {"sequence_length": 5, "sampling_rate": 5},
        {"sequence_length": 2, "sequence_stride": 0},
        {"sequence_length": 2, "batch_size": 0},
        {"sequence_length": 2, "start_index": 8, "end_index": 8},
        {"sequence_length": 2, "end_index": 21},
    ],
)
def test_windows_that_do_not_fit(options):
    with pytest.raises(ValueError, match=r"Received|longer"):
        timeseries_dataset_from_array(SERIES, None, **options)


def test_parts():
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    (x1, y1), (x2, y2) = split_dataset((x, y), left_size=0.8)
    np.testing.assert_array_equal(np.concatenate([x1, x2]), x)
    assert (list(y1), list(y2)) == ([*range(8)], [8, 9])
    left, right = split_dataset(y, left_size=3, right_size=2)
    assert (list(left), list(right)) == ([0, 1, 2], [8, 9])
    (x1,), (x2,) = split_dataset([x], right_size=4, shuffle=True, seed=1)
    assert (x1.shape, x2.shape) == ((6, 2), (4, 2))
    assert sorted([*x1[:, 0], *x2[:, 0]]) == list(x[:, 0])
    model = linear(coreops)
    x = np.zeros((10, *model.input_shape[1:]), "float32")
    train, test = split_dataset((x, np.zeros((10, *model.output_shape[1:]))), left_size=0.5)
    model.fit(*train, verbose=0)
    model.evaluate(*test, verbose=0)


@pytest.mark.parametrize(
    ("data", "sizes", "error"),
    [
        (np.zeros(4), {}, ValueError),
        (np.zeros(4), {"left_size": 5}, ValueError),
        (np.zeros(4), {"left_size": 1.5}, ValueError),
        (np.zeros(4), {"left_size": 3, "right_size": 2}, ValueError),
        (np.zeros(4), {"left_size": 4}, ValueError),
        (np.zeros(4), {"left_size": "half"}, TypeError),
        ((np.zeros(4), np.zeros(5)), {"left_size": 2}, ValueError),
        ("text", {"left_size": 2}, TypeError),
    ],
)
def test_parts_that_there_are_not(data, sizes, error):
    with pytest.raises(error):
        split_dataset(data, **sizes)
