"""Plans of several steps: fusing, memory, threads, blocks, and the border to Python."""

import multiprocessing
import os
import subprocess
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import numbers
from tolerance import dot_bound

from coreops import _kernels


@pytest.fixture
def threads():
    """Sets the thread count, and sets it back."""
    before = _kernels.get_num_threads()
    yield _kernels.set_num_threads
    _kernels.set_num_threads(before)


def chain(rng, sizes, dtype="float32", kind="tanh"):
    """A plan of dense layers, and the function that it computes, in float64."""
    plan = _kernels.Plan(dtype, (sizes[0],))
    weights = []
    value = 0
    for k, n in pairwise(sizes):
        kernel = (rng.normal(size=(k, n)) / np.sqrt(k)).astype(dtype)
        bias = rng.normal(size=n).astype(dtype)
        weights.append((kernel, bias))
        value = plan.act(plan.dense(value, 1, *numbers(plan, kernel, bias)), kind)

    def exact(x):
        for kernel, bias in weights:
            x = np.tanh(reference.dense(x, kernel, bias))
        return x

    return plan.finish(value, (sizes[-1],)), exact


@pytest.mark.parametrize("batch", [0, 1, 2, 13, 14, 15, 100, 1000, 5003])
def test_a_chain_of_layers(isa, dtype, rng, batch):
    plan, exact = chain(rng, (17, 33, 64, 5), dtype)
    x = rng.normal(size=(batch, 17)).astype(dtype)
    y, mask = plan.run(x)
    assert mask is None
    assert y.shape == (batch, 5)
    # tanh has a slope of at most 1, so errors of the three layers add up
    assert np.all(np.abs(y - exact(x)) <= 3 * 70 * 4 * np.finfo(dtype).eps)


def test_the_bits_do_not_depend_on_threads(isa, rng, threads):
    plan, _ = chain(rng, (64, 128, 128, 10))
    x = rng.normal(size=(4099, 64)).astype(np.float32)
    results = []
    for count in (1, 2, 3, 8):
        threads(count)
        results.append(plan.run(x)[0])
    for result in results[1:]:
        assert np.array_equal(results[0], result)


@pytest.mark.parametrize("batch", [1, 5, 40])
def test_threads_that_share_columns_give_the_same_bits(isa, rng, threads, batch):
    plan, _ = chain(rng, (400, 3001, 5))
    x = rng.normal(size=(batch, 400)).astype(np.float32)
    threads(1)
    one = plan.run(x)[0]
    for count in (2, 3, 8) * 2:
        threads(count)
        assert np.array_equal(plan.run(x)[0], one)


@pytest.mark.parametrize(("sizes", "batch"), [((400, 512), 1), ((300, 256, 200, 10), 17)])
def test_calls_in_quick_succession_give_the_same_bits(isa, rng, threads, sizes, batch):
    """From the 17th on, small calls get a team too."""
    plan, _ = chain(rng, sizes)
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    threads(1)
    one = plan.run(x)[0]
    for count in (2, 3, 8):
        threads(count)
        for _ in range(30):
            assert np.array_equal(plan.run(x)[0], one)


TEAMS = """
import os, sys, time
import numpy as np
from coreops import _kernels
_kernels.set_num_threads(2)
plan = _kernels.Plan("float32", (65000,)).finish(0, (65000,))
x, y = np.zeros((2, 1, 65000), np.float32)
before = len(os.listdir("/proc/self/task"))
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline and len(os.listdir("/proc/self/task")) == before:
    for _ in range(100):
        plan.run(x, y)
        time.sleep(float(sys.argv[1])) if float(sys.argv[1]) else None
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux does")
@pytest.mark.skipif(_kernels.parallel_runtime() == "none", reason="no threads in this build")
def test_small_calls_have_a_team_only_in_quick_succession():
    def made(pause, seconds):
        run = subprocess.run(
            [sys.executable, "-c", TEAMS, str(pause), str(seconds)], capture_output=True, check=True
        )
        return int(run.stdout)

    assert made(0.001, 0.3) == 0
    assert made(0, 60) == 1


CORES = """
import os, time
import numpy as np
from coreops import _kernels
_kernels.set_num_threads(2)
plan = _kernels.Plan("float32", (1000000,)).finish(0, (1000000,))
x, y = np.zeros((2, 1, 1000000), np.float32)
cores = set(sorted(os.sched_getaffinity(0))[:2])
mine = min(cores)
os.sched_setaffinity(0, {mine})
before = set(os.listdir("/proc/self/task"))
plan.run(x, y)
(worker,) = set(os.listdir("/proc/self/task")) - before
os.sched_setaffinity(int(worker), cores)
deadline = time.monotonic() + 60
on = mine
while on == mine and time.monotonic() < deadline:
    plan.run(x, y)
    on = int(open(f"/proc/self/task/{worker}/stat").read().rsplit(")", 1)[1].split()[36])
