"""What is decided at import: the tier, the threads, and how little is loaded."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import coreops
from coreops import _kernels, _threads

ELSEWHERE = os.path.dirname(sys.executable)  # outside of any checkout


def python(code, *flags, cwd=ELSEWHERE, **env):
    """Runs code in a new process."""
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        cwd=cwd,
        timeout=120,
    )


@pytest.mark.parametrize("tier", _kernels.tiers())
def test_the_environment_caps_the_tier(tier):
    code = "import coreops; print(coreops.runtime_info()['tier'])"
    assert python(code, COREOPS_ISA=tier).stdout.strip() == tier


def test_an_unknown_tier_is_an_error_that_lists_the_possible_ones():
    result = python("import coreops", COREOPS_ISA="avx9000")
    assert result.returncode != 0
    assert "ValueError: COREOPS_ISA='avx9000'" in result.stderr
    assert ", ".join(_kernels.tiers()) in result.stderr


def test_the_environment_sets_the_threads():
    code = "import coreops; print(coreops.get_num_threads())"
    assert python(code, OMP_NUM_THREADS="3").stdout.strip() == "3"
    assert python(code, OMP_NUM_THREADS="5,2").stdout.strip() == "5"
    assert int(python(code, OMP_NUM_THREADS="9" * 20).stdout) >= 1  # OpenMP ignores it too


def test_by_default_the_threads_are_what_affinity_and_quota_leave(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(_kernels, "processors", lambda: 12)
    quotas = {"/sys/fs/cgroup/cpu.max": "250000 100000\n"}
    monkeypatch.setattr(_threads, "_read", lambda path: quotas.get(path, ""))
    assert _threads.default_threads() == 2
    quotas["/sys/fs/cgroup/cpu.max"] = "max 100000\n"
    assert _threads.default_threads() == 12
    quotas["/sys/fs/cgroup/cpu.max"] = "50000 100000\n"
    assert _threads.default_threads() == 1
    quotas["/proc/self/cgroup"] = "0::/user.slice/own.scope\n"
    quotas["/sys/fs/cgroup/cpu.max"] = "400000 100000\n"
    assert _threads.default_threads() == 4
    quotas["/sys/fs/cgroup/user.slice/cpu.max"] = "300000 100000\n"
    quotas["/sys/fs/cgroup/user.slice/own.scope/cpu.max"] = "max 100000\n"
    assert _threads.default_threads() == 3
    quotas.clear()
    quotas["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "-1\n"
    quotas["/sys/fs/cgroup/cpu/cpu.cfs_period_us"] = "100000\n"
    assert _threads.default_threads() == 12


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_bad_thread_counts(n, error):
    with pytest.raises(error, match="set_num_threads"):
        coreops.set_num_threads(n)


def test_import_loads_numpy_and_little_else():
    code = (
        "import sys, numpy; before = set(sys.modules); import coreops; "
        "print(*sorted(m for m in set(sys.modules) - before if not m.startswith('coreops')))"
    )
    result = python(code)
    assert result.returncode == 0, result.stderr
    heavy = {"h5py", "zipfile", "argparse", "keras", "multiprocessing", "asyncio", "subprocess"}
    if any(type(finder).__name__ == "ScikitBuildRedirectingFinder" for finder in sys.meta_path):
        heavy.remove("subprocess")  # with it an editable installation rebuilds the kernels
    assert not heavy & {name.split(".")[0] for name in result.stdout.split()}


def test_runtime_info_says_what_runs(capsys):
    info = coreops.runtime_info()
    assert info["tier"] in info["tiers"]
    assert info["numpy"] == np.__version__
    coreops.show_runtime()
    printed = capsys.readouterr().out
    assert all(name in printed for name in info)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="nothing tells where threads are")
def test_where_openmp_binds_threads_a_worker_has_a_place_of_its_own():
    code = (
        "import os, numpy, coreops\n"
        "x = numpy.ones((1000, 512), numpy.float32)\n"
        "for _ in range(20): coreops.activations.tanh(x)\n"
        "print(coreops.get_num_threads(), end=' ')\n"
        "print(*(os.sched_getaffinity(int(t)) for t in os.listdir('/proc/self/task')))"
    )
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        first, second = cores[:2]
        places = f"{{{first}}},{{{second}}}"
        result = python(code, OMP_PLACES=places, OMP_NUM_THREADS="", OPENBLAS_NUM_THREADS="1")
        assert result.stdout.strip() == f"2 {{{first}}} {{{second}}}", result.stderr


def test_workers_take_no_signals():
    code = (
        "import os, signal, numpy, coreops\n"
        "x = numpy.ones((1000, 512), numpy.float32)\n"
        "for _ in range(20): coreops.activations.tanh(x)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
        "print(signal.sigwait([signal.SIGUSR1]).name)"
    )
    result = python(code, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="1")  # its threads take them
    assert result.stdout.strip() == "SIGUSR1", result.returncode


def test_version_is_the_distribution_s():
    from importlib.metadata import version

    assert coreops.__version__ == coreops.version() == version("coreops")


def test_a_checkout_uses_the_installed_kernels(tmp_path):
    source = os.path.join(os.path.dirname(os.path.dirname(__file__)), "coreops")
    shutil.copytree(source, tmp_path / "coreops", ignore=shutil.ignore_patterns("*.so"))
    code = "import coreops; print(coreops.ops.relu([-1.0, 2.0]))"
    result = python(code, cwd=tmp_path)
    assert result.stdout.strip() == "[0. 2.]", result.stderr


def test_a_checkout_without_an_installation_says_what_to_do(tmp_path):
    source = os.path.join(os.path.dirname(os.path.dirname(__file__)), "coreops")
    shutil.copytree(source, tmp_path / "coreops", ignore=shutil.ignore_patterns("*.so"))
    result = python("import coreops", "-S", cwd=tmp_path)  # -S: without site-packages
    assert "ImportError" in result.stderr
    assert "pip install ." in result.stderr
