"""The command line: what it prints, what it writes, how it ends."""

import errno
import os
import re
import subprocess
import sys
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from keras_cases import FILES, expected, h5py  # noqa: F401 - fixtures

import coreops
from coreops import _arrayfile, _exit, cli, layers
from coreops._demo import train

MODEL = str(FILES / "leaky_and_elu.keras")  # six features in, six out


@pytest.fixture
def samples(tmp_path, expected):  # noqa: F811
    """(input path, what Keras computed)."""
    x, y = expected["leaky_and_elu"]
    np.save(tmp_path / "x.npy", x)
    return tmp_path / "x.npy", y


def run(*arguments):
    """Run in this process; return the exit code."""
    return cli.main([str(argument) for argument in arguments])


def complaint(capsys):
    """What the command said on stderr: one message, no traceback."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    assert text.startswith("coreops: ")
    return text


# --- predict --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("h5py")
class TestPredict:
    def test_npy(self, samples, tmp_path, capsys):
        path, wanted = samples
        assert run("predict", MODEL, path, tmp_path / "y.npy") == 0
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, rtol=1e-5, atol=1e-6)
        assert "9 samples" in capsys.readouterr().out
        assert sorted(os.listdir(tmp_path)) == ["x.npy", "y.npy"]

    @pytest.mark.parametrize("batch", [1, 4, 9, 100])
    def test_batches_make_no_difference(self, samples, tmp_path, batch):
        path, wanted = samples
        assert run("predict", MODEL, path, tmp_path / "y.npy", "--batch-size", batch) == 0
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, rtol=1e-5, atol=1e-6)

    def test_npz(self, samples, tmp_path, capsys):
        x, wanted = np.load(samples[0]), samples[1]
        np.savez(tmp_path / "one.npz", x=x)
        np.savez(tmp_path / "two.npz", x=x, labels=np.arange(9))
        assert run("predict", MODEL, tmp_path / "one.npz", tmp_path / "y.npz", "--quiet") == 0
        assert capsys.readouterr().out == ""
        with np.load(tmp_path / "y.npz") as result:
            np.testing.assert_allclose(result["predictions"], wanted, rtol=1e-5, atol=1e-6)
        assert run("predict", MODEL, tmp_path / "two.npz", tmp_path / "y.npz") == _exit.USAGE
        assert "--key" in complaint(capsys)
        assert run("predict", MODEL, tmp_path / "two.npz", tmp_path / "y.npy", "--key", "x") == 0
        assert run("predict", MODEL, tmp_path / "two.npz", tmp_path / "y.npy", "--key", "z") == 5

    @pytest.mark.parametrize("header", ["", "a,b,c,d,e,f\n", "\ufeff"])
    def test_csv(self, samples, tmp_path, header):
        x, wanted = np.load(samples[0]), samples[1]
        rows = "".join(",".join(repr(float(v)) for v in row) + "\n" for row in x)
        (tmp_path / "x.csv").write_text(header + rows, encoding="utf-8")
        assert run("predict", MODEL, tmp_path / "x.csv", tmp_path / "y.csv") == 0
        result = np.loadtxt(tmp_path / "y.csv", delimiter=",", dtype=np.float32)
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)

    def test_csv_keeps_every_bit(self, samples, tmp_path):
        run("predict", MODEL, samples[0], tmp_path / "y.npy")
        run("predict", MODEL, samples[0], tmp_path / "y.csv")
        text = np.loadtxt(tmp_path / "y.csv", delimiter=",", dtype=np.float32)
        np.testing.assert_array_equal(text, np.load(tmp_path / "y.npy"))

    def test_no_samples(self, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros((0, 6), np.float32))
        assert run("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy") == 0
        assert np.load(tmp_path / "y.npy").shape == (0, 6)

    def test_any_layout_and_type(self, samples, tmp_path):
        x, wanted = np.load(samples[0]), samples[1]
        np.save(tmp_path / "f.npy", np.asfortranarray(x.astype(">f8")))
        assert run("predict", MODEL, tmp_path / "f.npy", tmp_path / "y.npy") == 0
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, rtol=1e-5, atol=1e-6)

    def test_missing_files(self, samples, tmp_path, capsys):
        out = tmp_path / "y.npy"
        assert run("predict", tmp_path / "no.keras", samples[0], out) == _exit.NO_FILE
        assert "no.keras" in complaint(capsys)
        assert run("predict", MODEL, tmp_path / "no.npy", out) == _exit.NO_FILE
        assert "no.npy" in complaint(capsys)
        assert not out.exists()

    def test_bad_models(self, samples, tmp_path, capsys):
        (tmp_path / "bad.keras").write_bytes(b"PK\x03\x04 something")
        out = tmp_path / "y.npy"
        assert run("predict", tmp_path / "bad.keras", samples[0], out) == _exit.BAD_MODEL
        assert "damaged" in complaint(capsys)
        assert run("predict", FILES / "refused_layers.keras", samples[0], out) == _exit.BAD_MODEL
        assert {"edges", "memory"} <= set(re.findall(r"\w+", complaint(capsys)))

    @pytest.mark.parametrize("shape", [(9, 5), (6,), (9, 6, 1, 1), ()])
    def test_wrong_shape(self, tmp_path, capsys, shape):
        np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
        assert run("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy") == _exit.BAD_INPUT
        assert str(shape) in complaint(capsys)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("x.npy", b""),
            ("x.npy", b"junk"),
            ("x.npz", b"PK\x03\x04"),
            ("x.npz", b"junk"),
            ("x.csv", b""),
            ("x.csv", b"a,b\n"),
            ("x.csv", b"1,2\n3\n"),
            ("x.csv", b"1,2\n3,x\n"),
            ("x.csv", b"\xff\xfe\n"),
            ("x.csv", b"1,2,x\n3,4,5\n"),
            ("x.csv", b"1,2,\n3,4,5\n"),
            ("x.npz", b"PK\x05\x06" + bytes(18)),
        ],
    )
    def test_unreadable_input(self, tmp_path, capsys, name, content):
        (tmp_path / name).write_bytes(content)
        assert run("predict", MODEL, tmp_path / name, tmp_path / "y.npy") == _exit.BAD_INPUT
        assert name in complaint(capsys)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("a,b\n\n1,2\n3,x\n", "line 4, column 2 is not a number: 'x'"),
            ("1,2\n3,4,5\n", "line 2 has 3 columns, those before it have 2"),
            ("0.5,\n1,2\n", "line 1, column 2 is not a number: ''"),
        ],
    )
    def test_faults_of_a_csv_have_a_place(self, tmp_path, capsys, content, told):
        (tmp_path / "x.csv").write_text(content)
        assert run("predict", MODEL, tmp_path / "x.csv", tmp_path / "y.npy") == _exit.BAD_INPUT
        assert told in complaint(capsys)

    def test_blank_lines_before_a_header(self, tmp_path):
        (tmp_path / "x.csv").write_text("\n\na,b,c,d,e,f\n1,2,3,4,5,6\n\n")
        np.testing.assert_array_equal(
            _arrayfile.read_array(str(tmp_path / "x.csv")), [[1, 2, 3, 4, 5, 6]]
        )

    def test_archives_that_hold_no_array(self, samples, tmp_path, capsys):
        path = tmp_path / "x.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("notes.txt", "hello")
        assert run("predict", MODEL, path, tmp_path / "y.npy") == _exit.BAD_INPUT
        assert "'notes.txt' in it is no array" in complaint(capsys)
        np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(500, 6)))
        content = bytearray(path.read_bytes())
        content[200:2000:7] = bytes(len(range(200, 2000, 7)))
        path.write_bytes(content)
        assert run("predict", MODEL, path, tmp_path / "y.npy") == _exit.BAD_INPUT
        complaint(capsys)
        np.savez(tmp_path / "x", x=np.zeros((2, 6)))
        os.replace(path, tmp_path / "zip.npy")
        assert run("predict", MODEL, tmp_path / "zip.npy", tmp_path / "y.npy") == _exit.BAD_INPUT
        assert "not an .npy file" in complaint(capsys)

    @pytest.mark.parametrize(
        "shape", ["(-1, 6)", "(99999999999999999999, 6)", "(999999, 6)", "(2, 6", "2 6"]
    )
    def test_headers_that_lie(self, tmp_path, capsys, shape):
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\1\0\x76\0" + header.encode() + bytes(48))
        assert run("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy") == _exit.BAD_INPUT
        complaint(capsys)

    def test_one_sample_alone(self, tmp_path, capsys):
        np.save(tmp_path / "x.npy", np.zeros((1, 6)))
        assert run("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy") == 0
        assert capsys.readouterr().out.startswith("1 sample in ")
        for size, told in ((6, True), (7, False)):
            np.save(tmp_path / "x.npy", np.zeros(size))
            assert run("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy") == _exit.BAD_INPUT
            assert ("leading axis" in complaint(capsys)) is told

    def test_input_of_objects_or_text(self, tmp_path, capsys):
        for array in (np.array([["a"] * 6]), np.array([[None] * 6], dtype=object)):
            np.save(tmp_path / "x.npy", array)
            assert run("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy") == _exit.BAD_INPUT
            complaint(capsys)

    def test_unknown_extensions(self, samples, tmp_path, capsys):
        assert run("predict", MODEL, samples[0], tmp_path / "y.txt") == _exit.USAGE
        assert ".npy, .npz or .csv" in complaint(capsys)
        assert run("predict", MODEL, tmp_path / "x.txt", tmp_path / "y.npy") == _exit.USAGE

    def test_output_that_cannot_be_written(self, samples, tmp_path, capsys):
        assert run("predict", MODEL, samples[0], tmp_path / "no" / "y.npy") == _exit.CANNOT_WRITE
        assert "no such folder" in complaint(capsys)
        (tmp_path / "y.npy").mkdir()
        assert run("predict", MODEL, samples[0], tmp_path / "y.npy") == _exit.CANNOT_WRITE

    def test_three_axes_in_a_csv(self, tmp_path, expected, capsys):  # noqa: F811
        np.save(tmp_path / "x.npy", expected["dense_rank3"][0])
        model = FILES / "dense_rank3.keras"
        assert run("predict", model, tmp_path / "x.npy", tmp_path / "y.csv") == _exit.CANNOT_WRITE
        assert "at most two axes" in complaint(capsys)
        assert os.listdir(tmp_path) == ["x.npy"]

    def test_full_disk_keeps_the_old_file(self, samples, tmp_path, capsys, monkeypatch):
        def full(file, array):
            file.write(b"part")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        out = tmp_path / "y.npy"
        out.write_bytes(b"old")
        monkeypatch.setattr(_arrayfile, "writer_for", lambda path: full)
        assert run("predict", MODEL, samples[0], out) == _exit.CANNOT_WRITE
        assert "No space left" in complaint(capsys)
        assert out.read_bytes() == b"old"
        assert sorted(os.listdir(tmp_path)) == ["x.npy", "y.npy"]

    def test_output_through_a_link(self, samples, tmp_path):
        (tmp_path / "real.npy").write_bytes(b"old")
        (tmp_path / "y.npy").symlink_to("real.npy")
        assert run("predict", MODEL, samples[0], tmp_path / "y.npy") == 0
        assert (tmp_path / "y.npy").is_symlink()
        assert np.load(tmp_path / "real.npy").shape == (9, 6)

    def test_interrupt(self, samples, tmp_path, capsys, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(coreops.Model, "predict", interrupt)
        assert run("predict", MODEL, samples[0], tmp_path / "y.npy") == _exit.INTERRUPTED
        assert complaint(capsys) == "coreops: interrupted\n"

    def test_too_little_memory(self, samples, tmp_path, capsys, monkeypatch):
        def exhaust(*_):
            raise MemoryError

        monkeypatch.setattr(coreops.Model, "predict", exhaust)
        assert run("predict", MODEL, samples[0], tmp_path / "y.npy") == _exit.FAILED
        assert "--batch-size" in complaint(capsys)

    def test_warnings_are_one_line(self, tmp_path, expected, capsys):  # noqa: F811
        np.save(tmp_path / "x.npy", expected["masking_then_flatten"][0])
        model = FILES / "masking_then_flatten.keras"
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            assert run("predict", model, tmp_path / "x.npy", tmp_path / "y.npy") == 0
        assert complaint(capsys).startswith("coreops: warning: ")


def test_missing_h5py(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    np.save(tmp_path / "x.npy", np.zeros((1, 6)))
    assert run("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy") == _exit.NEEDS_PACKAGE
    assert "pip install 'coreops[keras]'" in complaint(capsys)
    assert run("demo") == _exit.NEEDS_PACKAGE


def test_a_model_of_several_arrays(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((4, 3), "float32"))
    x, more = layers.Input((3,)), layers.Input((3,))
    sums = coreops.Model([x, more], layers.Add()([x, more]))
    heads = coreops.Model(x, [layers.Dense(1)(x), layers.Dense(2)(x)])
    for model, told in ((sums, "takes 2 arrays"), (heads, "gives 2 arrays")):
        model.save(tmp_path / "m.safetensors")
        files = [tmp_path / name for name in ("m.safetensors", "x.npy", "y.npy")]
        assert run("predict", *files) == _exit.BAD_INPUT
        assert told in complaint(capsys)


# --- the process itself ---------------------------------------------------------------------------


def spawn(*arguments, timeout=60, **options):
    return subprocess.run(
        [sys.executable, "-P", "-m", "coreops", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )


def test_info():
    result = spawn("info")
    assert result.returncode == 0, result.stderr
    for word in ("coreops", "tier", "threads", "numpy", "python"):
        assert word in result.stdout.lower()


def test_version():
    result = spawn("--version")
    assert (result.returncode, result.stdout) == (0, f"coreops {coreops.__version__}\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_standard_output_that_is_full():
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-P", "-m", "coreops", "info"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert result.returncode == _exit.CANNOT_WRITE
    assert result.stderr.startswith("coreops: cannot write to the standard output: No space left")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("predict", "only-one")])
def test_usage(arguments):
    result = spawn(*arguments)
    assert result.returncode == _exit.USAGE
    assert result.stderr.startswith("usage: coreops")


def test_help_tells_the_exit_codes():
    result = spawn("predict", "--help")
    assert result.returncode == 0
    assert "130  interrupted" in result.stdout


@pytest.mark.usefixtures("h5py")
def test_demo():
    result = spawn("demo", env={k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"})
    assert result.returncode == 0, result.stderr
    text = result.stdout
    accuracy = re.search(r"accuracy +(\S+) +\(Keras: (\S+)\)", text)
    assert accuracy[1] == accuracy[2]
    assert float(accuracy[1].rstrip("%")) >= 97
    assert "450 of 450" in text
    assert float(re.search(r"largest difference +(\S+)", text)[1]) < 1e-5
    assert re.search(r"one at a time +\S+ us +\S+ us +\S+ x", text)
    assert re.search(r"tier \w+, 1 thread;", text)


@pytest.mark.usefixtures("h5py")
def test_demo_on_as_many_threads_as_the_environment_says():
    result = spawn("demo", env={**os.environ, "OMP_NUM_THREADS": "2"})
    assert result.returncode == 0, result.stderr
    assert re.search(r"tier \w+, 2 threads;", result.stdout)


def test_demo_trains_as_well_as_keras(tmp_path):
    """To the standard error of the difference of the two means: each tier rounds in its own way, so
    that each draws ten other networks than Keras, whose own mean is not exact either."""
    picture = tmp_path / "curves.svg"
    drawn = ("--picture", picture) if find_spec("matplotlib") else ()
    result = spawn("demo", "--train", *drawn, timeout=280)
    assert result.returncode == 0, result.stderr
    form = r" +([\d.]+)% \+- ([\d.]+)%"
    ours, own = map(float, re.search("coreops" + form, result.stdout).groups())
    keras, theirs = map(float, re.search("Keras, as recorded" + form, result.stdout).groups())
    assert keras > 98
    assert ours >= keras - (own**2 + theirs**2) ** 0.5
    assert re.search(r"time to train one +\S+ s", result.stdout)
    assert "1200/1200" in result.stdout  # the bar
    if drawn:
        assert "</svg>" in picture.read_text()


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(train, "SEEDS", range(2))
    monkeypatch.setattr(train, "EPOCHS", 2)


@pytest.mark.usefixtures("short")
def test_demo_trains_without_h5py(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert run("demo", "--train") == 0
    assert "2 epochs" in capsys.readouterr().out


@pytest.mark.usefixtures("short")
def test_demo_cannot_write_its_picture(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "no" / "curves.png"
    assert run("demo", "--train", "--picture", path) == _exit.CANNOT_WRITE
    assert f"cannot write {path}" in complaint(capsys)


def test_demo_refuses_pictures_that_it_cannot_draw(capsys, monkeypatch):
    monkeypatch.setattr(train, "run", None)
    assert run("demo", "--picture", "x.svg") == _exit.USAGE
    assert "of the training" in complaint(capsys)
    assert run("demo", "--train", "--picture", "x.gif") == _exit.USAGE
    assert ".svg or .png" in complaint(capsys)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("demo", "--train", "--picture", "x.svg") == _exit.NEEDS_PACKAGE
    assert "pip install matplotlib" in complaint(capsys)


def test_digits_to_train_on():
    """None of them is held out, and all are what the shipped classifier was trained on."""
    data = train.digits()
    assert data.images.shape == (1347, 64)
    assert data.held_images.shape == (450, 64)
    assert not {*map(bytes, data.images)} & {*map(bytes, data.held_images)}
    assert {*data.labels} == {*data.held_labels} == {*range(10)}
    assert all(curve.shape == (10, train.EPOCHS) for curve in data.keras.values())
    assert train.standard_error(np.array([1.0, 2.0, 3.0])) == pytest.approx(1 / 3**0.5)


@pytest.mark.usefixtures("h5py")
@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, where a test before loaded it
def test_no_room_for_the_output(tmp_path):
    """The system refuses to let the output file grow, as a full disk does."""
    import resource

    np.save(tmp_path / "x.npy", np.zeros((100_000, 6), np.float32))

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    result = spawn("predict", MODEL, tmp_path / "x.npy", tmp_path / "y.npy", preexec_fn=small_files)
    assert result.returncode == _exit.CANNOT_WRITE, result.stderr
    assert result.stderr.endswith(f"y.npy: {os.strerror(errno.EFBIG)}\n")
    assert os.listdir(tmp_path) == ["x.npy"]


# --- model files ---
def test_info_of_a_model(capsys, tmp_path):
    layers = coreops.layers
    model = coreops.Sequential(
        [
            coreops.Input((4,)),
            layers.Dense(8, name="first"),
            layers.ReLU(name="bend"),
            layers.Dropout(0.5),
            layers.Dense(3, "softmax", name="last"),
        ]
    )
    model.save(tmp_path / "m.keras")
    assert run("info", tmp_path / "m.keras") == _exit.OK
    out = capsys.readouterr().out
    assert "Total params: 67" in out
    assert "One sample, (4,) float32" in out
    assert "plan: " in out
    steps = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert [(step[0], step[4:]) for step in steps] == [
        ("dense", ["first,", "bend"]),  # which are one step
        ("dense", ["last"]),
        ("softmax", ["last"]),
    ]
    shares = [int(step[3].rstrip("%")) for step in steps]
    assert 97 <= sum(shares) <= 103


def test_info_of_seams_and_open_sizes(capsys, monkeypatch):
    from coreops import _model_commands

    model = coreops.Sequential(
        [
            coreops.Input((None, 4)),
            coreops.layers.Dense(3),
            coreops.layers.Lambda(lambda x: x + 1, name="python"),
            coreops.layers.Dense(2),
        ]
    )
    monkeypatch.setattr(_model_commands, "load", lambda path: model)
    assert run("info", "some.keras") == _exit.OK
    out = capsys.readouterr().out
    assert "One sample, (16, 4) float32" in out  # sizes that are open are taken as 16
    assert "plan 1 of 2" in out
    assert "then Python, in layer 'python'" in out
    assert "plan 2 of 2" in out
    unbuilt = coreops.Sequential([coreops.layers.Dense(3)])
    monkeypatch.setattr(_model_commands, "load", lambda path: unbuilt)
    assert run("info", "some.keras") == _exit.OK
    assert "no plan" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5", ".safetensors", ".weights.h5"])
def test_convert(tmp_path, suffix):
    target = tmp_path / f"m{suffix}"
    assert run("convert", MODEL, target) == _exit.OK
    model = coreops.saving.load_model(MODEL)
    if suffix == ".weights.h5":
        twin = coreops.Sequential.from_config(model.get_config())
        twin.load_weights(target)
    else:
        twin = coreops.saving.load_model(target)
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_convert_tells_what_is_wrong(tmp_path):
    assert run("convert", MODEL, tmp_path / "m.onnx") == _exit.USAGE
    assert run("convert", tmp_path / "no.keras", tmp_path / "m.h5") == _exit.NO_FILE
    assert run("convert", FILES / "refused_layers.keras", tmp_path / "m.h5") == _exit.BAD_MODEL
    assert run("convert", MODEL, tmp_path / "none" / "m.h5") == _exit.CANNOT_WRITE
    unbuilt = FILES / "unbuilt.keras"
    assert run("convert", unbuilt, tmp_path / "m.safetensors") == _exit.BAD_INPUT
    assert os.listdir(tmp_path) == []


def test_a_wrong_tier_is_no_traceback():
    script = Path(sys.executable).with_name("coreops")
    commands = [[sys.executable, "-P", "-m", "coreops", "info"]]
    commands += [[str(script), "info"]] if script.exists() else []
    for command in commands:
        environment = {**os.environ, "COREOPS_ISA": "avx9000"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == _exit.FAILED
        assert done.stderr.startswith("coreops: COREOPS_ISA='avx9000' is not a tier")
        assert "Traceback" not in done.stderr
