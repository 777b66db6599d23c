"""Model.summary."""

import pytest

import coreops
from coreops.layers import Activation, Dense, Dropout, Input
from coreops.models import Sequential


@pytest.fixture
def model():
    return Sequential([Input((3,)), Dense(4), Dropout(0.5), Dense(1)], name="net")


def text(model, **kwargs):
    lines = []
    assert model.summary(print_fn=lines.append, **kwargs) is None
    return "\n".join(lines)


def test_the_table(capsys, model):
    expected = """\
Model: "net"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ (None, 4)              │            16 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dropout (Dropout)               │ (None, 4)              │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 1)              │             5 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 21 (84.00 B)
 Trainable params: 21 (84.00 B)
 Non-trainable params: 0 (0.00 B)
"""
    model.summary()
    assert capsys.readouterr().out == expected
    assert text(model) + "\n" == expected


def test_an_unbuilt_model():
    table = text(Sequential([Dense(4), Activation("relu")]))
    assert "│ dense (Dense)                   │ ?                      │   0 (unbuilt) │" in table
    assert "│ activation (Activation)         │ ?                      │             0 │" in table
    assert "Total params: 0 (0.00 B)" in text(Sequential())


def test_nested_and_trainable(model):
    model.layers[0].trainable = False
    outer = Sequential([Input((3,)), model, Dense(1024)], name="outer")
    table = text(outer)
    assert "│ net (Sequential)                │ (None, 1)              │            21 │" in table
    assert "dense_2" not in table.replace("dense_2 (Dense)", "", 1)
    assert "Total params: 2,069 (8.08 KB)" in table
    assert "Non-trainable params: 16 (64.00 B)" in table
    table = text(outer, expand_nested=True, show_trainable=True)
    assert "│    └ dense (Dense)          │ (None, 4)             │         16 │   N   │" in table
    assert "│    └ dropout (Dropout)      │ (None, 4)             │          0 │   -   │" in table
    assert "│    └ dense_1 (Dense)        │ (None, 1)             │          5 │   Y   │" in table


def test_width_and_columns(model):
    for line in text(model, line_length=60).splitlines()[1:-3]:
        assert len(line) == 60
    assert "┃ Layer (type)             ┃ Output Shape      ┃   Param # ┃" in text(
        model, line_length=60
    )
    narrow = text(model, line_length=30)
    assert all(len(line) == 30 for line in narrow.splitlines()[1:-3])
    wide = text(model, positions=[0.5, 0.75, 1.0])
    assert wide.splitlines()[1].split("┳")[0] == "┏" + "━" * 36
    with pytest.raises(ValueError, match="positions"):
        text(model, positions=[0.5, 1.0])
    with pytest.raises(ValueError, match="positions"):
        text(model, positions=[0.5, 0.4, 1.0])


def test_layer_range(model):
    table = text(model, layer_range=["dropout", "dense_1"])
    assert "dense (Dense)" not in table
    assert "Total params: 5 (20.00 B)" in table
    with pytest.raises(ValueError, match="nonsense"):
        text(model, layer_range=["nonsense", "dense"])
    with pytest.raises(ValueError, match="layer_range"):
        text(model, layer_range=["dense"])


@pytest.mark.parity
def test_as_keras(keras):
    def build(package):
        return package.Sequential(
            [package.Input((3,)), package.layers.Dense(4), package.layers.Flatten()], name="net"
        )

    keras.backend.clear_session()
    lines = []
    build(keras).summary(print_fn=lambda line, **_: lines.append(line))
    theirs = "\n".join(lines).split()
    assert text(build(coreops)).split() == theirs
