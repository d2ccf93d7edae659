"""The pass bound against exact optima and against its own derivation, number by number."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.bounds import lower_bound
from offloadasp.bounds.arguments.passes import KINDS, Passes, passes_of
from offloadasp.bounds.view import View
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from tests.engines.exhaustive import optimal_duration
from tests.support.bounds_cases import tight_problems
from tests.support.layers import accelerator, on_accelerator, problem_with


@given(tight_problems(operations=9, blocks=14, kernel=2))
@settings(max_examples=120, deadline=None)
def test_no_limit_proves_more_than_the_least_loads(problem: Problem) -> None:
    assume(problem.layer.group == 1)
    chip = problem.accelerator
    only_loads = {"load_cycles": Fraction(1), "write_cycles": Fraction(0)}
    chip = chip.model_copy(update=only_loads | {"compute_cycles": Fraction(0)})
    problem = on_accelerator(problem, chip)
    least = optimal_duration(problem)
    if least is None:
        return
    for finest, inner, kind in itertools.product((False, True), (False, True), KINDS):
        passes = passes_of(View(problem, finest, inner), kind)
        if passes is not None:
            assert all(passes.loads(limit) <= least for limit in range(1, passes.blocks + 3))


def some_passes(lines: int, operations: int, depth: int, line: Fraction, partial: int) -> Passes:
    return Passes(
        lines=lines,
        operations=operations,
        most=Fraction(1),
        blocks=operations,
        size=1,
        slack=0,
        depth=depth,
        line=line,
        partial=partial,
        memory=0,
        apart=0,
    )


@given(
    st.integers(1, 5),
    st.integers(2, 6),
    st.integers(1, 6),
    st.fractions(Fraction(1, 9), 9, max_denominator=9),
    st.integers(0, 8),
    st.data(),
)
def test_windows_cost_no_more_than_the_cheapest_choice_of_channel_groups(
    lines: int, rows: int, depth: int, line: Fraction, partial: int, data: st.DataObject
) -> None:
    """Every window of every line uses q channel groups, in rows of at most q operations each."""
    limit = data.draw(st.integers(1, rows * depth))
    passes = some_passes(lines, rows * depth, depth, line, partial if depth > 1 else 0)

    def cost(operations: int) -> Fraction:
        if operations == 0:
            return Fraction(0)
        split = (q * line + Fraction(partial, 2) * -(-operations // q) for q in range(1, depth))
        return min([depth * line, *split])

    full, rest = divmod(rows * depth, limit)
    cheapest = lines * (full * cost(limit) + cost(rest))
    first_kind = rows * depth  # its blocks have one byte each, and nothing stays on chip
    assert passes.loads(limit) <= cheapest + first_kind


@pytest.mark.parametrize(("memory", "passes"), [(70, 2), (30, 3)])
def test_kernels_that_fit_in_part_only_make_the_pixels_pass_again(memory: int, passes: int) -> None:
    """1 x 1 convolution, 40 positions, 8 kernels of 10 bytes: memory holds fewer than 7, or 3."""
    layer = Layer(input=(10, 5, 8), kernels=8, kernel_shape=(1, 1))
    problem = problem_with(
        layer,
        accelerator(memory, macs=80),
        precision=Precision(output=0, partial_sum=1),
        decomposition=Resolved(
            tile=(1, 1),
            kernel_groups=tuple((n, n + 1) for n in range(8)),
            channel_groups=((0, 10),),
        ),
    )
    found = passes_of(View(problem, finest=False), "kernels")
    assert found is not None
    proved = max(found.loads(limit) for limit in range(1, 9))
    assert proved > passes * 40 * 10
    assert lower_bound(problem).load_bytes >= proved
