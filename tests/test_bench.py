"""The benchmark suite: its protocol, its checks, its statistics, its command line."""

import json
import subprocess
import sys

import numpy as np
import pytest
import reference

from coreops import _exit, _kernels, cli
from coreops.bench import results, suite, table, targets, worker
from coreops.bench.cases import Activation, Case, Dense, Dropout
from coreops.bench.catalogue import all_cases, select
from coreops.bench.exact import Judge
from coreops.bench.images import Conv, Depthwise, Flatten, Normalize, Pool
from coreops.bench.load import busy, usable_cores
from coreops.bench.peers import PEERS, CannotDo, Peer, fastest
from coreops.bench.peers import coreops as ours
from coreops.bench.peers import numpy as by_hand
from coreops.bench.peers.roof_bytes import copier, reader
from coreops.bench.processes import Failed, Worker
from coreops.bench.results import Row, Run, Timing, compare, timing
from coreops.bench.training import Network

SMALL = Case("small", "dense", (3, 5), (Dense(4, "relu"),))
LAYERS = (Dense(128, "relu"), Dropout(0.2), Dense(3, "softmax"))
LEARNING = Case("learning", "training", (16, 64), LAYERS, training=True)
ON_IMAGES = (
    Conv(4),
    Depthwise(strides=2),
    Pool(),
    Conv(5, 1, activation=None),
    Normalize(),
    Pool(2, average=True),
    Flatten(),
)
IMAGES = Case("pixels", "training", (4, 11, 9, 3), (*ON_IMAGES, Dense(3, "softmax")), training=True)
FAST = suite.Effort(2, 0.001)


def fake(name):
    return Peer(f"bench_peers.{name}")


# ------------------------------------------------------------------------- the roofline's kernels


@pytest.mark.parametrize(("n", "a", "b"), [(0, 0, 1), (1, 0, 1), (3, 0.5, 0.25), (100, 0.75, -2)])
def test_peak_fma(isa, dtype, n, a, b):
    lanes = _kernels.peak_fma(1, dtype=dtype) / 12
    assert lanes in (1, 2, 4, 8, 16)
    got = _kernels.peak_fma(n, a, b, dtype=dtype)
    assert got == pytest.approx(reference.peak_fma(n, a, b, dtype, lanes), rel=1e-5)


@pytest.mark.parametrize("n", [0, 1, 7, 48, 95, 96, 97, 191, 192, 193, 1000])
def test_peak_read(isa, dtype, rng, n):
    x = rng.normal(size=n).astype(dtype)
    for place in {0, n // 2, max(0, n - 1)} if n else ():
        x[place] = 10
        assert _kernels.peak_read(x, 3) == 10
        x[place] = -10
    assert _kernels.peak_read(x) == (x.max() if n else -np.inf)


@pytest.mark.parametrize("x", [np.zeros(3, np.int32), np.zeros((4, 4), np.float32)[:, 1]])
def test_peak_read_takes_contiguous_reals(x):
    with pytest.raises(TypeError, match="contiguous"):
        _kernels.peak_read(x)


@pytest.mark.parametrize("count", [4, 4096, 100_000])
def test_copier_and_reader_work(count):
    copier(count, 3)()
    assert reader(count, 2)() > -np.inf


# ------------------------------------------------------------------------ cases and their results


def test_cases_have_names_of_their_own():
    names = [case.name for case in all_cases()]
    assert len(names) == len(set(names))
    assert max(map(len, names)) <= 42  # the tables' first column


def test_work_of_a_case():
    case = Case("c", "mlp", (8, 3), (Dense(5, "relu"), Dense(2)))
    assert case.out_shape == (8, 2)
    assert case.flops == 2 * 8 * (3 * 5 + 5 * 2)
    assert case.weight_bytes == 4 * (4 * 5 + 6 * 2)
    assert case.bytes == 4 * (8 * 3 + 8 * 2) + case.weight_bytes


def test_work_of_a_step_of_training():
    assert LEARNING.flops == 3 * 2 * 16 * (64 * 128 + 128 * 3)
    assert LEARNING.needed_flops == LEARNING.flops - 2 * 16 * 64 * 128
    assert SMALL.needed_flops == SMALL.flops
    assert LEARNING.bytes == 4 * 16 * 64 + 6 * LEARNING.weight_bytes
    assert LEARNING.random
    assert not LEARNING.without_dropout().random
    assert set(LEARNING.labels()) <= {0, 1, 2}
    np.testing.assert_array_equal(LEARNING.labels(), LEARNING.without_dropout().labels())


def test_arrays_are_the_same_every_time():
    (x1, w1), (x2, w2) = SMALL.arrays(), SMALL.arrays()
    np.testing.assert_array_equal(x1, x2)
    np.testing.assert_array_equal(w1[0][0], w2[0][0])


def test_selection():
    assert {case.group for case in select(["masking"])} >= {"masking", "mlp"}
    assert [case.name for case in select(["dense 1x784x512"])] == ["dense 1x784x512"]
    assert select(["nothing of this name"]) == []


SIZES = [
    case for case in all_cases() if case.flops < 1e8 and case.bytes < 4e6 and not case.training
]


@pytest.mark.parametrize("case", SIZES, ids=lambda case: case.name)
def test_numpy_by_hand_is_right(case):
    """Which says as much about the bounds: float32 keeps within them."""
    x, weights = case.arrays()
    before = x.copy()
    try:
        built = by_hand.build(case, x, weights)
    except CannotDo:
        assert "gelu" in case.name or case.group in ("images", "lstm")
        return
    for _ in range(2):
        assert Judge(case, x, weights)(np.array(built.read(built.call()))).fault is None
    np.testing.assert_array_equal(x, before)


def rounded(a, bits):
    """a with that many bits of mantissa."""
    mantissa, exponent = np.frexp(a)
    return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent)


