"""What coreops is held to, and how far a run shows it: ratios to the best peer and shares of the
measured limits, never times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .results import Row

Values = Sequence[float | None]


@dataclass(frozen=True)
class Target:
    """One line.

    Args:
        text: what it is about.
        wanted: the least figure (the greatest, if `most`).
        values: the figures of a run; the worst one counts, or their geometric mean.
    """

    text: str
    wanted: float
    values: Callable[[Sequence[Row]], Values]
    most: bool = False
    mean: bool = False
    percent: bool = False

    def reached(self, rows: Sequence[Row]) -> float | None:
        """Return the figure, or None if the run has none of the cases."""
        found = [value for value in self.values(rows) if value is not None]
        if not found:
            return None
        if self.mean:
            return math.exp(sum(map(math.log, found)) / len(found))
        return max(found) if self.most else min(found)


def _against(name: str, *words: str, threads: int = 1) -> Callable[[Sequence[Row]], Values]:
    return lambda rows: [r.against(name) for r in _chosen(rows, words, threads)]


def _share(*words: str, least_bytes: int = 0) -> Callable[[Sequence[Row]], Values]:
    return lambda rows: [r.share for r in _chosen(rows, words, 1) if r.bytes >= least_bytes]


def _chosen(rows: Sequence[Row], words: tuple[str, ...], threads: int) -> list[Row]:
    """The rows whose case is one of the words or whose group is."""
    return [r for r in rows if r.threads == threads and (r.case in words or r.group in words)]


def _scaling(rows: Sequence[Row]) -> Values:
    """One thread against two, for work above 1 ms."""
    one = {r.case: r.ours.median for r in rows if r.threads == 1 and r.ours}
    return [
        one[r.case] / r.ours.median
        for r in rows
        if r.threads == 2 and r.ours and one.get(r.case, 0) > 1e-3
    ]


def _loaded(index: int) -> Callable[[Sequence[Row]], Values]:
    """The median (0) or the 99th percentile (1) with every core busy, over the quiet median."""
    return lambda rows: [
        r.ours.load["busy"][index] / r.ours.load["quiet"][0]
        for r in rows
        if r.ours and r.ours.load and r.threads > 1
    ]


def _accuracy(rows: Sequence[Row]) -> Values:
    """The error of products at the highest precision over that of NumPy's float32."""
    return [
        r.times["coreops"].error / r.times["numpy"].error
        for r in _chosen(rows, _COMPUTE, 1)
        if {"coreops", "numpy"} <= r.times.keys()
    ]


_COMPUTE = ("dense 256x512x512", "dense 2048x2048x2048")
_MLP = "mlp 784-512-512-10 batch"
_MASKED = tuple(f"masking, lstm {n}" for n in ("32 1x20x8", "64 1x50x32", "128 32x100x64"))
_STREAM = ("dense 1x1024x1024", "dense 1x2048x2048")


def targets(tier: str) -> list[Target]:
    """Return the lines for a tier: a matrix unit has to show more."""
    amx = tier == "amx"
    products = (
        [
            Target("compute-bound dense, highest, x best", 2.5, _against("best", *_COMPUTE)),
            Target("... error over NumPy's", 1.0, _accuracy, most=True),
            *(
                Target(
                    f"... {mode}, x best",
                    wanted,
                    _against("best", *(f"{name}, {mode}" for name in _COMPUTE)),
                )
                for mode, wanted in (("high", 5), ("medium", 9))
            ),
        ]
        if amx
        else [Target("compute-bound dense, of the FMA peak", 0.92, _share(*_COMPUTE), percent=True)]
    )
    return [
        Target("mlp 16-64-64-1, batch 1, x best", 4, _against("best", "mlp 16-64-64-1 batch 1")),
        Target(
            "mlp 784-512-512-10, batch 1 and 8, x best",
            1.5 if amx else 1.3,
            _against("best", f"{_MLP} 1", f"{_MLP} 8"),
        ),
        Target(
            "... batch 64 and up, x best",
            2.5 if amx else 1.3,
            _against("best", f"{_MLP} 64", f"{_MLP} 512", f"{_MLP} 4096"),
        ),
        *products,
        Target("dense, batch 1, large weights, x best", 1.3, _against("best", *_STREAM)),
        Target("... of a plain read", 0.9, _share(*_STREAM), percent=True),
        Target("lstm with masks, x best", 3, _against("best", *_MASKED)),
        Target("permute, mean, x best", 1.5, _against("best", "permute"), mean=True),
        Target("... the least, x best", 1, _against("best", "permute")),
        Target(
            "... of a copy, from 1 MiB up",
            0.85,
            _share("permute", least_bytes=1 << 20),
            percent=True,
        ),
        Target("dropout, x NumPy", 8, _against("numpy", "dropout")),
        Target(
            "... of a copy, from 1 MiB up",
            0.85,
            _share("dropout", least_bytes=1 << 20),
            percent=True,
        ),
        Target("masking, x best", 2, _against("best", "masking")),
        Target(
            "... of a copy, from 1 MiB up",
            0.85,
            _share("masking", least_bytes=1 << 20),
            percent=True,
        ),
        Target("training step, x best", 2, _against("best", "training")),
        Target("two threads against one, above 1 ms", 1.9, _scaling),
        Target("every core busy: median over the quiet one", 3, _loaded(0), most=True),
        Target("... 99th percentile over the quiet median", 10, _loaded(1), most=True),
    ]


def report(rows: Sequence[Row], tier: str) -> str:
    """Return a line for each target that the run can show."""
    lines = []
    for target in targets(tier):
        value = target.reached(rows)
        if value is None:
            continue
        good = value <= target.wanted if target.most else value >= target.wanted
        form = "{:.0%}" if target.percent else "{:.2f}"
        lines.append(
            f"{target.text:46} {form.format(target.wanted):>8} {form.format(value):>8}"
            f"  {'reached' if good else 'not reached'}"
        )
    names = dict.fromkeys(name for row in rows for name in row.times if name != "coreops")
    return "\n".join(
        [
            f"targets; the worst case counts; best of {', '.join(names)}",
            f"{'':46} {'wanted':>8} {'here':>8}",
            *lines,
        ]
    )
