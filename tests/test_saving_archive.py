"""The wrapping of a model file - zip, JSON, names and formats - damaged or made to do harm."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from keras_cases import (
    FILES,
    dense,
    h5py,  # noqa: F401 - fixture
    keras_zip,
    refuse,
    sequential,
    weights,
)

import coreops
from coreops.saving import load_model, load_weights
from coreops.saving.archive import parse_json
from coreops.saving.errors import ModelFileError

pytestmark = pytest.mark.usefixtures("h5py")


# --- zip ---
@pytest.fixture
def good(tmp_path, h5py):  # noqa: F811
    """The bytes of a small valid file."""
    path = keras_zip(tmp_path / "good.keras", sequential(dense()), weights(h5py))
    assert load_model(path)(np.ones((1, 3), np.float32)).tolist() == [[3, 3]]
    return path.read_bytes()


def test_truncated_anywhere(good, tmp_path):
    path = tmp_path / "cut.keras"
    for part in range(16):
        path.write_bytes(good[: len(good) * part // 16])
        refuse(path, "cut.keras")


def test_damaged_anywhere(good, tmp_path):
    """One byte changed: refused, or the same model; never another kind of error."""
    path = tmp_path / "damaged.keras"
    rng = np.random.default_rng(5)
    for position in rng.integers(0, len(good), 300):
        damaged = bytearray(good)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            model = load_model(path)
        except ModelFileError:
            continue
        assert model(np.ones((1, 3), np.float32)).tolist() == [[3, 3]]


def test_damaged_weights_anywhere(h5py, tmp_path):  # noqa: F811
    """Without the archive's check sum in between: HDF5 whose bytes are wrong."""
    data = weights(h5py)
    model = coreops.Sequential([coreops.Input((3,)), coreops.layers.Dense(2)])
    path = tmp_path / "d.weights.h5"
    rng = np.random.default_rng(6)
    for position in rng.integers(0, len(data), 300):
        damaged = bytearray(data)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            load_weights(model, path)
        except ModelFileError:
            continue


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "empty"),
        (b"not a model", "zip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"PK\x03\x04" + bytes(1000), "damaged"),
        (b"\x80\x04cposix\nsystem\n", "zip"),
    ],
)
def test_wrong_magic(tmp_path, content, match):
    path = tmp_path / "m.keras"
    path.write_bytes(content)
    refuse(path, match)


def test_zip_bomb_in_the_config(tmp_path, h5py):  # noqa: F811
    bomb = b'{"a":"' + b" " * (15 << 20) + b'"}'
    path = keras_zip(tmp_path / "m.keras", bomb, None, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    refuse(path, "100 times")


def test_zip_bomb_in_the_weights(tmp_path):
    path = keras_zip(
        tmp_path / "m.keras",
        sequential(dense()),
        bytes(200 << 20),
        compression=zipfile.ZIP_DEFLATED,
    )
    refuse(path, "would unpack to 209,")


def test_oversized_config(tmp_path):
    refuse(keras_zip(tmp_path / "m.keras", bytes(17 << 20), None), "more than")


def test_member_that_lies_about_its_size(good, tmp_path):
    """The central directory states more bytes than are stored."""
    path = tmp_path / "m.keras"
    data = bytearray(good)
    entry = data.rindex(b"PK\x01\x02")
    for field in (20, 24):  # packed and unpacked size
        data[entry + field : entry + field + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    refuse(path, "damaged|size")


def test_duplicate_members(tmp_path, h5py):  # noqa: F811
    with pytest.warns(UserWarning, match="Duplicate"):
        path = keras_zip(
            tmp_path / "m.keras", sequential(dense()), weights(h5py), more=[("config.json", b"{}")]
        )
    refuse(path, "same name")


def test_encrypted_member(good, tmp_path):
    data = bytearray(good)
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        offset = 6 if start == b"PK\x03\x04" else 8
        position = data.find(start)
        while position >= 0:
            data[position + offset] |= 1
            position = data.find(start, position + 4)
    path = tmp_path / "m.keras"
    path.write_bytes(data)
    refuse(path, "encrypted")


def test_foreign_compression(tmp_path):
    path = keras_zip(tmp_path / "m.keras", sequential(dense()), b"", compression=zipfile.ZIP_LZMA)
    refuse(path, "compression")


def test_other_members_are_never_touched(tmp_path, h5py):  # noqa: F811
    more = [("assets/vocabulary.txt", b"x"), ("_assets/a..b", b"x")]
    path = keras_zip(tmp_path / "m.keras", sequential(dense()), weights(h5py), more=more)
    load_model(path)
    assert sorted(os.listdir(tmp_path)) == ["m.keras"]


def test_missing_members(tmp_path, h5py):  # noqa: F811
    path = keras_zip(tmp_path / "a.keras", sequential(dense()), None)
    refuse(path, "no model.weights.h5")
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refuse(tmp_path / "b.keras", "config.json")


@pytest.mark.parametrize("version", ["1.2.2", "4.0.0", 3, None, "", "x" * 1000])
def test_wrong_version(tmp_path, h5py, version):  # noqa: F811
    path = keras_zip(
        tmp_path / "m.keras",
        sequential(dense()),
        weights(h5py),
        metadata={"keras_version": version},
    )
    refuse(path, "written by Keras")


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="not found"):
        load_model(tmp_path / "none.keras")
    with pytest.raises(ValueError, match="not found"):
        load_model(tmp_path / "none.keras")
    refuse(tmp_path, "directory")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.keras")
        refuse(tmp_path / "pipe.keras", "regular file")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("a.h5", "damaged"),
        ("a.hdf5", "damaged"),
        ("m.weights.h5", "load_weights"),
        ("m.pb", "'.pb'"),
    ],
)
def test_other_formats_are_told_apart(tmp_path, name, match):
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    refuse(tmp_path / name, match)


# --- JSON ---
@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"[" * 100_000, "deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "deep"),
        (b"[" + b"1," * 2_000_000 + b"1]", "values"),
        (b'"' + b'\\"' * 2_000_000, "not valid JSON"),
        (b'{"class_name": "Sequential", "class_name": "os"}', "occurs twice"),
        (b"{" + b",".join(b'"%d": 1' % i for i in range(100_000)) + b', "7": 2}', "occurs twice"),
        (b"[1, 2]", "expected a JSON object"),
        (b'{"a": ', "not valid JSON"),
        (b'{"a": "\xff\xfe"}', "not valid JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b"", "not valid JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_json(tmp_path, text, match):
    refuse(keras_zip(tmp_path / "m.keras", text, b""), match)


# --- without files ---
def test_without_h5py(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'coreops\[keras\]'"):
        load_model(FILES / "nested.keras")


def test_importing_the_package_opens_no_file_library():
    code = (
        "import sys, coreops, coreops.saving; "
        "print({'h5py', 'zipfile', 'json', 'argparse'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "set()"


def test_json_helpers_keep_honest_texts():
    value = {"a": ['quoted " \\ [[[', {"b": "]]]}}}"}], "ü": [1.5, None, True]}
    assert parse_json(json.dumps(value).encode(), "text") == value
    assert np.isnan(parse_json(b'{"x": NaN}', "text")["x"])