def test_bounds_know_the_precision():
    x, weights = SMALL.arrays()
    ((kernel, bias),) = weights
    y = {bits: np.maximum(rounded(x, bits) @ rounded(kernel, bits) + bias, 0) for bits in (8, 16)}

    def fault(precision, y):
        return Judge(Case("small", "dense", (3, 5), SMALL.steps, precision), x, weights)(y).fault

    assert fault("medium", y[8]) is None
    assert fault("high", y[16]) is None
    assert "off by" in fault("highest", y[16])
    assert "off by" in fault("high", y[8])


@pytest.mark.parametrize("change", [np.nan, np.inf, 0.001])
def test_judge_finds_one_wrong_element(change):
    x, weights = SMALL.arrays()
    y = np.array(by_hand.build(SMALL, x, weights).call())
    y[2, 3] += change
    assert "off by" in Judge(SMALL, x, weights)(y).fault
    assert "shape" in Judge(SMALL, x, weights)(y[:2]).fault


def test_judge_of_dropout():
    case = Case("d", "dropout", (100, 100), (Dropout(0.3),))
    x, _ = case.arrays()
    judge, keep = Judge(case, x, []), np.random.default_rng(1).random(x.shape) >= 0.3
    y = np.where(keep, x / np.float32(0.7), np.float32(0))
    assert judge(y).fault is None
    assert "kept" in judge(x / np.float32(0.7)).fault
    assert "off by" in judge(np.where(keep, x, np.float32(0))).fault


# --------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("case", [LEARNING.without_dropout(), IMAGES], ids=["dense", "images"])
def test_the_network_by_hand_has_the_right_gradients(case):
    """After one step the first moments are a tenth of them; in float64, a central difference with
    h = 1e-6 is good to h^2 and to eps / h."""
    x, weights = case.arrays()
    x = x.astype(np.float64)
    network = Network(case, weights, np.float64)

    def loss_at(number, place, h):
        network.reset()
        network._weights[number][place] += h
        return network.step(x, case.labels())

    for number in range(len(network._weights)):
        for place in [(0,) * network._weights[number].ndim, (-1,) * network._weights[number].ndim]:
            slope = (loss_at(number, place, 1e-6) - loss_at(number, place, -1e-6)) / 2e-6
            network.reset()
            network.step(x, case.labels())
            assert network._means[number][place] * 10 == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("case", "peer"),
    [
        *(
            (case, peer)
            for case in (LEARNING, LEARNING.without_dropout())
            for peer in (by_hand, ours)
        ),
        (IMAGES, ours),
    ],
)
def test_training_is_right_and_begins_anew(case, peer):
    x, weights = case.arrays()
    session = worker.Session(peer)
    session.load(case, x, weights)
    judge = Judge(case, x, weights)
    for _ in range(2):
        assert judge(session.result()).fault is None
        assert session.time(0.001) > 0


