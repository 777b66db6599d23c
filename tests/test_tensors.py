"""`.safetensors` files: what is written, what is mapped, what is refused."""

import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from keras_cases import FILES, refuse

import coreops
from coreops import layers
from coreops.saving import load_model, load_weights
from coreops.saving.errors import ModelFileError


def a_model():
    layers = coreops.layers
    inner = coreops.Sequential([layers.Dense(3, "tanh"), layers.PReLU()], name="inner")
    return coreops.Sequential([coreops.Input((4,)), layers.Dense(5, "relu"), inner], name="größe")


@pytest.fixture
def model(rng):
    model = a_model()
    for variable in model.weights:
        variable.assign(rng.normal(size=variable.shape))
    return model


@pytest.fixture
def x(rng):
    return rng.normal(size=(6, 4)).astype(np.float32)


def parts(data):
    """The header as a dict and the values of a file."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header, values):
    """A file of a header and values; the header may be raw bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + values


def test_there_and_back(model, x, tmp_path):
    path = tmp_path / "m.safetensors"
    model.compile("adam", "mse")
    model.save(path)
    twin = load_model(path)
    np.testing.assert_array_equal(twin(x), model(x))
    assert twin.name == "größe"
    assert getattr(twin, "optimizer", None) is None
    assert twin.get_config() == model.get_config()
    zeros = coreops.Sequential.from_config(model.get_config())
    load_weights(zeros, path)
    np.testing.assert_array_equal(zeros(x), model(x))