while time.monotonic() < deadline and os.sched_getaffinity(int(worker)) != cores:
    pass
print(on != mine, os.sched_getaffinity(int(worker)) == cores)
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores, and Linux",
)
@pytest.mark.skipif(_kernels.parallel_runtime() == "none", reason="no threads in this build")
def test_a_worker_leaves_its_callers_core_and_may_come_back():
    run = subprocess.run([sys.executable, "-c", CORES], capture_output=True, check=True, text=True)
    assert run.stdout.split() == ["True", "True"]


def test_the_bits_do_not_depend_on_the_batch(isa, rng, batch_invariant):
    plan, _ = chain(rng, (64, 128, 128, 10))
    x = rng.normal(size=(4099, 64)).astype(np.float32)
    y = plan.run(x)[0]
    for row in (0, 1, 77, 4098):
        assert np.array_equal(plan.run(x[row : row + 1])[0], y[row : row + 1])


def test_rows_that_are_pages_apart(isa, rng, threads, batch_invariant):
    """A large batch of them is copied to where they are not."""
    kernel = rng.normal(size=(1024, 150)).astype(np.float32)
    x = rng.normal(size=(150, 1024)).astype(np.float32)
    plan = _kernels.Plan("float32", (1024,))
    plan.finish(plan.dense(0, 1, *numbers(plan, kernel, None)), (150,))
    y = plan.run(x)[0]
    assert np.all(np.abs(y - reference.dense(x, kernel)) <= dot_bound(x, kernel, np.float32))
    for row in (0, 77, 149):
        assert np.array_equal(plan.run(x[row : row + 1])[0], y[row : row + 1])
    for count in (1, 2, 3, 8):
        threads(count)
        assert np.array_equal(plan.run(x)[0], y)


def test_dropout_does_not_depend_on_threads(rng, threads):
    plan = _kernels.Plan("float32", (37, 11))
    plan.finish(plan.dropout(0, 0.5, (37, 11), (37, 11), False), (37, 11))
    x = rng.normal(size=(2003, 37, 11)).astype(np.float32)
    threads(1)
    one = plan.run(x, streams=[(3, 4)])[0]
    threads(4)
    assert np.array_equal(plan.run(x, streams=[(3, 4)])[0], one)
    threads(1)
    assert not np.array_equal(plan.run(x, streams=[(3, 5)])[0], one)


