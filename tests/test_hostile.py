"""Every file of the hostile corpus is refused: cleanly, in a second, and in little memory."""

import json
import subprocess
import sys

import pytest
from hostile import corpus
from keras_cases import FILES, h5py  # noqa: F401 - fixture

SECONDS = 1.0
BYTES = 128 << 20

# A process of its own, whose memory is limited to what it has and BYTES more.
JUDGE = """
import json, os, resource, sys, time, warnings
import coreops
from coreops.saving import load_model
from coreops.saving.errors import ModelFileError

warnings.simplefilter("ignore")
paths, good = json.load(sys.stdin)
for path in good:
    load_model(path)  # what is imported on first use is imported now
def pages(field):
    with open("/proc/self/statm") as file:
        return int(file.read().split()[field]) * resource.getpagesize()
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
limit, before = int(sys.argv[1]), peak()
resource.setrlimit(resource.RLIMIT_AS, (pages(0) + limit,) * 2)
for name, path in paths.items():
    started = time.perf_counter()
    try:
        load_model(path)
        outcome = "loaded"
    except ModelFileError as error:
        outcome = "refused" if len(str(error)) < 2000 else "refused at length"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    print(json.dumps([name, outcome, time.perf_counter() - started, peak() - before]), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_corpus_is_refused(h5py, tmp_path):  # noqa: F811
    files = corpus(h5py, tmp_path)
    assert len(files) >= 40
    untouched = {path: path.read_bytes() for path in tmp_path.iterdir()}
    good = [str(FILES / "nested.keras")]
    command = [sys.executable, "-P", "-c", JUDGE, str(BYTES)]
    answer = subprocess.run(
        command,
        input=json.dumps([{name: str(path) for name, path in files.items()}, good]),
        capture_output=True,
        text=True,
    )
    judged = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [name for name, *_ in judged] == list(files), answer.stderr
    wrong = {name: outcome for name, outcome, _, _ in judged if outcome != "refused"}
    assert wrong == {}
    slow = {name: seconds for name, _, seconds, _ in judged if seconds > SECONDS}
    assert slow == {}
    assert judged[-1][3] < BYTES  # the peak of them all
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == untouched