def test_weights_stay_in_the_file(model, x, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    twin = load_model(path)
    for variable in twin.weights:
        base = variable.value
        while not isinstance(base, np.memmap):
            base = base.base  # None, were it not mapped
        assert not variable.value.flags.writeable
        assert variable.value.ctypes.data % variable.value.itemsize == 0
    twin.save(path)  # over the file that is mapped
    np.testing.assert_array_equal(twin(x), model(x))
    np.testing.assert_array_equal(load_model(path)(x), model(x))
    again = pickle.loads(pickle.dumps(twin))
    os.unlink(path)
    np.testing.assert_array_equal(again(x), model(x))
    twin.compile("sgd", "mse")
    twin.fit(x, np.ones((6, 3)), verbose=0)
    assert not np.array_equal(twin(x), model(x))


def test_loading_takes_no_memory_for_weights(tmp_path):
    big = coreops.Sequential([coreops.Input((1024,)), *(layers.Dense(1024) for _ in range(3))])
    big.save(tmp_path / "m.safetensors")
    load_model(tmp_path / "m.safetensors")
    tracemalloc.start()
    again = load_model(tmp_path / "m.safetensors")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20  # of 12
    for one, other in zip(again.weights, big.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_needs_no_other_package(model, x, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys; sys.modules['h5py'] = sys.modules['safetensors'] = None\n"
        "import numpy as np, coreops\n"
        "model = coreops.saving.load_model(sys.argv[1])\n"
        "model.save(sys.argv[1])\n"
        "print(coreops.saving.load_model(sys.argv[1]).predict(np.load(sys.argv[2])).sum())"
    )
    run = [sys.executable, "-P", "-c", code, str(path), str(tmp_path / "x.npy")]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert float(output) == pytest.approx(float(model.predict(x).sum()), rel=1e-6)


def test_the_library_reads_it(model, tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    model.save(tmp_path / "m.safetensors")
    tensors = numpy.load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(tensors["layers/dense/vars/0"], model.layers[0].kernel.value)
    assert len(tensors) == len(model.weights)
    numpy.save_file(tensors, tmp_path / "theirs.safetensors")  # without our config
    with pytest.raises(ModelFileError, match="weights alone"):
        load_model(tmp_path / "theirs.safetensors")
    twin = coreops.Sequential.from_config(model.get_config())
    twin.load_weights(tmp_path / "theirs.safetensors")
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_types(tmp_path):
    header = {"a/vars/0": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    values = (np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "m.safetensors").write_bytes(joined(header, values))
    from coreops.saving.tensors import read_tensors

    (stored,) = read_tensors(tmp_path / "m.safetensors").weights["a"]
    np.testing.assert_array_equal(stored.read(), np.array([1.5, -2.0], np.float32))


@pytest.mark.parametrize("case", ["float64", "nested", "prelu", "options"])
def test_models_of_keras(case, tmp_path):
    pytest.importorskip("h5py")
    model = load_model(FILES / f"{case}.keras")
    model.save(tmp_path / "m.safetensors")
    with np.load(FILES / "expected.npz") as records:
        x = records[f"{case}/x"]
    np.testing.assert_array_equal(load_model(tmp_path / "m.safetensors")(x), model(x))


def test_int8(x, tmp_path):
    model = coreops.Sequential([coreops.Input((4,)), coreops.layers.Dense(3)])
    model.layers[0].quantize("int8")
    model.save(tmp_path / "m.safetensors")
    twin = load_model(tmp_path / "m.safetensors")
    assert twin.layers[0].kernel.dtype == "int8"
    np.testing.assert_array_equal(twin(x), model(x))


def test_what_cannot_be_saved(tmp_path, model):
    with pytest.raises(ValueError, match="not built"):
        coreops.Sequential([coreops.layers.Dense(2)]).save(tmp_path / "m.safetensors")
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="exists"):
        model.save(tmp_path / "m.safetensors", overwrite=False)


# --- from others ---


def changed(header, name, **values):
    return {**header, name: {**header[name], **values}}


HOSTILE = {
    "empty": (lambda h, v: b"", "no header"),
    "short": (lambda h, v: b"\1\2\3", "no header"),
    "huge header": (lambda h, v: struct.pack("<Q", 2**63) + b"{}", "cut off"),
    "longer than the file": (lambda h, v: struct.pack("<Q", 1000) + b"{}", "cut off"),
    "no JSON": (lambda h, v: joined(b"junk", v), "not JSON"),
    "a list": (lambda h, v: joined(b"[1]", v), "not JSON"),
    "deep": (lambda h, v: joined(b'{"a":' * 5000 + b"}" * 5000, v), "deep"),
    "same name twice": (
        lambda h, v: joined(json.dumps(h).encode()[:-1] + b',"x":1,"x":2}', v),
        "twice",
    ),
    "cut off": (lambda h, v: joined(h, v[:-4]), "beyond the end"),
    "more than there should be": (lambda h, v: joined(h, v + bytes(8)), "no tensor"),
    "overlap": (
        lambda h, v: joined({**h, "z": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, v),
        "overlaps",
    ),
    "hole": (lambda h, v: joined({k: h[k] for k in list(h)[:1] + list(h)[2:]}, v), "hole"),
    "unknown type": (lambda h, v: joined(changed(h, KERNEL, dtype="F8_E4M3"), v), "unknown type"),
    "type that is no text": (lambda h, v: joined(changed(h, KERNEL, dtype=["F32"]), v), "unknown"),
    "another size": (lambda h, v: joined(changed(h, KERNEL, shape=[4, 6]), v), "bytes"),
    "negative size": (lambda h, v: joined(changed(h, KERNEL, shape=[-4, -5]), v), "shape"),
    "shape bomb": (lambda h, v: joined(changed(h, KERNEL, shape=[2**61] * 30), v), "bytes"),
    "shape overflow": (lambda h, v: joined(changed(h, KERNEL, shape=[2**62]), v), "shape"),
    "truth as a size": (lambda h, v: joined(changed(h, KERNEL, shape=[True, 20]), v), "shape"),
    "fraction as a size": (lambda h, v: joined(changed(h, KERNEL, shape=[4.0, 5]), v), "shape"),
    "many axes": (lambda h, v: joined(changed(h, KERNEL, shape=[1] * 100), v), "shape"),
    "backwards": (lambda h, v: joined(changed(h, KERNEL, data_offsets=[80, 0]), v), "bytes"),
    "three offsets": (lambda h, v: joined(changed(h, KERNEL, data_offsets=[0, 1, 2]), v), "place"),
    "more keys": (lambda h, v: joined(changed(h, KERNEL, path="/etc/passwd"), v), "described"),
    "not a tensor": (lambda h, v: joined({**h, KERNEL: 7}, v), "described"),
    "hostile config": (
        lambda h, v: joined({**h, "__metadata__": {"keras_config": '{"class_name": "os"}'}}, v),
        "its `config` is not an object",
    ),
    "config that is no text": (
        lambda h, v: joined({**h, "__metadata__": {"keras_config": [1]}}, v),
        "no text",
    ),
    "no config": (lambda h, v: joined({**h, "__metadata__": []}, v), "weights alone"),
    "pickle": (lambda h, v: pickle.dumps(os.getcwd), "cut off"),
}
KERNEL = "layers/dense/vars/0"


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(case, model, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    make, match = HOSTILE[case]
    path.write_bytes(make(*parts(path.read_bytes())))
    refuse(path, match)


def test_damaged_anywhere(model, x, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(5)
    for position in rng.integers(0, len(data), 400):
        damaged = bytearray(data)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            load_model(path)
        except ModelFileError:
            continue
