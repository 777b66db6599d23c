"""A file under its name is the old one or the new one, whole, whatever happens while it is made."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from coreops.saving import load_model, load_weights, replacing

KILLS = 50

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions and signals")


def names(directory):
    return sorted(os.listdir(directory))


def test_new_and_replaced(tmp_path):
    path = tmp_path / "state"
    for text in (b"old", b"newer"):
        with replacing(path) as file:
            file.write(text)
            assert not path.exists() or path.read_bytes() == b"old"
        assert path.read_bytes() == text
    assert names(tmp_path) == ["state"]


def test_str_and_relative_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with replacing("state") as file:
        file.write(b"x")
    assert names(tmp_path) == ["state"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_changes_nothing(tmp_path, error):
    path = tmp_path / "state"
    path.write_bytes(b"old")

    def write_half():
        with replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["state"]


def test_a_full_disk_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "state"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["state"]


def test_what_is_written_is_flushed_before_it_gets_the_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, name=name, real=real: (calls.append(name), real(*args))[1]
        )
    with replacing(tmp_path / "state") as file:
        file.write(b"new")
    assert calls[:2] == ["fsync", "replace"]


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o007])
def test_permissions_are_those_of_open(tmp_path, mask):
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "made"):
            pass
        (tmp_path / "opened").write_bytes(b"")
    finally:
        os.umask(before)
    made, opened = ((tmp_path / name).stat().st_mode for name in ("made", "opened"))
    assert made == opened


@posix
def test_permissions_of_a_replaced_file_stay(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"")
    path.chmod(0o640)
    with replacing(path) as file:
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@posix
def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "state")
    with replacing(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "far") == ["state"]


def test_what_cannot_be_written(tmp_path):
    missing = r"filepath='.*none/state'.*does not exist"
    with pytest.raises(FileNotFoundError, match=missing), replacing(tmp_path / "none" / "state"):
        pass
    is_directory = r"filepath=.*is a directory"
    with pytest.raises(IsADirectoryError, match=is_directory), replacing(tmp_path):
        pass
    with pytest.raises(ValueError, match="null"), replacing(tmp_path / "a\0b"):
        pass
    with pytest.raises(IsADirectoryError, match="filepath=''"), replacing(""):
        pass


@posix
def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"), replacing(tmp_path / "pipe"):
        pass


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="filepath="), replacing(path):
        pass
    path.chmod(0o644)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError, match="filepath="), replacing(path):
            pass
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == b"old"


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    old, new, other = (tmp_path / f for f in (".coreops-1.tmp", ".coreops-2.tmp", ".other-1.tmp"))
    for path in (old, new, other):
        path.write_bytes(b"")
    for path in (old, other):
        os.utime(path, (time.time() - 90_000,) * 2)
    with replacing(tmp_path / "state"):
        pass
    assert names(tmp_path) == [new.name, other.name, "state"]


def test_many_writers_at_once(tmp_path):
    """Each writes one byte many times; a reader never sees two of them."""
    path = tmp_path / "state"
    path.write_bytes(b"0")

    def write(byte):
        for _ in range(20):
            with replacing(path) as file:
                for _ in range(10):
                    file.write(byte * 1000)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, byte) for byte in (b"a", b"b", b"c", b"d")]
        while not all(writer.done() for writer in writers):
            assert len(set(path.read_bytes())) == 1
    for writer in writers:
        writer.result()
    assert names(tmp_path) == ["state"]


SAVE_FOREVER = """
    import sys
    import numpy as np
    import coreops
    model = coreops.Sequential([coreops.Input((64,)), coreops.layers.Dense(256),
                                coreops.layers.Dense(64)])
    path, count = sys.argv[1], 0
    while True:
        count += 1
        for variable in model.weights:
            variable.assign(np.full(variable.shape, count))
        model.save(path + "/m.keras")
        model.save_weights(path + "/m.weights.h5")
        if count == 1:
            print("started", flush=True)
"""


@posix
def test_killed_at_any_moment(tmp_path):
    """50 processes that save in a loop are killed; the file is whole after each."""
    pytest.importorskip("h5py")
    rng = random.Random(4)
    seen = set()
    kills = 0
    while kills < KILLS:
        saver = subprocess.Popen(
            [sys.executable, "-P", "-c", textwrap.dedent(SAVE_FOREVER), str(tmp_path)],
            stdout=subprocess.PIPE,
        )
        assert saver.stdout.readline() == b"started\n"
        time.sleep(rng.uniform(0, 0.05))
        saver.send_signal(signal.SIGKILL)
        saver.communicate()
        kills += 1
        model = load_model(tmp_path / "m.keras")
        values = {float(value) for weight in model.weights for value in weight.numpy().flat}
        assert len(values) == 1  # all of one save
        seen |= values
        load_weights(model, tmp_path / "m.weights.h5")
        values = {float(value) for weight in model.weights for value in weight.numpy().flat}
        assert len(values) == 1
    assert len(seen) > 1
