"""A run as text: a line a case, every peer's time, and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .results import Change, Row, Run

_HEAD = (
    f"{'case':42} {'thr':>3} {'coreops':>10} {'best peer':>22} {'x best':>7} "
    f"{'x NumPy':>7} {'rate':>14} {'of limit':>8}"
)


def seconds(value: float) -> str:
    """A time with three figures and its unit."""
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if value * factor < 1000:
            return f"{_three(value * factor)} {unit}"
    return f"{_three(value)} s"


def _three(value: float) -> str:
    if value <= 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:.{min(digits, 3)}f}"


def rate(row: Row) -> str:
    """What coreops reaches, in the unit of the limit that holds here."""
    if row.ours is None:
        return ""
    amount, unit = (row.flops, "GFLOP/s") if row.limit == "flops" else (row.bytes, "GB/s")
    return f"{amount / row.ours.median / 1e9:.1f} {unit}"


def head(run: Run) -> str:
    """What was measured on what."""
    machine = run.machine
    lines = [
        f"coreops {machine['coreops']}, tier {machine['tier']}, float32; {machine['cpu']}, "
        f"{machine['cores']} core{'s' * (machine['cores'] != 1)}; {machine['platform']}",
        "against " + ", ".join(f"{n} {v}" for n, v in run.peers.items() if n != "coreops"),
        f"one core: {run.peaks['flops'] / 1e9:.0f} GFLOP/s; "
        + "; ".join(
            f"{name} {', '.join(f'{v / 1e9:.0f}' for v in run.peaks[name].values())} GB/s"
            for name in ("read", "copy")
        )
        + f" with buffers of {', '.join(run.peaks['copy'])} KiB",
        f"medians of {run.settings['rounds']} rounds of {run.settings['slice'] * 1e3:.0f} ms, "
        "in turns",
        *machine.get("notes", ()),
        "",
        _HEAD,
    ]
    return "\n".join(lines)


def line(row: Row) -> str:
    """One case."""
    times = lambda name: "" if (r := row.against(name)) is None else f"{r:.2f}"  # noqa: E731
    best = f"{seconds(row.best[1].median)} {row.best[0]}" if row.best else "-"
    share = "" if row.share is None else f"{row.share:.0%}"
    ours = "-" if row.ours is None else seconds(row.ours.median)
    text = (
        f"{row.case:42} {row.threads:3} {ours:>10} {best:>22} {times('best'):>7} "
        f"{times('numpy'):>7} {rate(row):>14} {share:>8}"
    )
    faults = [f"    {n}: {why}" for n, why in row.left_out.items() if not why.startswith("cannot")]
    return "\n".join([text.rstrip(), *faults])


def everyone(run: Run) -> str:
    """Every peer's time of every case, in microseconds."""
    names = [name for name in run.peers if any(name in row.times for row in run.rows)]
    width = [max(10, len(name) + 1) for name in names]
    head = f"{'microseconds':42} {'thr':>3}" + "".join(
        f"{name:>{w}}" for name, w in zip(names, width, strict=True)
    )
    lines = [head]
    for row in run.rows:
        cells = [
            f"{_three(row.times[n].median * 1e6) if n in row.times else '-':>{w}}"
            for n, w in zip(names, width, strict=True)
        ]
        lines.append(f"{row.case:42} {row.threads:3}" + "".join(cells))
    return "\n".join(lines)


def loaded(rows: Iterable[Row]) -> str:
    """The calls on a busy machine; nothing if there were none."""
    lines = []
    for row in rows:
        for name, time in row.times.items():
            if time.load is not None:
                (m0, p0), (m1, p1) = time.load["quiet"], time.load["busy"]
                lines.append(
                    f"{row.case:42} {row.threads:3} {name:>12} {seconds(m0):>9} / {seconds(p0):>8}"
                    f" {seconds(m1):>11} / {seconds(p1):>8} {m1 / m0:9.1f} / {p1 / m0:.1f}"
                )
    if not lines:
        return ""
    head = (
        f"{'median / 99th percentile of single calls':42} {'thr':>3} {'':12} {'quiet':>20} "
        f"{'each core busy':>22} {'x quiet median':>15}"
    )
    return "\n".join([head, *lines])


def means(rows: Sequence[Row]) -> str:
    """The geometric mean of each group against the best peer, and how many cases are behind it."""
    lines = []
    keys = dict.fromkeys((row.group, row.threads) for row in rows)
    for group, threads in keys:
        ratios = [
            ratio
            for row in rows
            if (row.group, row.threads) == (group, threads) and (ratio := row.against("best"))
        ]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            behind = sum(ratio < 1 for ratio in ratios)
            lines.append(
                f"{group:12} {threads:3} {len(ratios):6} {mean:10.2f} {min(ratios):8.2f} {behind:8}"
            )
    head = f"{'group':12} {'thr':>3} {'cases':>6} {'geom. mean':>10} {'least':>8} {'behind':>8}"
    return "\n".join([head, *lines]) if lines else ""


def changes(found: Sequence[Change]) -> str:
    """Two runs, case by case."""
    lines = [
        f"{'x yardstick of the same run':42} {'thr':>3} {'':8}{'old':>8}{'new':>8}{'ratio':>8}"
    ]
    for c in found:
        lines.append(
            f"{c.case:42} {c.threads:3} {c.yardstick:8}{c.old:8.2f}{c.new:8.2f}{c.ratio:8.2f}"
            + ("  slower" if c.slower else "")
        )
    return "\n".join(lines)
