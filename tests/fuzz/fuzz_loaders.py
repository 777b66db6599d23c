"""Feed the loaders files that are almost right.

    python tests/fuzz/fuzz_loaders.py --runs 1000000 --findings FOLDER
    python tests/fuzz/fuzz_loaders.py --atheris -runs=100000

The second is guided by coverage (pip install atheris). Each run takes a good file, changes it where
its format is tender - a value of its JSON, a number near a signature of HDF5 or of a zip archive,
any byte - and loads it. A `ModelFileError` is the right answer, and so is a model. Anything else is
written to FOLDER with its traceback: another exception, a crash of the process, more than SECONDS
or MEMORY.
"""

import argparse
import faulthandler
import io
import json
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from types import FunctionType

DATA = Path(__file__).resolve().parents[1] / "data"
SECONDS = 5
MEMORY = 512 << 20
PER_WORKER = 20_000  # runs of one process, after which another takes over
SUFFIXES = (".keras", ".h5", ".safetensors", ".weights.h5")

STRAY = [
    *(None, True, False, -1, 0, 1, 2, 2**31, 2**63, 10**30, 1.5, float("nan"), float("inf")),
    *("", "relu", "../x", "a/b", "\0", "hard_sigmoid", "Dense", "function", "é" * 40),
    *([], {}, [None, 3], [[1, 2], [3]], ["x", 0, 0], [["x", 0, 0, {}]], [[[]]]),
    {"class_name": "Zeros", "config": {}},
    {"class_name": "Dense", "config": {"units": 3}},
    {"class_name": "Sequential", "config": {"name": "s", "layers": []}},
    {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}},
    {"class_name": "__numpy__", "config": {"value": [1, [2]], "dtype": "float32"}},
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}},
    {"module": "os", "class_name": "system", "config": {}},
    {"module": "builtins", "class_name": "function", "config": "eval"},
]
NUMBERS = (0, 1, 2, 7, 8, 255, 256, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**48, 2**63, 2**64 - 1)
SIGNATURES = (
    *(b"TREE", b"SNOD", b"HEAP", b"GCOL", b"\x89HDF", b"OHDR"),
    *(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\7", b"layer_names", b"weight_names", b"model_config"),
)


def seeds():
    """Small good files: (format, bytes)."""
    import coreops

    found = []
    for name in ("nested", "options", "prelu", "masking", "compiled", "chain", "lambda_named"):
        found.append((".keras", (DATA / "keras_files" / f"{name}.keras").read_bytes()))
    with zipfile.ZipFile(DATA / "legacy_files.zip") as archive:
        for name in archive.namelist():
            if name.startswith(
                ("dense.", "nested", "shared", "hard_sig", "losses", "activ", "lstm")
            ):
                suffix = ".keras" if name.endswith(".keras") else ".h5"
                found.append((suffix, archive.read(name)))
    scratch = Path("/dev/shm") / f"coreops-seed-{os.getpid()}.safetensors"
    for name in ("nested", "prelu", "options"):
        model = coreops.saving.load_model(DATA / "keras_files" / f"{name}.keras")
        model.save(scratch)
        found.append((".safetensors", scratch.read_bytes()))
        model.save_weights(scratch.with_suffix(".weights.h5"))
        found.append((".weights.h5", scratch.with_suffix(".weights.h5").read_bytes()))
    for path in (scratch, scratch.with_suffix(".weights.h5")):
        path.unlink()
    return found


# --- changes --------------------------------------------------------------------------------------


def places(value):
    """Yield every (container, key) inside a JSON value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def change_json(text, rng):
    """Change a JSON text in one to four places."""
    try:
        value = json.loads(text)
    except ValueError:
        return change_bytes(text, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        all_places = list(places(value)) if isinstance(value, (dict, list)) else []
        if not all_places:
            break
        container, key = rng.choice(all_places)
        way = rng.randrange(6)
        if way < 3:
            container[key] = copied(rng.choice(STRAY))
        elif way == 3:
            other, there = rng.choice(all_places)
            container[key] = copied(other[there]) if there in _keys(other) else 0
        elif way == 4 and isinstance(container, dict):
            container[rng.choice(["name", "class_name", "config", "units", "module", "x"])] = (
                container.pop(key)
            )
        elif isinstance(container, list):
            container.insert(key, copied(container[key]))
        else:
            container.pop(key)
    return json.dumps(value).encode()


def copied(value):
    return json.loads(json.dumps(value))


def _keys(container):
    return container if isinstance(container, dict) else range(len(container))


def change_bytes(data, rng):
    """Change any bytes, or numbers near a signature."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not data:
            break
        at = rng.randrange(len(data))
        way = rng.randrange(8)
        if way < 3:
            at = near_signature(data, rng, at)
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) if rng.random() < 0.6 else near_signature(data, rng, at)
            data[at : at + size] = (number & (256**size - 1)).to_bytes(size, "little")
        elif way == 3:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 4:
            data[at] = rng.randrange(256)
        elif way == 5:
            del data[at : at + rng.choice((1, 8, 64, len(data)))]
        elif way == 6:
            data[at:at] = data[at : at + rng.choice((1, 8, 64, 512))]
        else:
            source = rng.randrange(len(data))
            size = rng.choice((4, 8, 16, 40))
            data[at : at + size] = data[source : source + size]
    return bytes(data)