def test_judge_of_training():
    case, (x, weights) = LEARNING.without_dropout(), LEARNING.arrays()
    network = Network(case, weights)
    y = np.array([network.step(x, case.labels()) for _ in range(10)])
    judge = Judge(case, x, weights)
    assert judge(y).fault is None
    for place, change in [(0, 3e-4), (4, -3e-4), (2, np.nan)]:
        wrong = y.copy()
        wrong[place] += change
        assert "losses are off" in judge(wrong).fault
    case, (x, weights) = IMAGES, IMAGES.arrays()
    judge = Judge(case, x, weights)
    for place, change, right in [(0, 3e-4, False), (4, 3e-4, True), (4, 3e-2, False)]:
        y = judge.losses.copy()
        y[place] += change
        assert (judge(y).fault is None) == right
    x, weights = LEARNING.arrays()
    judge = Judge(LEARNING, x, weights)
    assert judge(np.linspace(2, 1, 10)).fault is None
    assert judge(np.full(10, 1.0)).fault == "the loss goes from 1 to 1"
    assert "nan" in judge(np.full(10, np.nan)).fault


# ------------------------------------------------------------------------------------ the workers


def test_a_worker_answers():
    x, weights = SMALL.arrays()
    with Worker(PEERS["numpy"]) as worker:
        assert np.__version__ in worker.version
        assert worker.ask("load", SMALL, x, weights) in ("dot", "matmul")
        assert Judge(SMALL, x, weights)(worker.ask("result")).fault is None
        assert 0 < worker.ask("time", 0.002) < 0.1
        assert all(t > 0 for t in worker.ask("each", 0.002))
        with pytest.raises(Failed, match="AttributeError"):
            worker.ask("nonsense")
        assert worker.alive
        gelu = Case("g", "activation", (2, 2), (Activation("gelu"),))
        with pytest.raises(CannotDo, match="gelu"):
            worker.ask("load", gelu, *gelu.arrays())
    assert not worker.alive


def test_a_worker_fails_politely():
    with Worker(fake("limited")) as worker:
        with pytest.raises(CannotDo, match="no layers"):
            worker.ask("load", SMALL, *SMALL.arrays())
        with pytest.raises(Failed, match=r"^RuntimeError: first line$"):
            worker.ask("load", Case("none", "mlp", (1, 1)), None, [])


def test_a_worker_without_an_answer_is_ended():
    with Worker(fake("limited"), patience=5) as worker:
        worker._patience = 0.2
        with pytest.raises(Failed, match="no answer to 'load'"):
            worker.ask("load", Case("sleep", "mlp", (1, 1)), None, [])
        assert not worker.alive


def test_a_library_that_cannot_be_imported():
    with pytest.raises(Failed, match="ImportError: no such library"):
        Worker(fake("absent"))


def test_importing_the_suite_imports_no_peer():
    program = (
        "import sys, coreops.bench.suite, coreops.bench.command, coreops.cli\n"
        "print({m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peers = {"torch", "onnx", "onnxruntime", "openvino", "jax", "keras", "tensorflow", "matplotlib"}
    assert not peers & eval(done.stdout)


def test_fastest_takes_the_way_that_works():
    def no():
        raise RuntimeError("not this one")

    def slow():
        return by_hand.Built(lambda: sum(range(10_000)))

    def quick():
        return by_hand.Built(lambda: 1)

    assert fastest({"no": no, "slow": slow, "quick": quick}).how == "quick"
    with pytest.raises(RuntimeError, match="not this one"):
        fastest({"no": no})


# ------------------------------------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def team():
    peers = {"coreops": PEERS["coreops"], "numpy": PEERS["numpy"]}
    peers |= {name: fake(name) for name in ("wrong", "dies", "absent", "limited")}
    team = suite.Team(peers, 1)
    yield team
    team.close()


def test_misbehaving_libraries_are_told_and_not_timed(team):
    rows = [team.measure(SMALL, FAST) for _ in range(3)]
    for row in rows:
        assert set(row.times) == {"coreops", "numpy"}
        assert all(0 < t.low <= t.median <= t.high for t in row.times.values())
        assert row.left_out["wrong"].startswith("wrong: off by")
        assert row.left_out["absent"].startswith("does not start: ImportError")
        assert row.left_out["limited"] == "cannot: no layers"
        assert set(row.roof) == {"flops", "bytes"}
        assert 0 < row.share < 1.5
    assert rows[0].left_out["dies"] == "failed: its process died (3): last words"
    assert "died 2 times" in rows[2].left_out["dies"]
    assert "dies: died" in table.line(rows[2])


def test_training_is_checked_without_dropout_first(team):
    row = team.measure(LEARNING, FAST)
    assert set(row.times) == {"coreops", "numpy"}
    assert row.left_out["wrong"].startswith("wrong: losses are off by")
    assert row.left_out["limited"] == "cannot: it does not train"
    assert row.limit == "flops"


def test_nobody_but_numpy():
    assert list(suite.chosen_peers([])) == ["coreops", "numpy"]
    with pytest.raises(ValueError, match="there are coreops, numpy"):
        suite.chosen_peers(["nonsense"])
    missing = [name for name, peer in PEERS.items() if not peer.installed()]
    for name in missing:
        with pytest.raises(ValueError, match="pip install"):
            suite.chosen_peers([name])


def test_a_run_with_a_loaded_case():
    case = Case("l", "load", (4, 8), (Dense(4, "relu"),), loaded=True)
    seen = []
    run = suite.run(
        [case],
        suite.chosen_peers([]),
        [1],
        FAST,
        {},
        lambda run: seen.append(run.peaks),
        seen.append,
    )
    assert seen == [run.peaks, run.rows[0]]
    assert run.peaks["flops"] > 1e8
    for time in run.rows[0].times.values():
        for median, late in (time.load["quiet"], time.load["busy"]):
            assert 0 < median <= late


def test_the_machine_is_busy_for_a_while_only(monkeypatch):
    started = []

    class Seen(subprocess.Popen):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Seen)
    with busy(usable_cores()):
        assert len(started) == len(usable_cores())
        assert all(process.poll() is None for process in started)
    assert all(process.poll() is not None for process in started)


