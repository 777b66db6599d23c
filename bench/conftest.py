"""`pytest bench` times coreops against the same work in pure NumPy, a group per case.

Each case checks that both agree before either is timed. Read the ratio of the medians inside a
group; absolute times are of one machine on one day. `--benchmark-json FILE` keeps the figures.

Both use one thread unless OMP_NUM_THREADS says otherwise: in one process the threads of NumPy's
BLAS, which spin for a while after each product, and ours take the cores from each other.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # NumPy's BLAS reads it when it is loaded

import numpy as np
import pytest

import coreops


def pytest_report_header():
    info = coreops.runtime_info()
    return f"coreops: tier {info['tier']}, {info['threads']} threads, NumPy {info['numpy']}"


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def versus(benchmark, request):
    """versus(ours, numpy, check): times the contender that the test's `who` names, in a group of
    the test's own, once check(ours(), numpy()) has passed."""

    def run(who, ours, pure_numpy, check):
        check(ours(), pure_numpy())
        benchmark.group = request.node.name.replace(f"{who}-", "").replace(f"-{who}", "")
        benchmark.extra_info["who"] = who
        benchmark(ours if who == "coreops" else pure_numpy)

    return run
