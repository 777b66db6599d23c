"""Model.predict: batches, chunks, progress, interrupts."""

import os
import sys

import numpy as np
import pytest

import coreops
from coreops.callbacks import progress
from coreops.layers import Dense, Dropout, Input, Lambda
from coreops.models import Sequential


@pytest.fixture
def model():
    return Sequential([Input((3,)), Dense(4, activation="tanh"), Dropout(0.5), Dense(2)])


def recording(sizes):
    def function(x):
        sizes.append(len(x))
        return x * 2

    return Sequential([Input((3,)), Dense(4), Lambda(function, output_shape=(4,))])


@pytest.mark.parametrize("batch_size", [None, 1, 7, 1000])
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100])
def test_batches_do_not_change_the_answer(rng, model, batch_size, count):
    x = rng.normal(size=(count, 3)).astype("float32")
    y = model.predict(x, batch_size=batch_size, verbose=0)
    assert type(y) is np.ndarray
    assert y.shape == (count, 2)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, model(x))
    python = recording([])
    np.testing.assert_array_equal(python.predict(x, batch_size=batch_size, verbose=0), python(x))


def test_large_work_is_done_in_chunks(monkeypatch, rng, model):
    x = rng.normal(size=(1000, 3)).astype("float32")
    whole = model.predict(x, verbose=0)
    monkeypatch.setattr(coreops.models.predicting, "_CHUNK_NS", 1.0)
    seen = []
    monkeypatch.setattr(progress.Progress, "advance", lambda self, done: seen.append(done))
    # One algorithm per batch size: the roundings may differ, by a few units in the last place.
    np.testing.assert_allclose(model.predict(x, verbose=0), whole, rtol=1e-5, atol=1e-6)
    assert seen == list(range(1, 33))


def test_python_layers_receive_exactly_the_batches():
    sizes = []
    model = recording(sizes)
    model.predict(np.ones((70, 3), "float32"), verbose=0)
    assert sizes == [32, 32, 6]
    sizes.clear()
    model.predict(np.ones((7, 3), "float32"), batch_size=3, verbose=0)
    assert sizes == [3, 3, 1]
    sizes.clear()
    model.predict(np.ones((70, 3), "float32"), batch_size=10, steps=2, verbose=0)
    assert sizes == [10, 10]


def test_a_function_may_change_the_number_of_samples():
    model = Sequential([Input((3,)), Lambda(lambda x: np.repeat(x, 2, axis=0), output_shape=(3,))])
    x = np.arange(15, dtype="float32").reshape(5, 3)
    np.testing.assert_array_equal(
        model.predict(x, batch_size=2, verbose=0), np.repeat(x, 2, axis=0)
    )


def test_kinds_of_input(model):
    x = np.arange(12).reshape(4, 3)
    expected = model(x.astype("float32"))
    for kind in (x, x.tolist(), x.astype("float64"), np.asfortranarray(x), x[::-1][::-1]):
        np.testing.assert_array_equal(model.predict(kind, batch_size=3, verbose=0), expected)
        np.testing.assert_array_equal(model.predict_on_batch(kind), expected)
    unbuilt = Sequential([Dense(2)])
    assert unbuilt.predict([[1, 2, 3]], verbose=0).shape == (1, 2)
    assert unbuilt.input_shape == (None, 3)


@pytest.mark.parametrize("dtype", ["float64", "int64", ">f4"])
def test_any_type_is_done_in_few_chunks(monkeypatch, model, dtype):
    seen = []
    monkeypatch.setattr(progress.Progress, "advance", lambda self, done: seen.append(done))
    model.predict(np.ones((320, 3), dtype), verbose=0)
    assert seen == [10]


def test_predict_does_not_touch_the_losses():
    model = Sequential([Input((3,)), Dense(2, activity_regularizer="l2")])
    model(np.ones((2, 3), "float32"))
    before = model.losses
    model.predict(np.zeros((2, 3), "float32"), verbose=0)
    assert model.losses == before