# ------------------------------------------------------------------------------------- the figures


def row(name="c", ours=2.0, numpy=4.0, threads=1, **others):
    times = {"coreops": ours, "numpy": numpy, **others}
    row = Row(name, "dense", threads, 2_000_000_000, 4_000_000_000)
    row.times = {k: timing([v]) for k, v in times.items() if v is not None}
    row.roof = {"flops": 1.0, "bytes": 0.5}
    return row


def test_medians_and_quartiles():
    assert timing([3, 1, 2, 5, 4], 0.5, "x") == Timing(3, 2, 4, 0.5, "x")
    assert timing([7]) == Timing(7, 7, 7)


def test_ratios_of_a_row():
    r = row(jax=3.0)
    assert r.best == ("jax", timing([3.0]))
    assert (r.against("best"), r.against("numpy"), r.against("torch")) == (1.5, 2.0, None)
    assert (r.limit, r.share) == ("flops", 0.5)
    assert table.rate(r) == "1.0 GFLOP/s"
    alone = row(numpy=None)
    assert (alone.best, alone.against("best")) == (None, None)
    nobody = row(ours=None)
    assert (nobody.ours, nobody.against("best"), nobody.share) == (None, None, None)
    for r in (row(), alone, nobody):
        assert r.case in table.line(r)


def test_times_are_written_with_three_figures():
    assert [table.seconds(t) for t in (1.234e-7, 1.234e-5, 0.0123456, 12.3456)] == [
        "0.123 us",
        "12.3 us",
        "12.3 ms",
        "12.3 s",
    ]


def run_of(*rows):
    return Run(
        {"coreops": "0", "tier": "avx2", "cpu": "c", "cores": 1, "platform": "p"},
        {"coreops": "0", "numpy": "2"},
        {"flops": 1e11, "read": {"8": 1e11}, "copy": {"8": 1e11}},
        {"rounds": 1, "slice": 0.1},
        list(rows),
    )


def test_the_file_keeps_everything():
    loaded = row("busy")
    loaded.times["coreops"].load = {"quiet": [1.0, 2.0], "busy": [3.0, 4.0]}
    loaded.left_out["torch"] = "cannot: x"
    run = run_of(row(), loaded)
    text = run.dump()
    assert Run.parse(text) == run
    content = json.loads(text)
    assert content["format"] == results.FORMAT
    assert set(content) == {"format", "machine", "peers", "peaks", "settings", "rows"}
    assert set(content["rows"][0]["times"]["numpy"]) == {
        *("median", "low", "high", "error", "how", "load")
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 0}', '{"format": 1}', '{"format": 1, "rows": [1]}']
)
def test_other_files_are_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Run.parse(text)


def test_two_runs_compare_by_their_ratios():
    """Not by their times: the second machine is ten times as fast."""
    old = run_of(row("same"), row("worse"), row("gone"), row("alone", numpy=None))
    new = run_of(
        row("same", 0.2, 0.41), row("worse", 0.2, 0.3), row("new"), row("alone", 2.5, None)
    )
    found = {change.case: change for change in compare(old, new)}
    assert set(found) == {"same", "worse", "alone"}
    assert found["same"].ratio == pytest.approx(2.05 / 2)
    assert not found["same"].slower
    assert found["worse"].slower
    assert found["alone"].yardstick == "limit"
    assert found["alone"].slower
    text = table.changes(list(found.values())).splitlines()
    assert [line.split()[0] for line in text if line.endswith("slower")] == ["worse", "alone"]


