"""The table of a model's layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..layers import Layer
from .functional import Functional
from .model import Model

_LINE_LENGTH = 76
_POSITIONS = (0.46, 0.797, 1.0)
_POSITIONS_TRAINABLE = (0.41, 0.735, 0.9, 1.0)
_POSITIONS_CONNECTED = (0.3, 0.56, 0.74, 1.0)
_POSITIONS_ALL = (0.27, 0.5, 0.66, 0.9, 1.0)
_NARROWEST = 3


def summary(
    model: Model,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    *,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """Return the text of `Model.summary`."""
    layers = _selected(model, layer_range)
    rows = list(_rows(model, layers, expand_nested, 0))
    connected = branches(model)
    header = ["Layer (type)", "Output Shape", "Param #", "Connected to", "Trainable"]
    kept = [0, 1, 2] + [3] * connected + [4] * show_trainable
    header, rows = [header[i] for i in kept], [[row[i] for i in kept] for row in rows]
    if positions is None:
        positions = (
            (_POSITIONS, _POSITIONS_TRAINABLE),
            (_POSITIONS_CONNECTED, _POSITIONS_ALL),
        )[connected][show_trainable]
    if len(positions) != len(header) or any(a >= b for a, b in pairwise(positions)):
        raise ValueError(
            f"summary: `positions` needs {len(header)} increasing numbers. Received: {positions}"
        )
    centred = len(header) - 1 if show_trainable else -1
    widths = _widths(line_length or _LINE_LENGTH, positions)
    lines = [f'Model: "{model.name}"', _rule("┏┳┓━", widths), *_cells(header, widths, "┃", centred)]
    for index, row in enumerate(rows):
        lines.append(_rule("├┼┤─" if index else "┡╇┩━", widths))
        lines += _cells(row, widths, "│", centred)
    lines.append(_rule("└┴┘─" if rows else "┗┻┛━", widths))
    return "\n".join(lines + _totals([layer for layer, _ in layers]))


def _selected(model: Model, layer_range: Sequence[str] | None) -> list[tuple[Layer, Any]]:
    """Return the layers to show, each with its output shape."""
    shown = model.operations if isinstance(model, Functional) else model.layers
    layers = list(zip(shown, model._layer_shapes(), strict=True))
    if layer_range is None:
        return layers
    if len(layer_range) != 2:
        raise ValueError(
            "summary: `layer_range` must hold the names of a first and a last layer. "
            f"Received: {layer_range}"
        )
    found = [
        [i for i, (layer, _) in enumerate(layers) if re.match(pattern, layer.name)]
        for pattern in layer_range
    ]
    if not all(found):
        raise ValueError(
            f"summary: `layer_range` names no layers of the model. Received: {list(layer_range)}; "
            f"the model has: {[layer.name for layer, _ in layers]}"
        )
    return layers[min(found[0]) : max(found[1]) + 1]


def branches(model: Model) -> bool:
    """Whether the layers of a model do not simply follow one another, each called once."""
    if not isinstance(model, Functional):
        return False
    depths = list(model._topology.depths.values())
    nodes = model._topology.nodes
    return (
        len(set(depths)) < len(depths)
        or any(len(node.inputs) > 1 for node in nodes)
        or len({id(node.layer) for node in nodes}) < len(nodes)
    )


def _connections(model: Model, layer: Layer) -> str:
    """Return where a layer's inputs come from: layer, number of its call, output."""
    if not isinstance(model, Functional):
        return "-"
    own = {id(node) for node in model._topology.nodes}
    sources = [
        f"{x.node.layer.name}[{x.node.number}][{x.index}]"
        for node in layer._inbound_nodes
        if id(node) in own
        for x in node.inputs
        if x.node is not None
    ]
    return ", ".join(sources) or "-"


def _rows(
    model: Model, layers: list[tuple[Layer, Any]], expand: bool, depth: int
) -> Iterator[list[str]]:
    for layer, shape in layers:
        prefix = "   " * depth + "└ " if depth else ""
        count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        trainable = ("Y" if layer.trainable else "N") if layer.weights else "-"
        yield [
            f"{prefix}{layer.name} ({type(layer).__name__})",
            "?" if shape is None else str(shape),
            count,
            _connections(model, layer),
            trainable,
        ]
        if expand and isinstance(layer, Model):
            yield from _rows(layer, _selected(layer, None), expand, depth + 1)


def _widths(line_length: int, positions: Sequence[float]) -> list[int]:
    """Return the columns' widths inside the borders."""
    room = max(line_length - len(positions) - 1, _NARROWEST * len(positions))
    last = positions[-1] if positions[-1] > 1 else 1.0
    ends = [round(room * position / last) for position in positions]
    ends[-1] = room
    return [max(end - start, _NARROWEST) for start, end in zip([0, *ends], ends, strict=False)]


def _rule(characters: str, widths: list[int]) -> str:
    left, middle, right, line = tuple(characters)
    return left + middle.join(line * width for width in widths) + right


def _cells(texts: list[str], widths: list[int], border: str, centred: int) -> Iterator[str]:
    """Yield the lines of one row; long texts are broken. centred: a column, or -1."""
    wrapped = [_broken(text, width - 2) for text, width in zip(texts, widths, strict=True)]
    for index in range(max(len(lines) for lines in wrapped)):
        cells = []
        for column, (lines, width) in enumerate(zip(wrapped, widths, strict=True)):
            text = lines[index] if index < len(lines) else ""
            align = {2: str.rjust, centred: str.center}.get(column, str.ljust)
            cells.append(f" {align(text, width - 2)} ")
        yield border + border.join(cells) + border


def _broken(text: str, width: int) -> list[str]:
    lines = []
    while len(text) > width:
        cut = text.rfind(" ", 1, width + 1)
        cut = cut if text[: max(cut, 0)].strip() else width
        lines.append(text[:cut])
        text = text[cut:].lstrip()
    return [*lines, text]


def _totals(layers: list[Layer]) -> list[str]:
    weights = list({id(v): v for layer in layers for v in layer.weights}.values())
    trainable = {id(v) for layer in layers for v in layer.trainable_weights}
    groups = {
        "Total": weights,
        "Trainable": [v for v in weights if id(v) in trainable],
        "Non-trainable": [v for v in weights if id(v) not in trainable],
    }
    return [f" {name} params: {_amount(group)}" for name, group in groups.items()]


def _amount(variables: list[Any]) -> str:
    count = sum(v.size for v in variables)
    size = float(sum(v.size * np.dtype(v.dtype).itemsize for v in variables))
    unit = "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{count:,} ({size:.2f} {unit})"
