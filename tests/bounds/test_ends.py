"""The bound by the ends of overlapped strategies, against optima of layers of many actions."""

import heapq
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.base.errors import InputError
from offloadasp.bounds import lower_bound, verify_certificate
from offloadasp.model.instance import Accelerator, Layer, Precision, Resolved
from offloadasp.model.problem import Problem, finest
from tests.engines import overlapped
from tests.engines.overlapped import OVERLAPS, overlapping
from tests.support.layers import RATES, accelerator, problem_with

State = tuple[int, int, int, int]  # pixels loaded, operations done, outputs written, kernel loaded


def row(pixels: int, chip: Accelerator, precision: Precision) -> Problem:
    """A row of pixels, each of which is an operation of its own with the one kernel."""
    layer = Layer(input=(1, 1, pixels), kernels=1, kernel_shape=(1, 1))
    return problem_with(layer, chip, precision, finest(layer))


def shortest(problem: Problem) -> Fraction:
    """The least duration of a row by Dijkstra's algorithm over counts; its pixels are alike."""
    total = problem.positions
    best: dict[State, Fraction] = {(0, 0, 0, 0): Fraction(0)}
    queue = [(Fraction(0), (0, 0, 0, 0))]
    while queue:
        cost, state = heapq.heappop(queue)
        if state == (total, total, total, 1):
            return cost
        if cost > best[state]:
            continue
        for more, after in _steps(problem, state):
            if after not in best or cost + more < best[after]:
                best[after] = cost + more
                heapq.heappush(queue, (cost + more, after))
    raise AssertionError("no strategy")


def _steps(problem: Problem, state: State) -> Iterator[tuple[Fraction, State]]:
    chip, sizes, total = problem.accelerator, problem.precision, problem.positions
    loaded, done, written, kernel = state
    for n in range(min(loaded - done, chip.macs_per_step) * kernel + 1):
        for x in range(total - loaded + 1):
            for k in range(2 - kernel):
                held = (kernel + k) * sizes.weight + (loaded - done + x) * sizes.input
                held += (done - written + n) * sizes.output
                if held > chip.memory:
                    continue
                load = chip.load_cycles * (x * sizes.input + k * sizes.weight)
                for y in range(done - written + 1):
                    write = chip.write_cycles * y * sizes.output
                    transfer = max(load, write) if chip.overlap == "duplex" else load + write
                    after = (loaded + x, done + n, written + y, kernel + k)
                    if after != state:
                        yield max(transfer, chip.compute_time(n)), after


@st.composite
def rows(draw: st.DrawFn) -> Problem:
    """Rows of up to seven pixels, on little memory or much."""
    precision = draw(
        st.builds(
            Precision,
            input=st.integers(1, 3),
            weight=st.integers(1, 3),
            output=st.integers(1, 3),
            partial_sum=st.just(1),
        )
    )
    least = precision.weight + precision.input + precision.output
    chip = accelerator(
        memory=least + draw(st.integers(0, 14)),
        load=draw(RATES),
        write=draw(RATES),
        compute=draw(RATES),
        macs=draw(st.integers(1, 4)),
        mac=draw(st.sampled_from([Fraction(0), Fraction(2, 31), Fraction(3, 2)])),
    )
    problem = row(draw(st.integers(1, 7)), chip, precision)
    return overlapping(problem, draw(st.sampled_from(OVERLAPS)))


@settings(max_examples=40, deadline=None)
@given(rows())
def test_the_bound_never_exceeds_the_optimum_of_any_number_of_actions(problem: Problem) -> None:
    bound = lower_bound(problem)
    assert bound.value <= shortest(problem)
    assert verify_certificate(problem, bound.certificate) == bound.value


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize(
    ("pixels", "macs", "least"),
    [
        # One action: kernel and four pixels before it, four outputs after it.
        (4, 4, 100 + 5 + 4),
        # Two actions, one byte of four needed or left by each operation of the one or the other.
        (4, 3, 200 + 1 + 4),
        # Five actions, one of which does one operation: kernel and pixels first, outputs last.
        (9, 2, 500 + 1 + 3),
    ],
)
def test_the_bound_is_the_optimum_where_only_the_ends_cannot_hide(
    pixels: int, macs: int, least: int, overlap: Literal["dma", "duplex"]
) -> None:
    chip = accelerator(memory=1000, compute=100, macs=macs)
    problem = overlapping(row(pixels, chip, Precision(output=1)), overlap)
    bound = lower_bound(problem)
    assert bound.value == least == shortest(problem)
    assert bound.certificate["together"]["bound"] == "ends"


