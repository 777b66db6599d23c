"""Every case: all libraries agree with the float64 result, and get their time."""

import pytest

from coreops.bench.catalogue import all_cases, offered
from coreops.bench.suite import QUICK

CASES = [case for case in all_cases() if offered(case)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(team, run, case):
    row = team.measure(case, QUICK)
    run.rows.append(row)
    faults = {name: why for name, why in row.left_out.items() if not why.startswith("cannot")}
    assert not faults
    assert row.ours is not None