def near_signature(data, rng, otherwise):
    """A place at or a little after one of the file's signatures."""
    signature = rng.choice(SIGNATURES)
    at = data.find(signature, rng.randrange(len(data)))
    at = data.find(signature) if at < 0 else at
    return otherwise if at < 0 else min(at + rng.randrange(64), len(data) - 1)


def change_archive(data, rng):
    """Change one member of an archive, with sums that are right, and now and then the archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return change_bytes(data, rng)
    name = rng.choice(["config.json"] * 4 + ["model.weights.h5"] * 3 + ["metadata.json"])
    if name in members:
        change = change_json if name.endswith("json") else change_bytes
        members[name] = change(members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((0, 0, 8))) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)
    return change_bytes(buffer.getvalue(), rng) if rng.random() < 0.05 else buffer.getvalue()


def change_text_inside(data, rng):
    """Change a JSON text that lies in an HDF5 file, within its length."""
    start = data.find(b'{"class_name"')
    end = data.find(b"\0", start)
    if start < 0 or end < 0:
        return change_bytes(data, rng)
    for _ in range(4):
        text = change_json(data[start:end], rng)
        text = text.replace(b'": ', b'":').replace(b", ", b",")
        if len(text) <= end - start:
            return data[:start] + text.ljust(end - start) + data[end:]
    return change_bytes(data, rng)


def change_tensors(data, rng):
    """Change the header of a safetensors file."""
    (size,) = struct.unpack("<Q", data[:8].ljust(8, b"\0"))
    header, values = data[8 : 8 + size], data[8 + size :]
    if rng.random() < 0.5:
        try:
            parsed = json.loads(header)
            meta = parsed["__metadata__"]
            meta["keras_config"] = change_json(meta["keras_config"], rng).decode()
            header = json.dumps(parsed).encode()
        except Exception:
            header = change_json(header, rng)
    else:
        header = change_json(header, rng)
    return struct.pack("<Q", len(header)) + header + values


def change(suffix, data, rng):
    """One changed file."""
    if rng.random() < 0.1:
        return change_bytes(data, rng)
    if suffix == ".keras":
        return change_archive(data, rng)
    if suffix == ".safetensors":
        return change_tensors(data, rng)
    return change_text_inside(data, rng) if rng.random() < 0.4 else change_bytes(data, rng)


# --- runs -----------------------------------------------------------------------------------------


class Target:
    """Loads files, as a model and as weights."""

    def __init__(self, folder):
        import coreops
        from coreops.saving.errors import ModelFileError

        warnings.simplefilter("ignore")
        self.saving, self.right = coreops.saving, ModelFileError
        self.folder = folder
        layers = coreops.layers
        self.model = coreops.Sequential(
            [coreops.Input((4,)), layers.Dense(5), layers.PReLU(), layers.Dense(2)]
        )

    def path(self, suffix):
        return self.folder / f"case{suffix}"

    def run(self, suffix, data):
        """Load; raises what is not the right answer. Returns whether there came a model."""
        path = self.path(suffix)
        path.write_bytes(data)
        if suffix == ".weights.h5" or data[-1:] < b"\x20":
            with suppress(self.right):
                self.saving.load_weights(self.model, path)
        if suffix != ".weights.h5":
            with suppress(self.right):
                self.saving.load_model(path)
                return True
        return False


def worker(number, first, count, all_seeds, folder, findings, report):
    """Make `count` runs; write what is found."""
    target = Target(folder)
    resource.setrlimit(resource.RLIMIT_AS, (_size() + MEMORY,) * 2)
    signal.signal(signal.SIGALRM, _too_long)
    loaded = 0
    weights = [1 / len(data) for _, data in all_seeds]  # small ones are loaded sooner
    for run in range(first, first + count):
        rng = random.Random(f"{number}/{run}")
        suffix, seed = rng.choices(all_seeds, weights)[0]
        data = change(suffix, seed, rng)
        signal.alarm(SECONDS)
        try:
            loaded += target.run(suffix, data)
        except BaseException as error:
            signal.alarm(0)
            if isinstance(error, KeyboardInterrupt):
                raise
            name = f"{type(error).__name__}-{run}"
            (findings / f"{name}{suffix}").write_bytes(data)
            text = f"{_size() >> 20} MiB of addresses\n{traceback.format_exc()}"
            (findings / f"{name}.txt").write_text(text)
        signal.alarm(0)
        if run % 500 == 499:
            report.write_text(f"{run + 1} {loaded}")
    report.write_text(f"{first + count} {loaded}")


def _size():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _too_long(*_):
    raise TimeoutError(f"more than {SECONDS} s")


def supervise(runs, start, findings):
    """Let one process after the other work, and keep the file that one of them died of."""
    folder = Path("/dev/shm") / f"coreops-fuzz-{os.getpid()}"
    folder.mkdir()
    findings.mkdir(parents=True, exist_ok=True)
    report = folder / "report"
    all_seeds = seeds()
    done, began, loaded = start, time.monotonic(), 0
    while done < start + runs:
        count = min(PER_WORKER, start + runs - done)
        report.write_text(f"{done} 0")
        child = os.fork()
        if child == 0:
            code = 1
            faulthandler.enable()
            try:
                worker(0, done, count, all_seeds, folder, findings, report)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        reached, models = map(int, report.read_text().split())
        loaded += models
        if os.WIFSIGNALED(status) or os.WEXITSTATUS(status):
            newest = max(folder.glob("case*"), key=lambda path: path.stat().st_mtime_ns)
            target = findings / f"died-{reached}{''.join(newest.suffixes)}"
            target.write_bytes(newest.read_bytes())
            done = reached + 500  # the one that it died of is among these
        else:
            done += count
        rate = (done - start) / (time.monotonic() - began)
        found = len(list(findings.glob("*.txt"))) + len(list(findings.glob("died*")))
        text = f"{done - start:,} runs, {rate:.0f}/s, {loaded:,} models, {found} findings"
        print(text, flush=True)


def _is_own(thing, module):
    return isinstance(thing, type) and thing.__module__ == module


def guided(arguments):
    """Let atheris choose what to change, by what it leads to."""
    import atheris

    from coreops.saving import keras_file  # noqa: F401

    for name, module in list(sys.modules.items()):
        if name.startswith("coreops.saving."):
            for holder in (module, *(one for one in vars(module).values() if _is_own(one, name))):
                for function in list(vars(holder).values()):
                    if isinstance(function, FunctionType) and function.__module__ == name:
                        atheris.instrument_func(function)
    folder = Path("/dev/shm") / f"coreops-atheris-{os.getpid()}"
    folder.mkdir()
    target = Target(folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, (suffix, data) in enumerate(seeds()):
        (corpus / str(number)).write_bytes(bytes([SUFFIXES.index(suffix)]) + data)

    def one(data):
        if data:
            target.run(SUFFIXES[data[0] % len(SUFFIXES)], data[1:])

    def mutate(data, max_size, seed):
        if not data:
            return b"\0"
        rng = random.Random(seed)
        kind = data[0] % len(SUFFIXES)
        return (bytes([kind]) + change(SUFFIXES[kind], data[1:], rng))[:max_size]

    options = ["-max_len=200000", "-timeout=10", "-rss_limit_mb=512", str(corpus)]
    atheris.Setup([sys.argv[0], *arguments, *options], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--atheris"]:
        guided(sys.argv[2:])
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--start", type=int, default=0, help="number of the first run")
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    options = parser.parse_args()
    supervise(options.runs, options.start, options.findings)
