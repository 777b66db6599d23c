"""The figures of a run: what is kept of them, in which file, and how two runs compare."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1
# A ratio that fell by more than this is called slower: medians of one case, repeated on a machine
# with neighbours, differ by up to a tenth.
WORSE = 0.85


@dataclass
class Timing:
    """Seconds of one call: the median of the rounds' medians, and their quartiles.

    Args:
        error: the largest error of its result, relative to the largest value.
        how: which of the library's ways was the fastest.
        load: seconds of single calls on a busy machine, where that was measured:
            {"quiet": [median, 99th percentile], "busy": [the same]}.
    """

    median: float
    low: float
    high: float
    error: float = 0.0
    how: str = ""
    load: dict[str, list[float]] | None = None


def timing(rounds: Sequence[float], error: float = 0.0, how: str = "") -> Timing:
    """Sum up the rounds of one library."""
    if len(rounds) < 2:
        return Timing(rounds[0], rounds[0], rounds[0], error, how)
    low, middle, high = statistics.quantiles(rounds, n=4, method="inclusive")
    return Timing(middle, low, high, error, how)


@dataclass
class Row:
    """One case with one number of threads.

    Args:
        times: by the name of the peer; coreops' own too.
        left_out: why the others have no time, by the name of the peer.
        roof: seconds of the limits of as many cores: {"flops": ..., "bytes": ...}.
    """

    case: str
    group: str
    threads: int
    flops: int
    bytes: int
    times: dict[str, Timing] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    roof: dict[str, float] = field(default_factory=dict)

    @property
    def ours(self) -> Timing | None:
        """coreops' time."""
        return self.times.get("coreops")

    @property
    def best(self) -> tuple[str, Timing] | None:
        """The fastest of the others."""
        others = [(name, t) for name, t in self.times.items() if name != "coreops"]
        return min(others, key=lambda pair: pair[1].median) if others else None

    def against(self, name: str) -> float | None:
        """Return how many times faster coreops is than one of the others ("best": the fastest)."""
        other = self.best[1] if name == "best" and self.best else self.times.get(name)
        return other.median / self.ours.median if self.ours and other else None

    @property
    def limit(self) -> str:
        """Which limit is the lower one: "flops" or "bytes"."""
        return max(self.roof, key=lambda kind: self.roof[kind]) if self.roof else "bytes"

    @property
    def share(self) -> float | None:
        """The part of that limit which coreops reaches."""
        return self.roof[self.limit] / self.ours.median if self.ours and self.roof else None


@dataclass
class Run:
    """All rows of a run, with what they were measured on.

    Args:
        machine: the CPU, its cores, coreops' tier and version, the platform.
        peers: versions by name.
        peaks: of one core (peers/roof_flops.py).
        settings: of the run.
    """

    machine: dict[str, Any]
    peers: dict[str, str] = field(default_factory=dict)
    peaks: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def dump(self) -> str:
        """Return the run as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def parse(cls, text: str) -> Run:
        """Return the run that `dump` wrote.

        Raises:
            ValueError: it is not such a text.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ValueError(f"not a file of this benchmark (format {FORMAT})")
        try:
            rows = [
                Row(**{**row, "times": {k: Timing(**t) for k, t in row["times"].items()}})
                for row in content.pop("rows")
            ]
            return cls(rows=rows, **content)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a file of this benchmark ({error})") from None


@dataclass
class Change:
    """A case in two runs: how many times faster than the yardstick it was and is."""

    case: str
    threads: int
    yardstick: str
    old: float
    new: float

    @property
    def ratio(self) -> float:
        """Above 1 is faster than before."""
        return self.new / self.old

    @property
    def slower(self) -> bool:
        """Whether it lost more than the noise."""
        return self.ratio < WORSE


def compare(old: Run, new: Run) -> list[Change]:
    """Hold two runs against each other, case by case: not their times, which differ between
    machines and days, but their ratios to NumPy in the same run, or to the limit of the same run
    where NumPy takes no part."""
    before = {(row.case, row.threads): row for row in old.rows}
    changes = []
    for row in new.rows:
        past = before.get((row.case, row.threads))
        if past is None:
            continue
        for name, was, now in (
            ("numpy", past.against("numpy"), row.against("numpy")),
            ("limit", past.share, row.share),
        ):
            if was is not None and now is not None:
                changes.append(Change(row.case, row.threads, name, was, now))
                break
    return changes
