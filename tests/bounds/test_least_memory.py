"""Least memory and least MACs: with them a strategy exists, with one less there is none."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.bounds import least_macs, least_memory
from offloadasp.model.instance import Layer, Precision, Resolved, split_evenly
from offloadasp.model.problem import Problem
from tests.engines.exhaustive import game_of, optimal_duration
from tests.support.bounds_cases import tiny_problems
from tests.support.layers import accelerator, on_accelerator, problem_with, problems, with_memory


def with_macs(problem: Problem, macs: int) -> Problem:
    chip = problem.accelerator.model_copy(update={"macs_per_step": macs})
    return on_accelerator(problem, chip)


@given(tiny_problems(operations=6, blocks=16), st.integers(0, 3))
@settings(max_examples=120, deadline=None)
def test_least_memory_is_where_strategies_begin_to_exist(problem: Problem, more: int) -> None:
    problem = with_macs(problem, least_macs(problem).value * (1 + more))
    least = least_memory(problem).value
    assert optimal_duration(with_memory(problem, least)) is not None
    assert least == 1 or optimal_duration(with_memory(problem, least - 1)) is None


@given(problems())
@settings(max_examples=100, deadline=None)
def test_least_macs_is_the_largest_operation(problem: Problem) -> None:
    assert least_macs(problem).value == max(o.macs for o in game_of(problem).operations)


@given(tiny_problems(operations=6, blocks=16))
@settings(max_examples=30, deadline=None)
def test_no_strategy_exists_below_the_least_macs(problem: Problem) -> None:
    least = least_macs(problem).value
    assert optimal_duration(with_macs(problem, least)) is not None
    assume(least > 1)
    assert optimal_duration(with_macs(problem, least - 1)) is None


@given(problems(), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_least_memory_is_the_most_over_output_blocks_of_the_better_way(
    problem: Problem, more: int
) -> None:
    problem = with_macs(problem, least_macs(problem).value * (1 + more))
    game = game_of(problem)
    demands = []
    for block, (partial, complete) in game.output_bytes.items():
        own = [operation for operation in game.operations if operation.output == block]
        needs = sorted(sum(game.input_bytes[b] for b in operation.inputs) for operation in own)
        ways = []
        if len(own) > 1:
            ways.append(max(needs[-1] + partial, needs[0] + max(partial, complete)))
        if sum(operation.macs for operation in own) <= problem.accelerator.macs_per_step:
            ways.append(sum(needs) + complete)
        demands.append(min(ways))
    assert least_memory(problem).value == max(demands)


@given(problems())
@settings(max_examples=100, deadline=None)
def test_what_is_named_adds_up_to_the_demand(problem: Problem) -> None:
    demand = least_memory(problem)
    (blocks, size), (kernels, held) = (
        map(int, numbers.groups())
        for pattern in (r"(\d+) pixel blocks? of (\d+) bytes?", r"of (\d+) bytes?, (\d+) bytes? of")
        if (numbers := re.search(pattern, demand.what.split("pixel block", 1)[-1]))
        or (numbers := re.search(pattern, demand.what))
    )
    assert blocks * size + kernels + held == demand.value
    assert "\n" not in demand.what


def test_ragged_tile_may_demand_most_for_its_inputs() -> None:
    """Tiles of 2 rows: the first has 2 outputs and 2 input rows, the last 1 and 3."""
    layer = Layer(input=(1, 3, 4), kernels=1, kernel_shape=(3, 1), pads=(2, 0, 0, 0))
    tiles = Resolved(tile=(2, 1), kernel_groups=((0, 1),), channel_groups=((0, 1),))
    problem = problem_with(layer, accelerator(), Precision(input=2), tiles)
    demand = least_memory(problem)
    assert demand.value == 3 * 2 + 3 + 1
    assert demand.what.startswith("tile (1, 0) of 1 x 1 positions with kernel group 0")


def lenet(channel_groups: int, precision: Precision, macs: int = 10**6) -> Problem:
    layer = Layer(input=(6, 14, 14), kernels=16, kernel_shape=(5, 5))
    return problem_with(
        layer,
        accelerator(macs=macs),
        precision,
        Resolved(
            tile=(1, 1),
            kernel_groups=split_evenly(16, 4),
            channel_groups=split_evenly(6, channel_groups),
        ),
    )


@pytest.mark.parametrize(
    ("problem", "expected", "what"),
    [
        (
            lenet(1, Precision()),
            754,
            "operation (0, 0) with kernel group 0, channel group 0: 25 pixel blocks of 6 bytes, "
            "its kernel block of 600 bytes, 4 bytes of output",
        ),
        (
            lenet(2, Precision()),
            391,
            "operation (0, 0) with kernel group 0, channel group 0: 25 pixel blocks of 3 bytes, "
            "its kernel block of 300 bytes, 16 bytes of partial sums",
        ),
        (
            lenet(2, Precision(output=8, partial_sum=4)),
            407,
            "operation (0, 0) with kernel group 0, channel group 0: 25 pixel blocks of 3 bytes, "
            "its kernel block of 300 bytes, 32 bytes of output",
        ),
        (
            lenet(6, Precision(output=0, partial_sum=64)),
            381,
            "operation (0, 0) with kernel group 0, channel group 0: 25 pixel blocks of 1 byte, "
            "its kernel block of 100 bytes, 256 bytes of partial sums",
        ),
        (
            with_memory(lenet(2, Precision(output=0, partial_sum=64)), 10**6),
            631,
            "operation (0, 0) with kernel group 0, channel group 0: 25 pixel blocks of 3 bytes, "
            "its kernel block of 300 bytes, 256 bytes of partial sums",
        ),
    ],
)
def test_demands_of_lenet_by_hand(problem: Problem, expected: int, what: str) -> None:
    demand = least_memory(problem)
    assert (demand.value, demand.what) == (expected, what)


def test_one_step_for_all_channel_groups_saves_partial_sums_if_macs_allow() -> None:
    layer = Layer(input=(2, 1, 3), kernels=1, kernel_shape=(1, 1))
    groups = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1), (1, 2)))
    precision = Precision(output=1, partial_sum=8)
    roomy = problem_with(layer, accelerator(macs=2), precision, groups)
    demand = least_memory(roomy)
    assert demand.value == 2 + 2 + 1
    assert "its 2 channel groups in one step" in demand.what
    assert least_memory(with_macs(roomy, 1)).value == 1 + 1 + 8