def test_a_branch_keeps_the_unfused_product(isa, rng):
    """The activation of a product that something else reads later is a step of its own."""
    kernel = rng.normal(size=(6, 6)).astype(np.float32)
    plan = _kernels.Plan("float32", (6,))
    product = plan.dense(0, 1, plan.weight(kernel))
    plan.act(product, "relu")
    plan.finish(product, (6,))
    x = rng.normal(size=(9, 6)).astype(np.float32)
    y = plan.run(x)[0]
    assert np.all(np.abs(y - reference.dense(x, kernel)) <= dot_bound(x, kernel, np.float32))
    assert (y < 0).any()


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_stacks_of_steps(data):
    """Random stacks of moving and computing steps: the arena never mixes two values up."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    batch = data.draw(st.sampled_from([1, 2, 5, 33]))
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=3)))
    x = rng.normal(size=(batch, *shape))
    plan = _kernels.Plan("float64", shape)
    value, y = 0, x
    for _ in range(data.draw(st.integers(0, 6))):
        step = data.draw(st.sampled_from(["dense", "relu", "permute", "softmax", "prelu", "flat"]))
        if step == "dense":
            kernel = rng.normal(size=(shape[-1], data.draw(st.integers(1, 20))))
            value = plan.dense(value, int(np.prod(shape[:-1])), plan.weight(kernel))
            y = y @ kernel
        elif step == "relu":
            value = plan.act(value, "relu")
            y = np.maximum(y, 0)
        elif step == "permute":
            axes = tuple(data.draw(st.permutations(range(len(shape)))))
            value = plan.permute(value, shape, axes)
            y = y.transpose(0, *(a + 1 for a in axes))
        elif step == "softmax":
            value = plan.softmax(value, shape[-1])
            y = np.exp(y - y.max(axis=-1, keepdims=True))
            y /= y.sum(axis=-1, keepdims=True)
        elif step == "prelu":
            alpha = rng.normal(size=shape[-1])
            value = plan.prelu(value, plan.weight(alpha))
            y = reference.prelu(y, alpha)
        else:
            y = y.reshape(batch, int(np.prod(shape)), 1)
        shape = y.shape[1:]
    plan.finish(value, shape)
    np.testing.assert_allclose(plan.run(x)[0], y, rtol=1e-9, atol=1e-9)


def test_an_empty_plan_copies(rng):
    plan = _kernels.Plan("int16", (3, 4))
    plan.finish(0, (12,))
    x = rng.integers(0, 99, (5, 3, 4)).astype("int16")
    y = plan.run(x)[0]
    assert np.array_equal(y, x.reshape(5, 12))
    assert not np.shares_memory(x, y)


def test_out_is_filled_and_returned(rng):
    plan, exact = chain(rng, (8, 5))
    x = rng.normal(size=(4, 8)).astype(np.float32)
    out = np.empty((4, 5), np.float32)
    assert plan.run(x, out)[0] is out
    np.testing.assert_allclose(out, exact(x), atol=1e-6)


def test_out_may_be_the_input(rng):
    plan, _ = chain(rng, (8, 8))
    x = rng.normal(size=(40, 8)).astype(np.float32)
    expected = plan.run(x)[0]
    memory = np.concatenate([x, np.zeros((1, 8), np.float32)])
    shifted = plan.run(memory[:40], memory[1:])[0]
    assert np.array_equal(shifted, expected)
    assert plan.run(x, x)[0] is x
    assert np.array_equal(x, expected)


@pytest.mark.parametrize(
    ("out", "error"),
    [
        ([1.0], TypeError),
        (np.empty((4, 5)), ValueError),
        (np.empty((4, 6), np.float32), ValueError),
        (np.empty((3, 5), np.float32), ValueError),
        (np.empty((5, 4), np.float32).T, ValueError),
        (np.empty((4, 10), np.float32)[:, ::2], ValueError),
        (np.frombuffer(bytes(80), np.float32).reshape(4, 5), ValueError),
    ],
)
def test_out_that_does_not_fit(rng, out, error):
    plan, _ = chain(rng, (8, 5))
    with pytest.raises(error, match="out"):
        plan.run(np.zeros((4, 8), np.float32), out)


def test_an_input_that_does_not_fit(rng):
    plan, _ = chain(rng, (8, 5))
    for x in (
        np.zeros((4, 7), np.float32),
        np.zeros((4, 8)),
        np.zeros((8, 4), np.float32).T,
        [1.0],
    ):
        with pytest.raises(ValueError, match="a plan for"):
            plan.run(x)


@pytest.mark.parametrize(
    "step",
    [
        lambda plan: plan.dense(0, 1, plan.weight(np.zeros((7, 3), np.float32))),
        lambda plan: plan.dense(0, 2**61, plan.weight(np.zeros((8, 3), np.float32))),
        lambda plan: plan.dense(0, -1, plan.weight(np.zeros((8, 3), np.float32))),
        lambda plan: plan.act(1, "relu"),
        lambda plan: plan.softmax(0, 3),
        lambda plan: plan.masking(0, -2, -4, 0.0),
        lambda plan: plan.dropout(0, 0.5, (8,), (4,), False),
        lambda plan: plan.dropout(0, 0.5, (8, 2**62), (8, 2**62), False),
        lambda plan: plan.permute(0, (3, 3), (1, 0)),
        lambda plan: plan.permute(0, (2, 4), (1, 1)),
        lambda plan: plan.permute(0, (2, 4), (1, 2)),
        lambda plan: plan.repeat(0, 8, -1),
        lambda plan: plan.finish(0, (9,)),
        lambda plan: plan.finish(7, (8,)),
        lambda plan: plan.finish(0, (8,), 0, (8,)),
        lambda plan: plan.act(plan.masking(0, 4, 2, 0.0)[1], "relu"),
    ],
)
def test_steps_that_do_not_fit(step):
    with pytest.raises(ValueError, match="does not fit"):
        step(_kernels.Plan("float32", (8,)))


def test_steps_with_wrong_axes():
    plan = _kernels.Plan("float32", (8,))
    for shape, other in (((2, 4), (1,)), ((1,) * 64 + (8,), (1,) * 64 + (8,))):
        with pytest.raises(ValueError, match="at most 64 axes"):
            plan.dropout(0, 0.5, shape, other, False)
        with pytest.raises(ValueError, match="at most 64 axes"):
            plan.permute(0, shape, other)


@pytest.mark.parametrize("axes", [31, 40, 64])
def test_steps_of_many_axes(rng, axes):
    """More than a NumPy array on either side of the plan has: reshapes lie between."""
    shape = (1,) * (axes - 2) + (4, 2)
    x = rng.normal(size=(3, 8)).astype(np.float32)
    plan = _kernels.Plan("float32", (8,))
    value = plan.permute(0, shape, tuple(reversed(range(axes))))
    value = plan.dropout(value, 0.5, shape, (1,) * axes, False)
    y = plan.finish(value, (8,)).run(x, streams=[(5, 6)])[0]
    moved = x.reshape(3, 4, 2).transpose(0, 2, 1).reshape(3, 8)
    np.testing.assert_array_equal(y, reference.dropout(moved, 0.5, 5, 6, (3, 1)))


def test_values_beyond_any_memory():
    with pytest.raises(MemoryError):
        _kernels.Plan("float32", (2**47,))
    plan = _kernels.Plan("float32", (8,))
    for times in (2**44, 2**59, 2**60, 2**62, 2**63 - 1):
        with pytest.raises(MemoryError):
            plan.repeat(0, 8, times)
    empty = _kernels.Plan("float32", (0,))
    with pytest.raises(MemoryError):
        empty.dense(0, 2**62, empty.weight(np.zeros((0, 4), np.float32)))


def test_a_finished_plan_takes_no_more_steps():
    plan = _kernels.Plan("float32", (8,)).finish(0, (8,))
    for step in (lambda: plan.act(0, "relu"), lambda: plan.finish(0, (8,))):
        with pytest.raises(ValueError, match="finished"):
            step()


@pytest.mark.parametrize("dtype", ["int8", "int32", "complex64", "complex128", "float16"])
def test_only_reals_are_computed(dtype):
    plan = _kernels.Plan(dtype, (8,))
    with pytest.raises(TypeError, match="computes float32 or float64"):
        plan.act(0, "relu")
    with pytest.raises(TypeError, match="computes float32 or float64"):
        plan.dense(0, 1, plan.weight(np.zeros((8, 3), dtype)))


@pytest.mark.parametrize("dtype", ["O", "S3", "U2", "V12"])
def test_only_numbers_are_moved(dtype):
    with pytest.raises(TypeError, match="takes numbers"):
        _kernels.Plan(dtype, (8,))


@pytest.mark.parametrize("batch", [100, 700])
def test_many_python_threads_run_one_plan(rng, threads, batch):
    """More than can share out their calls at once."""
    threads(3)
    plan, _ = chain(rng, (32, 200, 10))
    x = rng.normal(size=(batch, 32)).astype(np.float32)
    expected = plan.run(x)[0]
    wrong = []

    def work():
        for _ in range(30):
            if not np.array_equal(plan.run(x)[0], expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def _child(plan, x, calls, queue):
    for _ in range(calls):
        result = plan.run(x)[0].sum()
    queue.put(result)


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, where a test before loaded it
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(("batch", "calls"), [(8, 100), (3000, 1)])
def test_a_fork_after_use_runs_and_does_not_hang(rng, threads, batch, calls):
    threads(2)
    plan, _ = chain(rng, (64, 256, 256, 10))
    x = rng.normal(size=(batch, 64)).astype(np.float32)
    for _ in range(calls):
        expected = plan.run(x)[0].sum()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(plan, x, calls, queue))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(60)
    assert child.exitcode == 0


def test_tiers_and_threads_are_checked():
    with pytest.raises(ValueError, match="possible here: baseline"):
        _kernels.use_isa("avx1024")
    with pytest.raises(ValueError, match="at least 1"):
        _kernels.set_num_threads(0)


class Model(_kernels.Callable):
    """Counts the calls that leave the fast path."""

    def __init__(self):
        self.slow = 0

    def _call(self, *args, **kwargs):
        self.slow += 1


def test_the_fast_path_takes_what_fits_and_nothing_else(rng):
    plan, exact = chain(rng, (8, 5))
    model = Model()
    x = rng.normal(size=(4, 8)).astype(np.float32)
    assert model(x) is None
    model._install(plan, _kernels.epoch())
    np.testing.assert_allclose(model(x), exact(x), atol=1e-6)
    out = np.empty((4, 5), np.float32)
    assert model(x, out=out) is out
    assert model.slow == 1
    swapped = x.astype(">f4")
    others = [
        x.astype(float),
        x[:, ::-1],
        x.tolist(),
        x[:, :7],
        np.asfortranarray(x),
        swapped,
        x[0],
    ]
    for other in others:
        assert model(other) is None
    model(x, training=True)
    model(x, None)
    assert model.slow == 3 + len(others)


def test_the_fast_path_ends_when_a_weight_changes_or_a_user_function_runs(rng):
    plan, _ = chain(rng, (8, 5))
    model = Model()
    model._install(plan, _kernels.epoch())
    x = np.zeros((1, 8), np.float32)
    _kernels.enter_scope()
    assert model(x) is None
    _kernels.leave_scope()
    assert model(x) is not None
    seen = _kernels.epoch()
    _kernels.bump_epoch()
    assert model(x) is None
    model._install(plan, seen)  # compiled before the change
    assert model(x) is None
    model._install(plan, _kernels.epoch())
    assert model(x) is not None
    model._uninstall()
    assert model(x) is None
