"""What verifying a plan is expected to take, and how many operations plans may have."""

import math
from itertools import groupby, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offloadasp.asp.verifying import runs
from offloadasp.model.problem import Problem
from offloadasp.search.size_limits import CHECKED, most_tried
from tests.engines.plans import random_plan
from tests.support.layers import problems


@given(problems(tiled=False), st.integers(0, 2**32 - 1))
def test_runs_are_those_of_a_walk_through_the_operations(problem: Problem, seed: int) -> None:
    rows = [tuple(row) for row in random_plan(problem, seed).compute.tolist()]
    walked = 0
    for _, line in groupby(rows, key=lambda row: row[:4]):
        columns = [row[4] for row in line]
        walked += 1 + sum(abs(after - before) != 1 for before, after in pairwise(columns))
    assert runs(*np.array(rows).reshape(-1, 5).T) == walked


def test_more_time_permits_finer_plans_and_counted_effort_knows_no_time() -> None:
    limits = [most_tried(seconds) for seconds in (0.1, 5.0, 20.0, 60.0, 600.0, 1e7)]
    assert limits == sorted(limits)
    assert limits[0] == CHECKED < limits[-1]
    assert most_tried(math.inf) == CHECKED
