"""The estimate of blocked plans is defined for every problem, and counts what the taps say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from offloadasp.search.construct.grid import axis_of
from offloadasp.search.construct.shortlist import blockings, set_counts
from tests.support.layers import accelerator, problem_with, problems, taps

WHOLE = Resolved(kernel_groups=((0, 1),), channel_groups=((0, 1),))
# Kernels that see nothing but padding, on one axis or on both; some lines of outputs only; and
# lines of outputs that use inputs on both sides of what the next line uses.
PADDED: dict[str, dict[str, tuple[int, ...]]] = {
    "no row": {"input": (1, 1, 4), "kernel_shape": (1, 2), "strides": (2, 1), "pads": (1, 0, 1, 0)},
    "no pixel": {"input": (1, 1, 1), "kernel_shape": (1, 1), "strides": (2, 2), "pads": (1,) * 4},
    "none in some rows": {"input": (1, 3, 4), "kernel_shape": (1, 2), "pads": (2, 0, 2, 0)},
    "to and fro": {
        "input": (1, 1, 2),
        "kernel_shape": (1, 2),
        "pads": (0, 1, 0, 1),
        "dilations": (1, 2),
    },
}


def padded(name: str) -> Problem:
    layer = Layer.model_validate({"kernels": 1, **PADDED[name]})
    return problem_with(layer, accelerator(), Precision(), WHOLE)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PADDED)
def test_layers_that_use_few_pixels_or_none_have_blockings(name: str) -> None:
    problem = padded(name)
    estimates = [estimate for estimate, _ in blockings(problem)]
    assert estimates
    assert all(0 <= estimate < np.inf for estimate in estimates)


@pytest.mark.filterwarnings("error")
@settings(max_examples=60, deadline=None)
@given(problems())
def test_every_blocking_has_an_estimate_that_is_a_number(problem: Problem) -> None:
    for estimate, blocking in blockings(problem, set_counts(problem), 2):
        assert 0 <= estimate < np.inf
        assert blocking.size >= 1


@settings(max_examples=60, deadline=None)
@given(st.one_of(problems(), st.sampled_from(sorted(PADDED)).map(padded)), st.integers(0, 1))
def test_the_reach_of_lines_is_the_widest_span_of_inputs_between_their_first_and_last(
    problem: Problem, axis: int
) -> None:
    found = axis_of(problem, axis)
    mask, tile = taps(problem.layer, axis), problem.decomposition.tile[axis]
    used = [line for line in range(mask.shape[1]) if mask[:, line].any()]
    assert found.used == len(used)
    starts = range(0, len(mask), tile)
    assert found.lines == len(starts)
    for lines in range(found.lines + 1):
        spans = []
        for first in range(found.lines - lines + 1):
            window = mask[first * tile : (first + lines) * tile]
            inside = [k for k, line in enumerate(used) if window[:, line].any()]
            spans.append(inside[-1] - inside[0] + 1 if inside else 0)
        assert found.reach[lines] == max(spans)


def test_of_few_steps_blockings_have_as_many_operations_a_step_as_that_takes() -> None:
    problem = problem_with(
        Layer.model_validate({"input": [1, 10, 10], "kernels": 1, "kernel_shape": [3, 3]}),
        accelerator(macs=9 * 16, memory=50, compute=0),
        Precision(),
        WHOLE,
    )
    sizes = {blocking.size for _, blocking in blockings(problem, sizes=8)}
    assert min(sizes) < 64 / 8
    few = {blocking.size for _, blocking in blockings(problem, sizes=8, steps=8)}
    assert few
    assert min(few) >= 64 / 8
