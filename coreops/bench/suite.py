"""One run: every library in its process, every result checked, then timed in turns."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .cases import Case
from .exact import Judge, Verdict
from .load import under_load, usable_cores
from .peers import PEERS, ROOF, CannotDo, Peer
from .processes import Failed, Worker
from .results import Row, Run, timing

REST_SECONDS = 0.006  # between two libraries with several threads, which then have gone to sleep
MOST_DEATHS = 2  # of a library's process, after which it takes no further part


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Args:
        rounds: how often each library has its turn.
        slice: seconds of a turn.
    """

    rounds: int = 9
    slice: float = 0.03


QUICK = Effort(3, 0.005)


def effort(seconds: float) -> Effort:
    """Return what takes about `seconds` for each library and case."""
    return Effort(Effort.rounds, seconds / Effort.rounds)


def chosen_peers(names: Iterable[str] | None) -> dict[str, Peer]:
    """Return coreops, NumPy and the named peers, by default all that are installed.

    Raises:
        ValueError: there is no peer of such a name, or a named one is not installed.
    """
    if names is None:
        return {name: peer for name, peer in PEERS.items() if peer.installed()}
    chosen = {name: PEERS[name] for name in ("coreops", "numpy")}
    for name in names:
        if name not in PEERS:
            raise ValueError(f"no peer {name!r}; there are {', '.join(PEERS)}")
        if not PEERS[name].installed():
            raise ValueError(f"{name} is not installed: pip install {PEERS[name].install}")
        chosen[name] = PEERS[name]
    return chosen


class Team:
    """The workers of all libraries with one number of threads.

    Args:
        peers: who takes part, by name.
        threads: of each.
    """

    def __init__(self, peers: dict[str, Peer], threads: int) -> None:
        self._peers = dict(peers)
        self.threads = threads
        # The last cores: the first ones have the interrupts.
        self.cores = usable_cores()[-threads:]
        self.versions: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self._deaths = dict.fromkeys(self._peers, 0)
        self._workers: dict[str, Worker] = {}
        for name in list(self._peers):
            self._start(name)
        # The limits of one core: those of several are taken to be as many times as large.
        self._roof = {name: Worker(peer, 1, self.cores[-1:]) for name, peer in ROOF.items()}

    def _start(self, name: str) -> None:
        try:
            self._workers[name] = Worker(self._peers[name], self.threads, self.cores)
            self.versions[name] = self._workers[name].version
        except Failed as problem:
            self.refused[name] = f"does not start: {problem}"
            del self._peers[name]

    def peaks(self) -> dict[str, Any]:
        """Return the limits of one core."""
        return self._roof["flops"].ask("peaks")

    def measure(self, case: Case, effort: Effort) -> Row:
        """Check every library's result of a case, then time those that are right."""
        row = Row(case.name, case.group, self.threads, case.flops, case.bytes)
        row.left_out |= self.refused
        x, weights = case.arrays()
        # with dropout only the course of training is known: before that, the network without it
        cases = [case.without_dropout(), case] if case.training and case.random else [case]
        judges = [Judge(one, x, weights) for one in cases]
        right: dict[str, tuple[Verdict, str]] = {}
        for name in list(self._peers):
            checked = self._check(row, name, judges)
            if checked is not None:
                right[name] = checked
        workers = {name: self._workers[name] for name in right}
        limits = self._limits(case, x, weights)
        rounds = self._turns(row, workers | limits, effort)
        for name, (verdict, how) in right.items():
            if name not in row.left_out:
                row.times[name] = timing(rounds[name], verdict.error, how)
        row.roof = {kind: timing(rounds[kind]).median / self.threads for kind in limits}
        if case.loaded:
            timed = {name: workers[name] for name in row.times}
            seconds = max(0.1, effort.rounds * effort.slice)
            for name, load in under_load(timed, self.cores, seconds).items():
                row.times[name].load = load
        return row

    def _check(self, row: Row, name: str, judges: Sequence[Judge]) -> tuple[Verdict, str] | None:
        """Have a library build a case, after what must be right before; return what its result is
        worth and in which way it does it, or None where it is not to be timed."""
        if not self._workers[name].alive:
            self._workers[name].close()
            self._start(name)
            if name not in self._peers:
                row.left_out[name] = self.refused[name]
                return None
        checked = None
        for judge in judges:
            case = judge.case, judge.x, judge.weights
            how = self._ask(row, name, self._workers[name], "load", *case)
            result = None if how is None else self._ask(row, name, self._workers[name], "result")
            if result is None:
                return None
            verdict = judge(result)
            if verdict.fault is not None:
                row.left_out[name] = f"wrong: {verdict.fault}"
                return None
            checked = verdict, how
        return checked

    def _limits(self, *case: Any) -> dict[str, Worker]:
        """Have the case's limits built: those that it has."""
        limits = {}
        for kind, worker in self._roof.items():
            with contextlib.suppress(CannotDo):
                worker.ask("load", *case)
                limits[kind] = worker
        return limits

    def _turns(
        self, row: Row, workers: dict[str, Worker], effort: Effort
    ) -> dict[str, list[float]]:
        """Time all in turns, another one first in each round."""
        everyone = list(workers.items())
        rounds: dict[str, list[float]] = {name: [] for name in workers}
        for turn in range(effort.rounds):
            start = turn % len(everyone)
            for name, worker in everyone[start:] + everyone[:start]:
                if name in row.left_out:
                    continue
                seconds = self._ask(row, name, worker, "time", effort.slice)
                if seconds is not None:
                    rounds[name].append(seconds)
                if self.threads > 1:
                    time.sleep(REST_SECONDS)
        return rounds

    def _ask(self, row: Row, name: str, worker: Worker, *command: Any) -> Any:
        """Ask a library; on a failure note why it is left out and return None."""
        try:
            return worker.ask(*command)
        except CannotDo as reason:
            row.left_out[name] = f"cannot: {reason}"
        except Failed as problem:
            row.left_out[name] = f"failed: {problem}"
            if not worker.alive:
                worker.close()
                self._deaths[name] += 1
                if self._deaths[name] >= MOST_DEATHS:
                    self.refused[name] = f"died {MOST_DEATHS} times, the last time: {problem}"
                    self._peers.pop(name, None)
        return None

    def close(self) -> None:
        """End all processes."""
        for worker in (*self._workers.values(), *self._roof.values()):
            worker.close()


def run(
    cases: Sequence[Case],
    peers: dict[str, Peer],
    threads: Sequence[int],
    effort: Effort,
    machine: dict[str, Any],
    started: Callable[[Run], None],
    done: Callable[[Row], None],
) -> Run:
    """Measure all cases with each number of threads.

    Args:
        started: called once, when the machine's limits and the versions are known.
        done: called with each row.
    """
    result = Run(machine, settings={"rounds": effort.rounds, "slice": effort.slice})
    for count in threads:
        team = Team(peers, count)
        try:
            result.peers |= team.versions
            if not result.peaks:
                result.peaks = team.peaks()
                started(result)
            for case in cases:
                row = team.measure(case, effort)
                result.rows.append(row)
                done(row)
        finally:
            team.close()
    return result
