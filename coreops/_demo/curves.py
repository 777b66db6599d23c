"""The curves of `coreops demo --train` as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

# On a ground of its own, so that it reads the same on a light and on a dark page.
GROUND, INK, PALE, GRID = "#fbfaf7", "#24292f", "#6e7781", "#dedbd3"
OURS, SEEN, KERAS = "#0b6e8a", "#9aa2ab", "#c2410c"
WIDTH, HEIGHT = 9.6, 5.6  # inches
MISTAKES = 14  # as many images as there is room for


def draw(path: str, curves: dict[str, np.ndarray], data: Any, model: Any, seconds: float) -> None:
    """Draw loss and accuracy of all networks, and what the last one takes for something else.

    Args:
        path: an .svg or .png file.
        curves: by the names of a history: a row for each network, a column for each epoch.
        data: the digits, with Keras' curves.
        model: the last network.
        seconds: that training one took.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # a picture of the same run is the same file
    with rc_context({"font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "coreops"}):
        figure = Figure((WIDTH, HEIGHT), facecolor=GROUND)
        for left, name, title in ((0.055, "loss", "Loss"), (0.575, "accuracy", "Accuracy")):
            axes = figure.add_axes((left, 0.33, 0.4, 0.445))
            _lines(axes, name, title, curves, data.keras[f"val_{name}"])
        _mistakes(figure, data, model)
        _titles(figure, curves, data, seconds)
        undated = {"Date": None} if path.endswith(".svg") else None
        figure.savefig(path, dpi=160, facecolor=GROUND, metadata=undated)


def _lines(
    axes: Any, name: str, title: str, curves: dict[str, np.ndarray], keras: np.ndarray
) -> None:
    held = curves[f"val_{name}"]
    epochs = np.arange(1, held.shape[1] + 1)
    axes.fill_between(epochs, held.min(0), held.max(0), color=OURS, alpha=0.13, linewidth=0)
    axes.plot(epochs, curves[name].mean(0), color=SEEN, linewidth=1.3)
    axes.plot(np.arange(1, keras.shape[1] + 1), keras.mean(0), color=KERAS, linewidth=1.3)
    axes.plot(epochs, held.mean(0), color=OURS, linewidth=1.9)
    axes.set_xlim(1, epochs[-1])
    if name == "loss":
        axes.set_yscale("log")
        least, most = curves[name].mean(0).min(), held.max()
        ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2) if 0.8 * least < t < most]
        axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    else:
        axes.set_ylim(0.9, 1)
        shares = [0.9, 0.92, 0.94, 0.96, 0.98, 1]
        axes.set_yticks(shares, [f"{share:.0%}" for share in shares])
    axes.minorticks_off()
    axes.set_title(title, loc="left", weight="bold", color=INK, size=10)
    axes.set_xlabel("epoch", color=PALE)
    axes.tick_params(colors=PALE, length=0)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_facecolor(GROUND)
    for side in axes.spines.values():
        side.set_visible(False)


def _mistakes(figure: Any, data: Any, model: Any) -> None:
    """Each held-out digit that the network gets wrong, with what it is and what it was read as."""
    from matplotlib.colors import LinearSegmentedColormap

    ink = LinearSegmentedColormap.from_list("ink", ["#f1efe9", INK])
    read = np.asarray(model.predict(data.held_images, verbose=0)).argmax(axis=1)
    wrong = np.flatnonzero(read != data.held_labels)
    figure.text(
        0.02,
        0.215,
        f"The last network reads {len(wrong)} of the {len(read)} held-out digits wrongly"
        + (f", among them {MISTAKES}:" if len(wrong) > MISTAKES else ":"),
        weight="bold",
        color=INK,
        size=10,
    )
    for place, which in enumerate(wrong[:MISTAKES]):
        axes = figure.add_axes((0.02 + place * 0.0695, 0.075, 0.056, 0.12))
        axes.imshow(data.held_images[which].reshape(8, 8), cmap=ink, vmin=0, vmax=1)
        axes.set_axis_off()
        text = f"{data.held_labels[which]}, not {read[which]}"
        axes.text(0.5, -0.12, text, transform=axes.transAxes, ha="center", va="top", size=8,
                  color=INK)  # fmt: skip


def _titles(figure: Any, curves: dict[str, np.ndarray], data: Any, seconds: float) -> None:
    from matplotlib.lines import Line2D

    networks, epochs = curves["val_loss"].shape
    reached = curves["val_accuracy"][:, -1].mean()
    figure.text(
        0.02,
        0.945,
        f"Handwritten digits: from nothing to {reached:.1%} in {seconds:.2g} s, trained by coreops",
        size=13,
        weight="bold",
        color=INK,
    )
    figure.text(
        0.02,
        0.905,
        f"64 - 128 - 64 - 10, dropout 0.3, Adam; {len(data.labels):,} digits, {epochs} epochs; "
        f"means of {networks} networks, the band from the least to the greatest",
        size=8.5,
        color=PALE,
    )
    kinds = {
        "held-out digits": (OURS, 1.9),
        "the same, by Keras": (KERAS, 1.3),
        "training digits, with dropout": (SEEN, 1.3),
    }
    figure.legend(
        handles=[Line2D([], [], color=c, linewidth=w, label=t) for t, (c, w) in kinds.items()],
        loc="upper left",
        bbox_to_anchor=(0.0105, 0.893),
        ncols=3,
        frameon=False,
        labelcolor=INK,
        fontsize=8.5,
    )