@pytest.mark.parametrize(
    ("pixels", "call", "mac", "load", "write", "least"),
    [
        # Loads take longest; each action begins when the one before it has ended, too.
        (7, 2, 2, 3, 2, 33),
        (10, 5, 1, 3, 1, 44),
        # Actions take longest: the second one waits for its pixels, the last but one leaves two.
        (10, 2, 2, 1, 2, 34),
    ],
)
def test_the_bound_is_the_optimum_where_actions_wait_for_loads_and_for_each_other(
    pixels: int, call: int, mac: int, load: int, write: int, least: int
) -> None:
    chip = accelerator(memory=1000, load=load, write=write, compute=call, macs=20, mac=mac)
    problem = overlapping(row(pixels, chip, Precision(output=1)), "duplex")
    bound = lower_bound(problem)
    assert bound.value == least == shortest(problem)
    assert verify_certificate(problem, bound.certificate) == least


def test_the_bound_is_not_accepted_for_serial_steps_or_for_inner_positions_alone() -> None:
    chip = accelerator(memory=1000, compute=100, macs=3)
    serial = row(4, chip, Precision(output=1))
    problem = overlapping(serial, "dma")
    certificate = lower_bound(problem).certificate
    with pytest.raises(InputError, match=r"^certificate\.together\.bound: not proved for"):
        verify_certificate(serial, certificate)
    inner = certificate | {"together": certificate["together"] | {"inner": True}}
    with pytest.raises(InputError, match=r"^certificate\.together\.inner: must be false$"):
        verify_certificate(problem, inner)


@st.composite
def biased(draw: st.DrawFn) -> Problem:
    """Two or three channels with a kernel and a bias each, in groups of any kind."""
    channels = draw(st.integers(2, 3))
    layer = Layer(
        input=(channels, 1, 1), kernels=channels, kernel_shape=(1, 1), group=channels, bias=True
    )
    ends = [sorted({0, *draw(st.sets(st.integers(1, channels - 1))), channels}) for _ in "nq"]
    kernels, groups = (tuple(pairwise(each)) for each in ends)
    precision = Precision(output=draw(st.integers(1, 2)), partial_sum=draw(st.sampled_from([1, 7])))
    chip = accelerator(
        memory=40,
        load=draw(RATES),
        write=draw(RATES),
        compute=draw(RATES),
        macs=3,
        mac=Fraction(1, 2),
    )
    serial = problem_with(layer, chip, precision, finest(layer))
    resolved = Resolved(tile=(1, 1), kernel_groups=kernels, channel_groups=groups)
    return overlapping(serial.with_decomposition(resolved), draw(st.sampled_from(OVERLAPS)))


@settings(max_examples=25, deadline=None)
@given(biased())
def test_the_bound_holds_wherever_a_kernel_group_has_its_biases(problem: Problem) -> None:
    best = overlapped.shortest(problem)
    assert best is not None
    for one in (problem, problem.with_decomposition(finest(problem.layer))):
        assert lower_bound(one).value <= best


def test_a_bound_of_many_actions_at_rates_of_many_decimals_comes_to_an_end() -> None:
    rate = Fraction("0.123456789011")
    chip = accelerator(memory=9000, load=rate, write=rate, compute=20_000, macs=1)
    problem = overlapping(row(800, chip, Precision(output=1)), "duplex")
    assert 800 * 20_000 < lower_bound(problem).value < 800 * 20_001