@pytest.mark.parametrize("tier", ["avx512", "amx"])
def test_every_target_can_be_shown_by_one_run(tier):
    rows = []
    for case in all_cases():
        for threads in (1, 2):
            r = row(case.name, 2.0 / threads, 4.0, threads)
            r.group, r.bytes = case.group, case.bytes
            r.times["coreops"].load = {"quiet": [1.0, 1.0], "busy": [2.0, 20.0]}
            r.times["coreops"].error = r.times["numpy"].error = 1e-7
            rows.append(r)
    for target in targets.targets(tier):
        assert target.reached(rows) is not None, target.text
        assert target.reached([]) is None
    report = targets.report(rows, tier)
    assert "not reached" in report
    assert "  reached" in report


def test_tables_hold_every_row():
    rows = [row("one", jax=1.0), row("two")]
    assert "behind" in table.means(rows)
    assert "one" in table.everyone(run_of(*rows))
    assert table.loaded(rows) == ""


# -------------------------------------------------------------------------------- the command line


def bench(*arguments):
    return cli.main(["bench", *map(str, arguments)])


def test_a_short_run(tmp_path, capsys):
    kept = tmp_path / "kept.json"
    arguments = ("identity", "--peers", "numpy", "--threads", "1", "--quick")
    assert bench(*arguments, "--json", kept) == 0
    text = capsys.readouterr().out
    assert "identity, 16 floats" in text
    assert "GFLOP/s" in text
    run = Run.parse(kept.read_text())
    (found,) = run.rows
    assert found.ours is not None
    found.times["numpy"].median *= 1000  # as if coreops had been much faster
    kept.write_text(run.dump())
    assert bench(*arguments, "--compare", kept) == _exit.FAILED
    captured = capsys.readouterr()
    assert captured.out.rstrip().endswith("slower")
    assert "1 case is slower than in" in captured.err


def test_the_list(capsys):
    assert bench("--list") == 0
    text = capsys.readouterr().out
    assert all(name in text for name in PEERS)
    assert "dense 1x784x512" in text


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["no such case"], _exit.USAGE, "no case is called no such case"),
        (["--peers", "nonsense"], _exit.USAGE, "no library 'nonsense'"),
        (["--picture", "x.gif"], _exit.USAGE, ".svg or .png"),
        (["--compare", "/no/such/file"], _exit.NO_FILE, "cannot read /no/such/file"),
        (["--compare", __file__], _exit.BAD_INPUT, "test_bench.py: "),
    ],
)
def test_complaints(capsys, monkeypatch, arguments, code, told):
    monkeypatch.setattr(suite, "run", None)  # nothing is measured
    assert bench(*arguments) == code
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--threads", "0"], ["--time", "x"], ["--time", "1", "--quick"]]
)
def test_usage(arguments):
    with pytest.raises(SystemExit) as stop:
        bench(*arguments)
    assert stop.value.code == _exit.USAGE


def test_a_library_that_is_not_installed(capsys, monkeypatch):
    monkeypatch.setitem(PEERS, "torch", Peer("torch", ("no_such_module",), "torch"))
    assert bench("identity", "--peers", "torch") == _exit.NEEDS_PACKAGE
    assert "pip install torch" in capsys.readouterr().err


def test_a_file_that_cannot_be_written(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(suite, "run", lambda *arguments: run_of(row()))
    assert bench("identity", "--json", tmp_path / "no" / "x.json") == _exit.CANNOT_WRITE
    assert "cannot write" in capsys.readouterr().err


def test_wrong_results_of_coreops_are_a_failure(capsys, monkeypatch):
    monkeypatch.setattr(suite, "run", lambda *arguments: run_of(row(ours=None)))
    assert bench("identity") == _exit.FAILED
    assert "no right result for: c" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture(monkeypatch, tmp_path, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"x.{ending}"
    monkeypatch.setattr(
        suite, "run", lambda *arguments: run_of(row(jax=1.0), row("two"), row("three", numpy=None))
    )
    assert bench("identity", "--picture", path) == 0
    assert path.stat().st_size > 1000


def test_a_picture_without_matplotlib(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert bench("identity", "--peers", "", "--picture", "x.svg") == _exit.NEEDS_PACKAGE
    assert "matplotlib" in capsys.readouterr().err
