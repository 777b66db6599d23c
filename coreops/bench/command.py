"""`coreops bench`: the arguments, the files, the exit code."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from typing import Any

from .._exit import BAD_INPUT, CANNOT_WRITE, FAILED, NEEDS_PACKAGE, NO_FILE, USAGE, CommandError

_ABOUT = """\
Measure coreops against NumPy and every other library that is installed, each in a process of its
own, in turns; every result is checked before it is timed.

coreops bench --list shows the cases and the libraries. FILTER is a group or a part of a name:
`coreops bench mlp "dense 1x"`. A full run takes some minutes for each number of threads; the
machine should have nothing else to do.
"""
_EXIT_CODES = """\
exit codes:
  0    done
  1    a result of coreops is wrong, or --compare found a case that is slower
  2    wrong usage
  3    the file to compare with is missing
  5    the file to compare with is not one of this benchmark
  6    a file cannot be written
  7    a named library, or matplotlib for the picture, is not installed
  130  interrupted
"""


def add_to(commands: Any) -> None:
    """Add the subcommand to the parser's `commands`."""
    parser = commands.add_parser(
        "bench",
        help="measure against NumPy and other libraries",
        description=_ABOUT,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("filter", metavar="FILTER", nargs="*", help="cases or groups (all)")
    parser.add_argument(
        "--peers",
        type=_names,
        metavar="A,B",
        help="libraries beside NumPy (all that are installed)",
    )
    parser.add_argument(
        "--threads", type=_counts, metavar="N,M", help="numbers of threads (1 and coreops' own)"
    )
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument(
        "--time", type=_seconds, metavar="S", help="seconds for each library and case (0.27)"
    )
    effort.add_argument("--quick", action="store_true", help="rough figures in little time")
    parser.add_argument("--json", metavar="FILE", help="keep the figures")
    parser.add_argument("--compare", metavar="OLD.json", help="hold the ratios against a kept run")
    parser.add_argument("--picture", metavar="FILE", help=".svg or .png (needs matplotlib)")
    parser.add_argument("--list", action="store_true", help="print cases and libraries; no timing")
    parser.set_defaults(run=_run)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _counts(text: str) -> list[int]:
    counts = text.split(",")
    if not all(c.isascii() and c.isdigit() and int(c) > 0 for c in counts):
        raise argparse.ArgumentTypeError(f"expected whole numbers above 0, not {text!r}")
    return [int(c) for c in counts]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, not {text!r}")
    return value


def _run(arguments: argparse.Namespace) -> None:
    from .._threads import get_num_threads
    from . import suite, table
    from .catalogue import select
    from .peers import PEERS

    if arguments.list:
        _list(select(arguments.filter))
        return
    cases = select(arguments.filter)
    if not cases:
        raise CommandError(f"no case is called {' or '.join(arguments.filter)}", USAGE)
    for name in arguments.peers or ():
        if name not in PEERS:
            raise CommandError(f"no library {name!r}; there are {', '.join(PEERS)}", USAGE)
    try:
        peers = suite.chosen_peers(arguments.peers)
    except ValueError as error:
        raise CommandError(str(error), NEEDS_PACKAGE) from None
    if arguments.picture:
        need_matplotlib(arguments.picture)
    old = None if arguments.compare is None else _read(arguments.compare)
    print(f"starting {', '.join(peers)}", flush=True)
    effort = suite.effort(arguments.time) if arguments.time else suite.Effort()
    result = suite.run(
        cases,
        peers,
        arguments.threads or sorted({1, get_num_threads()}),
        suite.QUICK if arguments.quick else effort,
        machine(),
        lambda run: print(table.head(run), flush=True),
        lambda row: print(table.line(row), flush=True),
    )
    _close(result, old, arguments)


def _close(result: Any, old: Any, arguments: argparse.Namespace) -> None:
    """Print what it comes to, write the files, and judge."""
    from . import results, table, targets

    tier = result.machine["tier"]
    for text in (
        table.everyone(result) if len(result.peers) > 2 else "",
        table.means(result.rows),
        table.loaded(result.rows),
        targets.report(result.rows, tier),
    ):
        if text:
            print(f"\n{text}")
    if arguments.json:
        _write(arguments.json, result.dump())
    if arguments.picture:
        from .picture import draw

        try:
            draw(result, arguments.picture)
        except OSError as error:
            raise CommandError(
                f"cannot write {arguments.picture}: {error.strerror}", CANNOT_WRITE
            ) from None
    slower = 0
    if old is not None:
        found = results.compare(old, result)
        print(f"\n{table.changes(found)}")
        slower = sum(change.slower for change in found)
    wrong = [row.case for row in result.rows if row.ours is None]
    if wrong:
        raise CommandError(f"coreops has no right result for: {', '.join(wrong)}", FAILED)
    if slower:
        noun = "case is" if slower == 1 else "cases are"
        raise CommandError(f"{slower} {noun} slower than in {arguments.compare}", FAILED)


def machine() -> dict[str, Any]:
    """Return what a run is measured on."""
    from .._runtime import runtime_info
    from .load import usable_cores

    info = runtime_info()
    names = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    return {
        "coreops": info["coreops"],
        "tier": info["tier"],
        "cpu": _cpu(),
        "cores": len(usable_cores()),
        "platform": info["platform"],
        "python": info["python"],
        "notes": [
            f"note: {name}={os.environ[name]} is set, so NumPy's BLAS does not choose for itself"
            for name in names
            if name in os.environ
        ],
    }


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _list(cases: Sequence[Any]) -> None:
    from .peers import PEERS

    for case in cases:
        print(
            f"{case.group:12} {case.name:42} {case.flops / 1e6:12.3f} MFLOP "
            f"{case.bytes / 1e6:10.3f} MB"
        )
    print()
    for name, peer in PEERS.items():
        missing = f"pip install {peer.install}"
        print(f"{name:12} {'installed' if peer.installed() else missing}")


def need_matplotlib(path: str) -> None:
    """Refuse a picture that cannot be drawn."""
    import importlib.util

    if not path.endswith((".svg", ".png")):
        raise CommandError(f"{path}: a picture's name ends in .svg or .png", USAGE)
    if importlib.util.find_spec("matplotlib") is None:
        raise CommandError("--picture needs matplotlib: pip install matplotlib", NEEDS_PACKAGE)


def _read(path: str) -> Any:
    from .results import Run

    try:
        with open(path, encoding="utf-8") as file:
            return Run.parse(file.read())
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", NO_FILE) from None
    except ValueError as error:
        raise CommandError(f"{path}: {error}", BAD_INPUT) from None


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}", CANNOT_WRITE) from None
