"""The size relaxation against all sizes of steps; loads and steps together against optima."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.base.errors import InputError
from offloadasp.bounds import lower_bound, verify_certificate
from offloadasp.bounds.geometry.operations import input_capacity
from offloadasp.bounds.geometry.relaxation import Windows, least_loads
from offloadasp.bounds.view import View
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from tests.bounds.test_optimum import resident
from tests.engines.exhaustive import optimal_duration
from tests.support.layers import accelerator, problem_with

# Input side, patches a step, pixels on chip beside a 3 x 3 kernel; the fewest pixels that any
# plan of the fewest steps loads, as far as complete searches proved it, or else a known plan's.
FLAT = [
    (6, 4, 16, 40),
    (6, 4, 20, 36),
    (7, 3, 16, 55),
    (7, 4, 16, 61),
    (7, 4, 20, 51),
    (8, 4, 20, 70),
    (9, 4, 20, 89),
    (9, 4, 24, 85),
    (10, 4, 20, 112),
    (10, 4, 24, 108),
    (12, 4, 24, 158),
    (12, 8, 32, 153),
]


def flat(side: int, group: int, pixels: int) -> Problem:
    layer = Layer(input=(1, side, side), kernels=1, kernel_shape=(3, 3))
    chip = accelerator(memory=9 + pixels, compute=1000, macs=9 * group)
    whole = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1),))
    return problem_with(layer, chip, Precision(output=0), whole)


def sizes_of_steps(operations: int, steps: int, group: int) -> list[tuple[int, ...]]:
    return [
        sizes
        for sizes in itertools.product(range(1, group + 1), repeat=steps)
        if sum(sizes) == operations
    ]


def loaded(windows: Windows, sizes: tuple[int, ...]) -> int:
    """The least loads that all windows of steps allow: the most that disjoint windows demand."""
    done = [0, *itertools.accumulate(sizes)]
    least = [0] * len(done)
    for b in range(1, len(done)):
        demands = [int(windows.need[done[b]]), least[b - 1]]
        for a in range(2, b + 1):
            held = windows.capacity[sizes[a - 2] - 1]
            demand = int(windows.need[done[b] - done[a - 2]]) - held
            demands.append(least[a - 1] + max(0, demand))
        least[b] = max(demands)
    return least[-1]


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=10),
    st.integers(1, 3),
    st.integers(0, 8),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 60),
)
@settings(max_examples=150, deadline=None)
def test_relaxation_is_the_least_over_all_sizes_of_steps(
    growth: list[int], group: int, spare: int, beside: int, more: int, target: int
) -> None:
    need = np.cumsum([0, *growth])
    group = min(group, len(growth))
    least = int(need[group]) + spare  # so that a step fits
    windows = Windows(need, tuple(least + (group - n) * beside for n in range(1, group + 1)))
    steps = -(-len(growth) // group) + more
    choices = sizes_of_steps(len(growth), steps, group)
    assume(choices)
    expected = min(loaded(windows, sizes) for sizes in choices)
    assert least_loads(windows, steps) == expected
    assert least_loads(windows, steps, target) == min(expected, target)


@pytest.mark.parametrize(("side", "group", "pixels", "least"), [(7, 3, 16, 51), (7, 4, 16, 56)])
def test_relaxation_proves_what_is_known_of_it(
    side: int, group: int, pixels: int, least: int
) -> None:
    problem = flat(side, group, pixels)
    view = View(problem, finest=True)
    operations = view.sizes.operations
    need = np.concatenate([[0], view.footprint.at(np.arange(1, operations + 1))])
    windows = Windows(need, (input_capacity(view.sizes, problem.memory),) * group)
    assert least_loads(windows, -(-operations // group)) == 9 + least


@pytest.mark.parametrize(("side", "group", "pixels", "reached"), FLAT)
def test_bound_with_several_patches_a_step_stays_below_what_plans_reach(
    side: int, group: int, pixels: int, reached: int
) -> None:
    problem = flat(side, group, pixels)
    bound = lower_bound(problem)
    steps = -(-problem.positions // group)
    assert bound.value <= 1000 * steps + 9 + reached
    assert verify_certificate(problem, json.loads(json.dumps(bound.certificate))) == bound.value


@pytest.mark.parametrize(("side", "group", "pixels", "reached"), [FLAT[0], FLAT[1], FLAT[8]])
def test_bound_meets_the_known_plan_where_every_step_is_full(
    side: int, group: int, pixels: int, reached: int
) -> None:
    problem = flat(side, group, pixels)
    assert lower_bound(problem).value == 1000 * (problem.positions // group) + 9 + reached


@pytest.mark.parametrize(
    ("outputs", "group", "memory", "output", "compute"),
    [
        ((3, 3), 2, 21, 0, 30),
        ((3, 3), 3, 24, 0, 1),
        ((3, 3), 3, 24, 0, 30),
        ((2, 4), 2, 21, 0, 30),
        ((2, 4), 4, 28, 1, 5),
        ((3, 2), 2, 23, 1, 30),
    ],
)
def test_loads_and_steps_together_prove_no_more_than_the_optimum(
    outputs: tuple[int, int], group: int, memory: int, output: int, compute: int
) -> None:
    layer = Layer(input=(1, outputs[0] + 2, outputs[1] + 2), kernels=1, kernel_shape=(3, 3))
    chip = accelerator(memory=memory, compute=compute, macs=9 * group)
    whole = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1),))
    problem = problem_with(layer, chip, Precision(output=output), whole)
    optimum = optimal_duration(problem)
    assert optimum is not None
    bound = lower_bound(problem)
    assert bound.value <= optimum
    view = {"decomposition": "finest", "inner": False}
    windows = [[steps, 10**6] for steps in range(1, 9)]
    claimed = {"together": {"bound": "step_sizes", **view, "windows": windows}}
    assert verify_certificate(problem, bound.certificate | claimed) <= optimum


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bound", "haste"),
        ("decomposition", "mine"),
        ("inner", True),
        ("windows", 3),
        ("windows", [[1]]),
        ("windows", [[1, 0]]),
        ("windows", [[1, True]]),
        ("windows", [[1, 1]] * 1000),
    ],
)
def test_malformed_certificate_of_both_together_is_refused_in_one_line(
    key: str, value: object
) -> None:
    problem = resident(Layer(input=(1, 5, 5), kernels=1, kernel_shape=(3, 3)), 30)
    valid: dict[str, Any] = {
        "bound": "step_sizes",
        "decomposition": "finest",
        "inner": False,
        "windows": [],
    }
    certificate = lower_bound(problem).certificate
    assert verify_certificate(problem, certificate | {"together": valid}) >= 0
    with pytest.raises(InputError, match=rf"^certificate.together.{key}: .*$"):
        verify_certificate(problem, certificate | {"together": valid | {key: value}})
