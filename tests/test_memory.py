"""Large results: their memory is kept when they are freed, for the next ones."""

import gc
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from coreops import _kernels

MIB = 1 << 20


def copying(kib, dtype="float32"):
    """A plan whose result has so many KiB for each sample: a copy of its input."""
    size = kib * 1024 // np.dtype(dtype).itemsize
    return _kernels.Plan(dtype, (size,)).finish(0, (size,))


def full(plan, batch, value):
    return np.full((batch, *plan.in_shape), value, plan.dtype)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_a_freed_result_is_the_next_one(dtype, batch):
    plan = copying(1024, dtype)
    x = full(plan, batch, 1.0)
    y = plan.run(x)[0]
    where = address(y)
    assert where % 64 == 0
    assert y.flags.owndata
    del y
    assert plan.run(x)[0].ctypes.data == where


def test_results_that_live_do_not_share_memory():
    plan = copying(512)
    results = {}
    rng = np.random.default_rng(1)
    for value in range(200):
        batch = int(rng.integers(1, 9))
        results[value] = plan.run(full(plan, batch, value))[0]
        if len(results) > 6:
            del results[rng.choice(list(results))]
        for expected, y in results.items():
            assert (y == expected).all()
    spans = sorted((address(y), y.nbytes) for y in results.values())
    assert all(a + size <= b for (a, size), (b, _) in pairwise(spans))


def test_no_more_is_kept_than_the_bound():
    plan = copying(1024)
    for batch in (1, 2, 3, 4, 5, 6, 7, 9, 10, 17, 33, 65, 70, 20, 20, 64):
        alive = [plan.run(full(plan, batch, 1.0))[0] for _ in range(2)]
        assert all((y == 1).all() for y in alive)
        del alive
        assert 0 <= _kernels.blocks_kept() <= _kernels.BLOCKS_KEPT


def test_small_results_are_numpys():
    plan = copying(64)
    before = _kernels.blocks_kept()
    for batch in (1, 2, 3):
        plan.run(full(plan, batch, 1.0))
    assert _kernels.blocks_kept() == before


def test_a_much_larger_block_is_left_alone():
    plan = copying(1024)
    y = plan.run(full(plan, 30, 1.0))[0]
    where, size = address(y), y.nbytes
    del y
    small = plan.run(full(plan, 2, 1.0))[0]
    assert not where <= address(small) < where + size


def test_a_result_is_an_array_like_any_other():
    plan = copying(1024)
    y = plan.run(full(plan, 2, 3.0))[0]
    size = y.size
    y.resize(3 * size, refcheck=False)
    assert (y[:size] == 3).all()
    assert not y[size:].any()
    y.resize(10, refcheck=False)
    assert (y == 3).all()
    y = plan.run(full(plan, 2, 3.0))[0]
    view = y[0, 5:]
    del y
    plan.run(full(plan, 2, 4.0))
    assert (view == 3).all()
    assert (pickle.loads(pickle.dumps(view)) == 3).all()
    assert (view.copy() == 3).all()


def test_a_result_that_another_thread_frees():
    plan = copying(1024)
    x = full(plan, 2, 1.0)
    held = [plan.run(x)[0]]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert (plan.run(x)[0] == 1).all()


def test_many_threads():
    plan = copying(1024)

    def work(value):
        x = full(plan, value % 3 + 1, value)
        before = plan.run(x)[0]
        for _ in range(50):
            y = plan.run(x)[0]
            if not ((y == value).all() and (before == value).all()):
                return False
            before = y
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(1, 25)))
    assert _kernels.blocks_kept() <= _kernels.BLOCKS_KEPT


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks as Linux answers")
def test_memory_does_not_grow():
    gc.collect()
    plan = copying(1024)
    x = full(plan, 1, 1.0)
    plan.run(x)
    kept = _kernels.blocks_kept()
    before = _resident()
    for _ in range(10**4):
        plan.run(x)
    assert _kernels.blocks_kept() == kept
    assert _resident() - before < 4 * MIB


def _child(plan, held, queue):
    x = full(plan, 2, 5.0)
    good = bool((held == 7).all())
    for _ in range(20):
        y = plan.run(x)[0]
        good = good and bool((y == 5).all() and (held == 7).all())
    queue.put(good)


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, where a test before loaded it
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
def test_a_child_goes_on():
    plan = copying(1024)
    held = plan.run(full(plan, 2, 7.0))[0]
    plan.run(full(plan, 2, 8.0))  # freed: the child finds it
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(plan, held, queue))
    child.start()
    assert queue.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0
    assert (held == 7).all()
