"""A run as a picture: how many times the fastest peer each case is, and how many times NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .results import Row, Run

Frame = tuple[float, float, float, float]

# On a ground of its own, so that it reads the same on a light and on a dark page.
GROUND, INK, PALE, BAND = "#fbfaf7", "#24292f", "#6e7781", "#f1efe9"
AHEAD, BEHIND, NUMPY = "#0b6e8a", "#c2410c", "#9aa2ab"
ROW_INCHES, WIDTH_INCHES = 0.21, 8.9
HEADINGS = {
    "dense": "Dense, batch x in x out",
    "skinny": "Dense, narrow",
    "mlp": "Whole models",
    "lstm": "LSTM",
    "precision": "Lower precision",
    "training": "Training, one step",
}


def draw(run: Run, path: str) -> None:
    """Draw the rows with the fewest threads into an .svg or .png file, without those of the load
    test, which are whole models once more.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    fewest = min(row.threads for row in run.rows)
    rows = [
        row
        for row in run.rows
        if row.threads == fewest and row.group != "load" and row.against("best")
    ]
    places, headings = _places(rows)
    height = max(places, default=0) + 1
    # a picture of the same run is the same file
    font = {"font.size": 8.5, "svg.fonttype": "path", "svg.hashsalt": "coreops"}
    with rc_context(font):
        figure = Figure((WIDTH_INCHES, ROW_INCHES * height + 1.35), facecolor=GROUND)
        axes = figure.add_axes(_frame(figure, left=2.95, right=1.3, top=1.0, bottom=0.35))
        _points(axes, rows, places)
        _scale(axes, rows, height)
        for place, text in headings:
            axes.text(
                -0.6, place, text, transform=_left(axes), weight="bold", color=INK, va="center"
            )
        _titles(figure, axes, run, fewest)
        undated = {"Date": None} if path.endswith(".svg") else None
        figure.savefig(path, dpi=160, facecolor=GROUND, metadata=undated)


def _places(rows: Sequence[Row]) -> tuple[list[float], list[tuple[float, str]]]:
    """Where each row stands, from the top, and where each group's heading."""
    places: list[float] = []
    headings: list[tuple[float, str]] = []
    y, group = -0.4, None
    for row in rows:
        if row.group != group:
            group = row.group
            headings.append((y + 0.4, HEADINGS.get(group, group.capitalize())))
            y += 1.4
        places.append(y)
        y += 1
    return places, headings


def _frame(figure: Any, left: float, right: float, top: float, bottom: float) -> Frame:
    """Margins in inches as the fractions that matplotlib wants."""
    width, height = figure.get_size_inches()
    return (
        left / width,
        bottom / height,
        (width - left - right) / width,
        (height - top - bottom) / height,
    )


def _left(axes: Any) -> Any:
    """Across in parts of the axes, down in rows."""
    return axes.get_yaxis_transform()


def _points(axes: Any, rows: Sequence[Row], places: Sequence[float]) -> None:
    for number, (row, y) in enumerate(zip(rows, places, strict=True)):
        if number % 2:
            axes.axhspan(y - 0.5, y + 0.5, color=BAND, linewidth=0, zorder=0)
        best, numpy = row.against("best"), row.against("numpy")
        assert best is not None
        assert row.best is not None
        color = AHEAD if best >= 1 else BEHIND
        if numpy is not None:
            axes.plot([best, numpy], [y, y], color=NUMPY, linewidth=0.8, zorder=1)
            axes.plot(numpy, y, "o", mfc=GROUND, mec=NUMPY, ms=4.5, zorder=2)
        axes.plot(best, y, "o", color=color, ms=6, zorder=3)
        name = row.case.removeprefix(f"{row.group} ")
        axes.text(-0.015, y, name, transform=_left(axes), ha="right", va="center", color=INK)
        side = f"{best:.2f}  {row.best[0]}"
        axes.text(1.02, y, side, transform=_left(axes), va="center", color=color, size=8)


def _scale(axes: Any, rows: Sequence[Row], height: float) -> None:
    ratios = [r for row in rows for name in ("best", "numpy") if (r := row.against(name))]
    low, high = min([*ratios, 0.9]), max([*ratios, 2.2])
    axes.set_xscale("log", base=2)
    axes.set_xlim(low / 1.15, high * 1.15)
    axes.set_ylim(height - 0.2, -0.9)
    ticks = [2.0**n for n in range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)]
    ticks = [t for t in ticks if low / 1.15 <= t <= high * 1.15]
    axes.set_xticks(ticks, [f"{t:g}x" for t in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="x", colors=PALE, length=0)
    axes.set_yticks([])
    axes.grid(axis="x", color="#dedbd3", linewidth=0.6, zorder=0)
    axes.axvline(1, color=INK, linewidth=1, zorder=1)
    axes.set_facecolor(GROUND)
    for side in axes.spines.values():
        side.set_visible(False)


def _titles(figure: Any, axes: Any, run: Run, threads: int) -> None:
    height = figure.get_size_inches()[1]
    noun = "one thread" if threads == 1 else f"{threads} threads"
    top = lambda inches: 1 - inches / height  # noqa: E731
    figure.text(
        0.02,
        top(0.26),
        "How many times as fast coreops is (logarithmic scale)",
        size=12,
        weight="bold",
        color=INK,
    )
    figure.text(
        0.02,
        top(0.47),
        f"{noun}, tier {run.machine['tier']}, {run.machine['cpu']}; against "
        + ", ".join(n for n in run.peers if n != "coreops"),
        size=8,
        color=PALE,
    )
    from matplotlib.lines import Line2D

    def dot(label: str, face: str, edge: str) -> Line2D:
        return Line2D(
            [], [], marker="o", linestyle="", markersize=6, mfc=face, mec=edge, label=label
        )

    axes.legend(
        handles=[
            dot("against the fastest of them (named at the right)", AHEAD, AHEAD),
            dot("where that one is ahead", BEHIND, BEHIND),
            dot("against NumPy by hand", GROUND, NUMPY),
        ],
        loc="center left",
        bbox_to_anchor=(0.008, top(0.7)),
        bbox_transform=figure.transFigure,
        ncols=3,
        columnspacing=1.5,
        frameon=False,
        fontsize=8,
        labelcolor=PALE,
        handletextpad=0.1,
    )