@pytest.mark.parametrize(
    ("kwargs", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"steps": 0}, "steps"),
        ({"verbose": 3}, "verbose"),
        ({"callbacks": [1]}, "callbacks"),
    ],
)
def test_malformed_arguments(model, kwargs, name):
    with pytest.raises(ValueError, match=name):
        model.predict(np.ones((2, 3), "float32"), **kwargs)


@pytest.mark.parametrize("x", ["abc", None, [["a"]], [[1.0, 2.0], [3.0]], object()])
def test_what_is_no_array(model, x):
    with pytest.raises((ValueError, TypeError), match=model.name):
        model.predict(x)


def test_verbose(capsys, model):
    x = np.ones((40, 3), "float32")
    model.predict(x)
    model.predict(x, verbose=0)
    assert capsys.readouterr() == ("", "")
    model.predict(x, verbose=1)
    out = capsys.readouterr().out
    assert "2/2 ━━━━━━━━━━━━━━━━━━━━" in out
    assert "/step" in out
    assert out.endswith("\n")
    model.predict(x, verbose=2)
    assert capsys.readouterr().out.startswith("2/2 - 0s - ")


def test_a_bar_appears_for_long_work(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    model = recording([])
    model.predict(np.ones((100, 3), "float32"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "1/4 ━━━━━ " in captured.err
    assert "4/4 ━━━━━━━━━━━━━━━━━━━━" in captured.err
    coreops.config.disable_interactive_logging()
    try:
        model.predict(np.ones((100, 3), "float32"))
    finally:
        coreops.config.enable_interactive_logging()
    assert capsys.readouterr().err == ""


def test_no_bar_goes_into_a_log(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    recording([]).predict(np.ones((100, 3), "float32"))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setitem(sys.modules, "ipykernel", None)  # a notebook shows it
    recording([]).predict(np.ones((100, 3), "float32"))
    assert "4/4" in capsys.readouterr().err


def test_a_narrow_terminal_cuts_the_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr(progress.os, "get_terminal_size", lambda _: os.terminal_size((20, 5)))
    recording([]).predict(np.ones((100, 3), "float32"), verbose=1)
    pictures = capsys.readouterr().out.rstrip("\n").split("\r")[1:]
    assert pictures[-1].startswith("4/4 ━━━")
    assert {len(picture) for picture in pictures} == {19}


def test_a_process_without_streams_can_predict(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    model = recording([])
    assert model.predict(np.ones((3, 3), "float32")).shape == (3, 4)


def test_an_interrupt_comes_out_at_once():
    calls = []

    def interrupted(x):
        calls.append(len(x))
        raise KeyboardInterrupt

    model = Sequential([Input((3,)), Lambda(interrupted, output_shape=(3,))])
    with pytest.raises(KeyboardInterrupt):
        model.predict(np.ones((1000, 3), "float32"), verbose=0)
    assert calls == [32]
    with pytest.raises(KeyboardInterrupt):
        model.predict(np.ones((1000, 3), "float32"), verbose=0)


def test_the_second_prediction_goes_straight_to_the_kernels(monkeypatch):
    model = Sequential([Input((4,)), Dense(3)])
    x = np.ones((2, 4), np.float32)
    first = model.predict(x, verbose=0)
    monkeypatch.setattr(model, "_predict", None)
    np.testing.assert_array_equal(model.predict(x, verbose=0), first)
    assert model.predict(x[:0], verbose=0).shape == (0, 3)


def test_weights_that_change_are_seen_by_the_next_prediction():
    model = Sequential([Input((4,)), Dense(3)])
    x = np.ones((2, 4), np.float32)
    model.predict(x, verbose=0)
    model.set_weights([np.ones((4, 3)), np.zeros(3)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.full((2, 3), 4, np.float32))


def test_a_prediction_does_not_hide_activity_penalties_from_a_call():
    model = Sequential([Input((4,)), Dense(3, activity_regularizer="l2")])
    x = np.ones((2, 4), np.float32)
    model.predict(x, verbose=0)
    model.predict(x, verbose=0)
    model(x)
    assert len(model.losses) == 1
