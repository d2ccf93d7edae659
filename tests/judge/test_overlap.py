"""What differs where transfers go on beside the compute action, in all three readings."""

import copy
from typing import Literal

import pytest

from offloadasp.asp.rules import shipped_rules
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.judge.simulator import simulate
from offloadasp.model.reference import read
from offloadasp.model.strategy import Strategy
from tests.engines.mutants import step
from tests.engines.overlapped import BESIDE, PIXELS, reloading, tiny_beside


def broken(made: Strategy) -> tuple[int | None, set[str]]:
    """The first step that breaks a rule, and the rules that all three readings name there."""
    expected = read(made)
    named = [
        {(found.step, found.rule) for found in read_by_rules(made, shipped_rules()).violations},
        {(found.step, found.rule) for found in simulate(made).violations if found.step},
    ]
    firsts = {min((step for step, _ in found), default=None) for found in named}
    assert firsts == {expected.step}
    for found in named:
        assert {(expected.step, rule) for rule in expected.rules} <= found
    return expected.step, set(expected.rules)


@pytest.mark.parametrize(("overlap", "rate", "cycles"), [("dma", 0, 19), ("duplex", 1, 23)])
def test_lanes_go_on_side_by_side(
    overlap: Literal["dma", "duplex"], rate: int, cycles: int
) -> None:
    # 8 bytes before anything; 5 + 4 · rate beside 2 bytes; as long beside 1 byte; 1 byte after.
    made = (
        tiny_beside(BESIDE, 11, overlap, mac_cycles=rate)
        if rate
        else tiny_beside(BESIDE, 11, overlap)
    )
    expected = 8 + 2 * (5 + 4 * rate) + 1
    assert cycles + 4 * rate == expected
    for duration in (
        read(made).duration,
        read_by_rules(made, shipped_rules()).duration,
        simulate(made).duration,
    ):
        assert duration == expected


def test_one_dma_does_one_transfer_after_the_other_and_two_do_not() -> None:
    for overlap, cycles in (("dma", 8 + 5 + 7 + 1), ("duplex", 8 + 5 + 5 + 1)):
        steps = copy.deepcopy(BESIDE)
        # Columns 0 and 1 once more beside the second compute action, where nobody needs them.
        steps[2]["free"]["pixels"] = [[0, 0, 2, 0, 1]]
        steps[2]["load"] = {"pixels": [[0, 0, 2, 0, 1]]}
        steps[3]["free"]["pixels"] = [[0, 0, 2, 0, 3]]
        made = tiny_beside(steps, 13, overlap, write_cycles=5)
        assert broken(made) == (None, set())
        assert read(made).duration == cycles + 4  # the last byte written takes 5
        assert simulate(made).duration == read_by_rules(made, shipped_rules()).duration
        assert simulate(made).duration == cycles + 4


def test_what_a_step_loads_is_of_no_use_in_it() -> None:
    assert broken(tiny_beside(BESIDE, 11)) == (None, set())
    steps = [step(load=PIXELS, compute=BESIDE[1]["compute"]), step(), *BESIDE[2:]]
    steps[1] = step(load=BESIDE[1]["load"])
    assert broken(tiny_beside(steps, 11)) == (1, {"use_absent"})
    assert broken(tiny_beside(steps, 11, "none")) == (None, set())


def test_data_under_way_is_poisoned_for_the_compute_action() -> None:
    steps = [step(load=PIXELS, compute=BESIDE[1]["compute"]), step(), *BESIDE[2:]]
    steps[1] = step(load=BESIDE[1]["load"])
    assert simulate(tiny_beside(steps, 11)).max_abs_error == float("inf")


def test_what_a_step_writes_takes_room_until_it_ends() -> None:
    # Beside the second compute action: kernel 4, pixels 4, output 1, and 1 that is being written.
    steps = [BESIDE[0], step(compute=BESIDE[1]["compute"]), *copy.deepcopy(BESIDE[2:])]
    steps.insert(2, step(free={"pixels": [[0, 0, 2, 0, 1]]}, load=BESIDE[1]["load"]))
    steps[3]["free"] = {}
    assert broken(tiny_beside(steps, 10)) == (None, set())
    assert broken(tiny_beside(steps, 9)) == (4, {"memory"})
    assert simulate(tiny_beside(steps, 10)).peak_memory == 10


def test_a_partial_sum_comes_back_in_a_step_after_the_one_that_spilled_it() -> None:
    assert broken(reloading()) == (None, set())
    assert broken(reloading(early="create")) == (2, {"load_unspilled"})
    assert broken(reloading(early="load")) == (3, {"load_unspilled"})
    assert broken(reloading(early="compute")) == (4, {"use_absent"})


@pytest.mark.parametrize("overlap", ["dma", "duplex"])
def test_a_strategy_without_steps_computes_nothing(overlap: Literal["dma", "duplex"]) -> None:
    empty = tiny_beside(BESIDE, 11, overlap).model_copy(update={"steps": ()})
    reading = read_by_rules(empty, shipped_rules())
    assert {violation.rule for violation in reading.violations} == {"never_computed"}
    assert not simulate(empty).verified
