"""The rules of docs/architecture.md that a machine can check."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from coreops import _kernels

ROOT = Path(__file__).parents[1]
C_FILES = sorted((ROOT / "csrc").rglob("*.[ch]"))
PY_FILES = sorted((ROOT / "coreops").rglob("*.py"))
BRIDGE_FILES = sorted((ROOT / "coreops").rglob("*.px*"))

# A package may import from those to its right, and from what stands beside it in its own.
LAYERS_DOWN = [
    "cli",
    "bench",
    "_demo",
    "wrappers",
    "saving",
    "models",
    "callbacks",
    "_train",
    "layers",
    "_families",
    "ops",
    "_tape",
    "_plan",
    "_base",
    "_kernels",
]
FAMILIES = {
    "activations",
    "backend",
    "constraints",
    "dtype_policies",
    "initializers",
    "losses",
    "metrics",
    "optimizers",
    "quantizers",
    "regularizers",
    "utils",
}
BASE = {"config", "random", "_variables", "_names", "_dtypes", "_legacy", "_symbolic", "_threads"}
# The tables of known objects: what the loader reads by, and what every family enters itself in.
TABLES = {"registry", "objects", "serialize", "special"}


def relative(path):
    return str(path.relative_to(ROOT))


def code_of(path):
    """A C file without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)


@pytest.mark.parametrize("path", C_FILES, ids=relative)
def test_intrinsics_stay_in_simd(path):
    if path.parent.name != "simd":
        found = re.findall(
            r"\b_mm\w*|\b__m\d+\w*|\bv(?:ld1|st1|fma)q?_\w+|immintrin|arm_neon", code_of(path)
        )
        assert not found


@pytest.mark.parametrize("path", C_FILES, ids=relative)
def test_openmp_stays_in_parallel(path):
    if path.name != "parallel.c":
        assert not re.search(r"\bomp\b|\bomp_|_OPENMP", code_of(path))


@pytest.mark.parametrize("path", C_FILES, ids=relative)
def test_c_knows_no_python(path):
    assert not re.search(r"numpy|Python\.h|PyObject", code_of(path), re.I)


def test_kernels_are_pure():
    for path in C_FILES:
        if path.parent.name in ("kernels", "simd", "isa"):
            found = re.findall(
                r"\b(?:malloc|calloc|realloc|free|getenv|printf|exit|abort)\b", code_of(path)
            )
            assert not found, relative(path)


def test_tier_files_are_short():
    for path in (ROOT / "csrc" / "isa").glob("*.c"):
        assert len(path.read_text().splitlines()) <= 40, relative(path)


@pytest.mark.parametrize("path", C_FILES, ids=relative)
def test_c_files_can_be_read_at_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", PY_FILES + BRIDGE_FILES, ids=relative)
def test_python_files_can_be_read_at_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 350


def room_of(parts):
    """The room of a module, given by the names on its path below coreops."""
    if parts[0] in FAMILIES:
        return "_families"
    if parts[0] in BASE or (parts[0] == "saving" and parts[-1] in TABLES):
        return "_base"
    return parts[0]


def imports_of(path):
    """What a file imports from coreops when it is itself imported, as paths of names."""
    package = path.relative_to(ROOT / "coreops").parent.parts
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            inside = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield (*inside, alias.name)
                if inside:
                    yield inside


@pytest.mark.parametrize("path", PY_FILES, ids=relative)
def test_imports_go_down(path):
    here = room_of(path.relative_to(ROOT / "coreops").with_suffix("").parts)
    if here not in LAYERS_DOWN:
        return
    for names in imports_of(path):
        rooms = {room_of(names[:n]) for n in range(1, len(names) + 1)}
        if "_base" in rooms or names == ("saving",):  # tables, imported through their package
            continue
        for there in rooms & set(LAYERS_DOWN) - {here}:
            assert LAYERS_DOWN.index(there) > LAYERS_DOWN.index(here), f"{relative(path)}: {names}"


def test_only_numpy_at_run_time():
    everywhere = {"numpy", "h5py", "matplotlib", "__future__"}
    import sys

    for path in PY_FILES:
        if path.parent.name == "peers":  # each is imported in a process of its own: test_bench.py
            continue
        known = everywhere | ({"sklearn"} if path.parent.name == "wrappers" else set())
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                top = name.split(".")[0]
                assert top in known or top in sys.stdlib_module_names, f"{relative(path)}: {name}"


def test_the_extension_exports_its_init_function_only():
    nm = shutil.which("nm")
    if nm is None or not _kernels.__file__.endswith(".so"):
        pytest.skip("needs nm and an ELF extension")
    listing = subprocess.run(
        [nm, "-D", "--defined-only", _kernels.__file__], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[-1] for line in listing.splitlines()}
    assert {n for n in names if not n.startswith("_")} == {"PyInit__kernels"}
