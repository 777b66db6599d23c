"""What Dropout's masks are as random numbers, over 10^8 draws."""

from math import sqrt

import numpy as np
import pytest

import coreops
from coreops import layers

CALLS, ROWS, WIDTH = 20, 1000, 5000
LAGS = (1, 16, 32, 64, 128, 192)  # 64: the two elements that share a word, see csrc/philox.h


@pytest.fixture(scope="module")
def counts():
    """Elements kept; pairs kept, by their distance; pairs kept of two calls; for each rate."""
    found = {}
    x = np.ones((ROWS, WIDTH), np.float32)
    for rate in (0.3, 0.5):
        coreops.utils.set_random_seed(3)
        layer, before = layers.Dropout(rate), None
        kept, pairs, calls = 0, dict.fromkeys(LAGS, 0), 0
        for _ in range(CALLS):
            y = layer(x, training=True).ravel()
            assert set(np.unique(y[:1000])) == {0, np.float32(1 / (1 - rate))}
            mask = y != 0
            kept += np.count_nonzero(mask)
            for lag in LAGS:
                pairs[lag] += np.count_nonzero(mask[lag:] & mask[:-lag])
            if before is not None:
                calls += np.count_nonzero(mask & before)
            before = mask
        found[rate] = kept, pairs, calls
    return found


def deviations(count, n, p):
    """How many standard deviations a count of n draws is from n p."""
    return (count - n * p) / sqrt(n * p * (1 - p))


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_the_rate_and_the_mean(counts, rate):
    """An output is 0 or x / (1 - rate): with the rate the mean is right, too."""
    assert abs(deviations(counts[rate][0], CALLS * ROWS * WIDTH, 1 - rate)) < 4.5


@pytest.mark.parametrize("rate", [0.3, 0.5])
@pytest.mark.parametrize("lag", LAGS)
def test_elements_are_independent(counts, rate, lag):
    n, p = CALLS * (ROWS * WIDTH - lag), (1 - rate) ** 2
    # each element is in two pairs, which makes the variance up to twice as large
    assert abs(deviations(counts[rate][1][lag], n, p)) < 4.5 * sqrt(2)


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_calls_are_independent(counts, rate):
    n, p = (CALLS - 1) * ROWS * WIDTH, (1 - rate) ** 2
    assert abs(deviations(counts[rate][2], n, p)) < 4.5


def test_a_rate_below_the_half_of_a_word():
    """Words have 32 bits: 10^7 draws at a rate of 10^-5 drop 100 elements, or 55 to 145."""
    layer = layers.Dropout(1e-5, seed=1)
    y = layer(np.ones((2 * ROWS, WIDTH), np.float32), training=True)
    assert abs(deviations(np.count_nonzero(y), y.size, 1 - 1e-5)) < 4.5
