"""What verifying a plan is expected to take, and how many operations plans may have."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from offloadasp.asp.verifying import Verification, runs
from offloadasp.model.problem import Problem
from offloadasp.search.size_limits import CHECKED, most_tried
from tests.engines.plans import random_plan
from tests.support.layers import problems


@given(problems(tiled=False), st.integers(0, 2**32 - 1))
def test_runs_are_the_bands_of_what_steps_compute_of_pairs_of_groups(
    problem: Problem, seed: int
) -> None:
    compute = random_plan(problem, seed).compute
    lines = {tuple(row[:4]) for row in compute.tolist()}
    cuts = {(n, i) for step, n, q, i in lines if (step, n, q, i - 1) not in lines}
    cuts |= {(n, i + 1) for step, n, q, i in lines if (step, n, q, i + 1) not in lines}
    assert runs(*compute.T[:4]) == sum((n, i) in cuts for _, n, _, i in lines)


@given(
    st.builds(Verification, *[st.integers(1, 40)] * 2, st.integers(0, 10**7)),
    st.tuples(*[st.integers(0, 10**6)] * 3),
    st.tuples(*[st.integers(0, 10**6)] * 3),
)
def test_more_to_check_never_takes_less(
    verification: Verification, counts: tuple[int, int, int], more: tuple[int, int, int]
) -> None:
    larger = [a + b for a, b in zip(counts, more, strict=True)]
    assert verification.seconds(*counts) <= verification.seconds(*larger)
    assert verification.bytes(*counts) <= verification.bytes(*larger)
    taller = replace(verification, rows=verification.rows + 1)
    assert verification.seconds(*counts) <= taller.seconds(*counts)


@given(
    st.builds(Verification, *[st.integers(1, 40)] * 2, st.integers(0, 10**6)), st.floats(0.2, 600)
)
def test_a_plan_of_the_most_steps_is_verified_in_time(
    verification: Verification, seconds: float
) -> None:
    steps = int(verification.steps(seconds))
    assert steps == 0 or verification.seconds(steps, steps, 0) <= seconds * (1 + 1e-9)


def test_more_time_permits_finer_plans_and_counted_effort_knows_no_time() -> None:
    limits = [most_tried(seconds) for seconds in (0.1, 5.0, 20.0, 60.0, 600.0, 1e7)]
    assert limits == sorted(limits)
    assert limits[0] == CHECKED < limits[-1]
    assert most_tried(math.inf) == CHECKED
