"""Callbacks: what they do beyond what `test_fit.test_as_keras` compares with real Keras."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fit_scenarios import WEIGHTS, X, Y, linear, recorder

import coreops
from coreops.callbacks import (
    BackupAndRestore,
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
    progress,
)
from coreops.callbacks.callback import is_overridden


@pytest.fixture
def model():
    return linear(coreops, metrics=["mae"])


# --- the list -------------------------------------------------------------------------------


def test_a_list_calls_all_in_order():
    calls = []

    class Named(Callback):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def on_epoch_end(self, epoch, logs=None):
            calls.append((self.name, epoch, logs))

        def on_batch_end(self, batch, logs=None):
            calls.append((self.name, batch, logs))

    one, two = Named("one"), Named("two")
    callbacks = CallbackList([one, [two]], add_history=True, add_progbar=True)
    assert [type(c) for c in callbacks.callbacks] == [Named, Named, History, ProgbarLogger]
    callbacks = CallbackList(one)
    callbacks.append(two)
    callbacks.on_epoch_end(3, {"loss": 1.0})
    callbacks.on_train_batch_end(4)
    assert calls == [
        ("one", 3, {"loss": 1.0}),
        ("two", 3, {"loss": 1.0}),
        ("one", 4, {}),
        ("two", 4, {}),
    ]
    own = History()
    assert CallbackList([own], add_history=True).callbacks == [own]
    with pytest.raises(ValueError, match="instances of Callback"):
        CallbackList([print])


def test_which_hooks_do_something(tmp_path):
    class Old(Callback):
        def on_batch_end(self, batch, logs=None):
            pass

    class Saves(ModelCheckpoint):
        def on_train_batch_end(self, batch, logs=None):
            pass

    hook = "on_train_batch_end"
    path = tmp_path / "model.keras"
    assert not is_overridden(Callback(), hook)
    assert is_overridden(Old(), hook)
    assert not is_overridden(Old(), "on_train_batch_begin")
    assert is_overridden(LambdaCallback(on_train_batch_end=print), hook)
    assert not is_overridden(LambdaCallback(on_epoch_end=print), hook)
    assert not is_overridden(EarlyStopping(), hook)
    assert not is_overridden(ModelCheckpoint(path), hook)
    assert is_overridden(ModelCheckpoint(path, save_freq=2), hook)
    assert is_overridden(Saves(path), hook)
    assert not is_overridden(BackupAndRestore(tmp_path), hook)


def test_a_list_can_be_passed(model):
    callbacks = CallbackList([], add_history=True, model=model, epochs=2, steps=1, verbose=0)
    assert model.fit(X, Y, epochs=2, callbacks=callbacks).epoch == [0, 1]


# --- monitors -------------------------------------------------------------------------------


def test_what_is_better(model):
    model.compile("sgd", "mse", metrics=["accuracy", coreops.metrics.Mean(name="odd")])
    callback = EarlyStopping(monitor="odd")
    callback.set_model(model)
    with pytest.raises(ValueError, match="monitor='odd'"):
        callback.on_epoch_end(0, {})
    model.compile("sgd", "mse", metrics=["accuracy", "mae"])
    model.evaluate(X, Y, verbose=0)
    for monitor, operation in (
        ("loss", np.less),
        ("val_loss", np.less),
        ("val_accuracy", np.greater),
        ("mae", np.less),
    ):
        callback = EarlyStopping(monitor=monitor)
        callback.set_model(model)
        callback.on_epoch_end(0, {monitor: 1.0})
        assert callback.monitor_op is operation


def test_a_metric_that_is_not_there(model):
    for callback in (EarlyStopping(), ReduceLROnPlateau()):
        with pytest.warns(UserWarning, match=r"`val_loss`.*not available.*loss,mae"):
            model.fit(X, Y, verbose=0, callbacks=[callback])
    with pytest.warns(UserWarning, match="no mode 'up'"):
        EarlyStopping(mode="up")


def test_a_subclass_may_stop_by_what_it_makes_of_the_logs(model):
    class BySum(EarlyStopping):
        def get_monitor_value(self, logs):
            return logs["loss"] + logs["mae"]

    stop = BySum(monitor="sum", mode="max")
    history = model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop])
    assert history.epoch == [0, 1]
    assert stop.best == history.history["loss"][0] + history.history["mae"][0]


def test_early_stopping_says_so(model, capsys):
    stop = EarlyStopping(monitor="loss", verbose=1, min_delta=100, restore_best_weights=True)
    history = model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop])
    assert history.epoch == [0, 1]
    out = capsys.readouterr().out
    assert "Epoch 2: early stopping" in out
    assert "epoch 1" in out


def test_learning_rates_that_cannot_be(model, capsys):
    with pytest.raises(ValueError, match="factor"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.raises(ValueError, match="must return a float"):
        model.fit(X, Y, verbose=0, callbacks=[LearningRateScheduler(lambda epoch: 1)])
    model.fit(X, Y, verbose=0, callbacks=[LearningRateScheduler(lambda e: 0.25, verbose=1)])
    assert "Epoch 1: the learning rate is set to 0.25." in capsys.readouterr().out
    plateau = ReduceLROnPlateau("loss", patience=1, min_delta=100, factor=0.5, verbose=1)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[plateau])
    assert "Epoch 2: the learning rate is reduced to 0.125." in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:The loss of a batch")
def test_terminate_on_nan(capsys):
    model = linear(coreops, rate=1e30)
    with np.errstate(all="ignore"):
        with pytest.raises(RuntimeError, match="NaN or infinite"):
            model.fit(X, Y, batch_size=2, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)])
        history = model.fit(X, Y, batch_size=2, epochs=3, verbose=0, callbacks=[TerminateOnNaN()])
    assert history.epoch == [0]
    assert "training stops" in capsys.readouterr().out


def test_csv_of_values_that_are_lists(tmp_path):
    log = CSVLogger(tmp_path / "log.csv", separator=";")
    log.on_train_begin()
    log.on_epoch_end(0, {"a": np.array([1, 2]), "b": "x", "c": np.float32(0.5), "val_a": 1})
    log.on_epoch_end(1, {"a": 3.0})
    log.on_train_end()
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines == ["epoch;a;b;c;val_a", '0;"""[1, 2]""";x;0.5;1', "1;3.0;NA;NA;NA"]


def averaging():
    model = linear(coreops)
    model.compile(coreops.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    return model


def test_averages_are_judged_and_weights_go_on():
    kwargs = {"batch_size": 4, "epochs": 3, "verbose": 0, "shuffle": False}
    plain, swapped = averaging(), averaging()
    expected = plain.fit(X, Y, validation_data=(X, Y), **kwargs).history
    seen = []
    spy = LambdaCallback(on_test_begin=lambda logs: seen.append(swapped.get_weights()))
    callbacks = [SwapEMAWeights(), spy]
    found = swapped.fit(X, Y, validation_data=(X, Y), callbacks=callbacks, **kwargs).history
    assert found["loss"] == expected["loss"]
    assert found["val_loss"] != expected["val_loss"]
    for a, b, c in zip(swapped.get_weights(), plain.get_weights(), seen[-1], strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)  # fit ends with the averages
    by_epoch = averaging()
    kept = []
    spy = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(by_epoch.get_weights()))
    by_epoch.fit(X, Y, callbacks=[SwapEMAWeights(swap_on_epoch=True), spy], **kwargs)
    for one, other in zip(seen, kept, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(by_epoch.get_weights()[0], plain.get_weights()[0])
    with pytest.raises(ValueError, match="use_ema"):
        linear(coreops).evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights()])


# --- the progress bar -----------------------------------------------------------------------


def test_the_bar_of_a_terminal(model, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    model.fit(X, Y, batch_size=4, epochs=2, verbose=1, validation_split=0.2)
    first, second = capsys.readouterr().out.split("Epoch 2/2\n")
    head, *pictures = first.rstrip("\n").split("\r")
    assert head == "Epoch 1/2\n"
    assert pictures[0].startswith("1/2 ━━━━━━━━━━           0s ")
    assert "us/step - loss: " in pictures[0] or "ms/step - loss: " in pictures[0]
    assert pictures[-1].startswith("2/2 ━━━━━━━━━━━━━━━━━━━━ 0s ")
    assert " - mae: " in pictures[-1]
    assert " - val_loss: " in pictures[-1]
    assert second.endswith("\n")


def test_a_log_gets_the_finished_lines_only(model, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    model.fit(X, Y, batch_size=1, epochs=2, verbose="auto")
    lines = capsys.readouterr().out.replace("\r", "").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["Epoch", "11/11", "Epoch", "11/11"]
    model.evaluate(X, Y, batch_size=4)
    assert capsys.readouterr().out.startswith("\r3/3 ━")
    coreops.config.disable_interactive_logging()
    try:
        model.fit(X, Y)
    finally:
        coreops.config.enable_interactive_logging()
    assert capsys.readouterr().out == ""


def test_an_unknown_number_of_steps(model, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    model.fit(iter([(X, Y)] * 3), verbose=1)
    out = capsys.readouterr().out
    assert "1/Unknown 0s" in out
    assert out.split("\r")[-1].startswith("3/3 ━")


def test_a_bar_of_ones_own(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    bar = coreops.utils.Progbar(4, width=8, interval=0, stateful_metrics=["b"], unit_name="file")
    bar.update(1, [("a", 1.0), ("b", 1.0)])
    bar.add(2, [("a", [4.0, 4.0]), ("b", 3.0)])
    shown = capsys.readouterr().out.split("\r")
    assert "s/file - a: 1.0000 - b: 1.0000" in shown[1]
    assert shown[2].startswith("3/4 ━━━━━━   ")
    assert shown[2].rstrip().endswith("- a: 3.0000 - b: 3.0000")  # (1 + 4 + 4) / 3
    bar.update(4, [("a", 7.0)])
    end = capsys.readouterr().out
    assert "4/4 ━━━━━━━━ " in end
    assert end.rstrip().endswith("- a: 7.0000 - b: 3.0000")
    assert end.endswith("\n")
    coreops.utils.Progbar(None, verbose=2).update(5, [("a", 2.0)], finalize=True)
    assert capsys.readouterr().out.startswith("5/5 - 0s - ")
    coreops.utils.Progbar(0, verbose=0).update(0, finalize=True)
    assert not capsys.readouterr().out
    only = coreops.utils.Progbar(9, stateless_metrics=["a"], interval=0)
    for step in (1, 2):
        only.update(step, [("a", step), ("b", step)])
    assert capsys.readouterr().out.rstrip().endswith("- a: 1.5000 - b: 2.0000")
    with pytest.raises(ValueError, match="both"):
        coreops.utils.Progbar(1, stateful_metrics=[], stateless_metrics=[])


def test_pictures_are_rare(model, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    asked = []
    real = coreops._train.compiled.Compiled.results
    monkeypatch.setattr(
        coreops._train.compiled.Compiled, "results", lambda self: asked.append(1) or real(self)
    )
    model.fit(np.tile(X, (20, 1)), np.tile(Y, (20, 1)), batch_size=1, verbose=1)
    assert len(asked) < 20


def test_a_stream_without_the_characters(monkeypatch):
    import io

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    bar = progress.Progress(2, 1)
    bar.close({"loss": 0.5})
    assert stream.buffer.getvalue().startswith(b"\r2/2 ==================== 0s ")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.6, "1:00"), (61, "1:01"), (3661, "1:01:01")]
)
def test_durations(seconds, text):
    assert progress._duration(seconds) == text


# --- files ----------------------------------------------------------------------------------


def test_checkpoints(model, tmp_path, capsys):
    pytest.importorskip("h5py")
    save = ModelCheckpoint(tmp_path / "sub" / "{epoch:02d}-{loss:.2f}.keras", verbose=1)
    losses = model.fit(X, Y, epochs=2, verbose=0, callbacks=[save]).history["loss"]
    names = sorted(path.name for path in (tmp_path / "sub").iterdir())
    assert names == [f"{n:02d}-{loss:.2f}.keras" for n, loss in enumerate(losses, 1)]
    assert f"saving model to {tmp_path}" in capsys.readouterr().out
    again = coreops.saving.load_model(tmp_path / "sub" / names[-1])
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    old = ModelCheckpoint(tmp_path / "sub" / "old.h5")
    model.fit(X, Y, verbose=0, callbacks=[old])
    again = coreops.saving.load_model(tmp_path / "sub" / "old.h5")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    save = ModelCheckpoint(tmp_path / "{batch}.weights.h5", save_weights_only=True, save_freq=4)
    model.fit(X, Y, batch_size=1, epochs=2, verbose=0, callbacks=[save])
    # 11 batches an epoch: after 4, 8, then 12, 16, 20 in all.
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == [
        f"{n}.weights.h5" for n in (1, 4, 5, 8, 9)
    ]


def test_only_the_best_is_kept(model, tmp_path, capsys):
    pytest.importorskip("h5py")
    path = tmp_path / "best.weights.h5"
    rates = LearningRateScheduler(lambda epoch: (0.1, 0.1, 3.0)[epoch])
    save = ModelCheckpoint(path, "loss", 1, save_best_only=True, save_weights_only=True)
    kept = []
    spy = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(path.stat().st_mtime_ns))
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[rates, save, spy], shuffle=False)
    losses = history.history["loss"]
    assert save.best == min(losses)
    assert "loss improved from None to" in capsys.readouterr().out
    strict = ModelCheckpoint(
        path, "loss", save_best_only=True, save_weights_only=True, initial_value_threshold=1e-9
    )
    before = path.stat().st_mtime_ns
    model.fit(X, Y, verbose=0, callbacks=[strict])
    assert path.stat().st_mtime_ns == before
    with pytest.warns(UserWarning, match="val_loss"):
        model.fit(
            X, Y, verbose=0,
            callbacks=[ModelCheckpoint(path, save_best_only=True, save_weights_only=True)],
        )  # fmt: skip
    assert path.stat().st_mtime_ns > before


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"filepath": "a.weights.h5"}, "'.keras'"),
        ({"filepath": "a.keras", "save_weights_only": True}, "'.weights.h5'"),
        ({"filepath": "a.keras", "save_freq": "batch"}, "save_freq"),
        ({"filepath": "a.keras", "save_freq": 0}, "save_freq"),
    ],
)
def test_checkpoints_that_cannot_be(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ModelCheckpoint(**kwargs)


def test_a_name_that_the_logs_do_not_have(model, tmp_path):
    with pytest.raises(KeyError, match="val_loss"):
        model.fit(X, Y, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "{val_loss}.keras")])
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(IsADirectoryError):
        model.fit(X, Y, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "folder.keras")])


# --- interrupted trainings ------------------------------------------------------------------


class Interrupted(Exception):
    pass


def interrupt(at):
    """A callback that ends everything after so many batches."""
    left = [at]

    def count(batch, logs):
        left[0] -= 1
        if not left[0]:
            raise Interrupted

    return LambdaCallback(on_train_batch_end=count)


@pytest.mark.parametrize("save_freq", ["epoch", 1, 3])
@pytest.mark.parametrize("at", [1, 5, 6, 7, 12, 17])
@pytest.mark.parametrize("kwargs", [{}, {"steps_per_epoch": 3}], ids=["passes", "steps"])
def test_a_training_that_goes_on(tmp_path, save_freq, at, kwargs):
    pytest.importorskip("h5py")
    kwargs = {"batch_size": 2, "epochs": 3, "verbose": 0, "sample_weight": WEIGHTS, **kwargs}

    def run(*callbacks):
        coreops.utils.set_random_seed(7)
        model = linear(coreops, metrics=["mae"])
        kept = BackupAndRestore(tmp_path / "backup", save_freq)
        return model, model.fit(X, Y, callbacks=[kept, *callbacks], **kwargs)

    whole, history = run()
    assert not (tmp_path / "backup").exists()
    try:
        run(interrupt(at))
    except Interrupted:
        coreops.utils.set_random_seed(99)  # another process would have another seed
    model, again = run()
    for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(model.optimizer.iterations) == int(whole.optimizer.iterations)
    for key in ("loss", "mae"):
        ours, expected = again.history[key], history.history[key]
        assert ours == expected[len(expected) - len(ours) :]
    assert not (tmp_path / "backup").exists()
    assert model.fit(X, Y, verbose=0).epoch == [0]


def test_a_backup_that_cannot_be_read(tmp_path):
    pytest.importorskip("h5py")
    folder = tmp_path / "backup"

    def run(at, double):
        model = linear(coreops)
        kept = BackupAndRestore(folder, 1, double_checkpoint=double, delete_checkpoint=False)
        record = recorder(coreops)
        with contextlib.suppress(Interrupted):
            model.fit(X, Y, batch_size=4, verbose=0, callbacks=[kept, record, interrupt(at)])
        return [number for name, number, _ in record.calls if name == "on_train_batch_begin"]

    for double in (True, False):
        assert run(2, double) == [0, 1]
        latest = json.loads((folder / "training_metadata.json").read_text())["weights"]
        assert len(list(folder.iterdir())) == 2 + double
        (folder / latest).write_bytes(b"nonsense")
        if double:
            assert run(9, double) == [1, 2]
        else:
            with pytest.raises((OSError, ValueError)):
                run(9, double)
        for path in folder.iterdir():
            path.unlink()
    with pytest.raises(ValueError, match="backup_dir"):
        BackupAndRestore("")
    with pytest.raises(ValueError, match="save_freq"):
        BackupAndRestore(folder, save_freq=False)


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from fit_scenarios import X, Y
import coreops
from coreops.layers import Dense, Dropout, Input

coreops.utils.set_random_seed(3)
model = coreops.Sequential([Input((3,)), Dense(8, "relu"), Dropout(0.3), Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
callbacks = [
    coreops.callbacks.BackupAndRestore(sys.argv[2], 1),
    coreops.callbacks.ModelCheckpoint(sys.argv[3], save_freq=3),
    coreops.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: print(flush=True)),
]
history = model.fit(X, Y, batch_size=2, epochs=5, verbose=0, callbacks=callbacks)
print(history.history["mae"][-1], *model.optimizer.iterations.numpy().reshape(-1))
print(*[w.tolist() for w in model.get_weights()])
"""


@pytest.mark.parametrize("wanted", [8, pytest.param(50, marks=pytest.mark.exhaustive)])
def test_a_killed_process_goes_on(tmp_path, rng, wanted):
    """SIGKILL at any moment: the checkpoint is whole, and in the end nothing tells of it."""
    pytest.importorskip("h5py")
    here = str(Path(__file__).parent)

    def start(name):
        command = [sys.executable, "-c", PROGRAM, here, tmp_path / name, tmp_path / f"{name}.keras"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    with start("whole") as process:
        expected = process.communicate()[0].split()
    assert process.returncode == 0
    kills = runs = 0
    while kills < wanted:
        name = f"killed{runs}"
        with start(name) as process:
            assert process.stdout is not None
            for _ in range(rng.integers(1, 6)):
                process.stdout.readline()
            time.sleep(rng.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
        if (tmp_path / f"{name}.keras").exists():
            coreops.saving.load_model(tmp_path / f"{name}.keras")
        if process.returncode == 0:
            assert rest == expected
            runs += 1
        else:
            kills += 1
    with start(name) as process:
        assert process.communicate()[0].split() == expected
