"""`pytest bench` runs the cases of `coreops bench` in a short form: one test each.

The cases, the libraries and the timing are those of the installed package (`coreops/bench/`); here
are only the tests around them, so that a wrong result is a failed test with a name, and the table
at the end. Figures to keep come from `coreops bench`, which takes its time.
"""

import pytest

from coreops.bench import command, suite, table
from coreops.bench.results import Run


def pytest_addoption(parser):
    parser.addoption("--peers", default=None, help="libraries beside NumPy (all installed)")
    parser.addoption("--bench-threads", type=int, default=1, help="threads of each (1)")


@pytest.fixture(scope="session")
def run(request):
    """The figures so far."""
    run = Run(
        command.machine(), settings={"rounds": suite.QUICK.rounds, "slice": suite.QUICK.slice}
    )
    request.config.stash[_RUN] = run
    return run


@pytest.fixture(scope="session")
def team(request, run):
    """All libraries, each in its process."""
    names = request.config.getoption("--peers")
    peers = suite.chosen_peers(None if names is None else [n for n in names.split(",") if n])
    team = suite.Team(peers, request.config.getoption("--bench-threads"))
    run.peers, run.peaks = team.versions, team.peaks()
    yield team
    team.close()


_RUN = pytest.StashKey[Run]()


def pytest_terminal_summary(terminalreporter):
    run = terminalreporter.config.stash.get(_RUN, None)
    if run is not None and run.rows:
        terminalreporter.section("coreops bench, in short")
        terminalreporter.write_line(table.head(run))
        for row in run.rows:
            terminalreporter.write_line(table.line(row))
        terminalreporter.write_line("\n" + table.means(run.rows))
