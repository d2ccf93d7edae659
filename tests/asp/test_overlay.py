"""A user's rules read a plan: what it breaks, in which steps, and what it costs."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import pytest

from offloadasp.asp.grounding import require_sound
from offloadasp.asp.overlay import Overlay, Reading
from offloadasp.asp.rules import rules_in_force
from offloadasp.asp.window import Window, Windows
from offloadasp.base.errors import InputError
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Accelerator, Layer
from offloadasp.model.objectives import prices_of
from offloadasp.model.plan import Plan
from offloadasp.search.overlap.pipelined import pipelined
from tests.engines.overlapped import overlapping
from tests.engines.plans import problem, random_plan
from tests.support.layers import on_accelerator

LAYER = Layer(input=(2, 3, 3), kernels=1, kernel_shape=(2, 2))


def overlay(folder: Path, text: str) -> Overlay:
    path = folder / "mine.lp"
    path.write_text(text)
    return Overlay(rules_in_force(None, [path]).edit, ("duration",))


def read(folder: Path, text: str, plan: Plan) -> Reading:
    found = overlay(folder, text).read(plan, Clock())
    assert found is not None
    return found


def a_plan(seed: int) -> Plan:
    return random_plan(problem(LAYER, channel_groups=2), seed)


@pytest.mark.parametrize("seed", range(4))
def test_broken_rules_are_named_with_their_steps(tmp_path: Path, seed: int) -> None:
    plan = a_plan(seed)
    loads = plan.load_pixels
    steps = sorted({int(t) for t, q, r, c in loads.tolist() if (q, r, c) == (0, 1, 1)})
    (broken,) = read(tmp_path, "\n:- load(pixel(1, 1, 0), T).\n", plan).broken
    assert broken.place == "mine.lp:2"
    assert broken.steps == tuple(steps)


@pytest.mark.parametrize("seed", range(4))
def test_costs_are_the_shipped_ones_and_those_of_the_rules(tmp_path: Path, seed: int) -> None:
    plan = a_plan(seed)
    found = read(tmp_path, "#minimize { 3@1, B, T : load(B, T) }.\n", plan)
    loads = len(plan.load_pixels) + len(plan.load_kernels) + len(plan.load_partial_sums)
    assert found.obeys
    assert found.costs == {1: 3 * loads, 0: plan.duration}


def test_costs_are_cycles_whatever_the_plan_was_found_for(tmp_path: Path) -> None:
    plan = a_plan(1)
    for prices in (prices_of("traffic", plan.problem.instance), plan.problem.prices):
        found = replace(plan, problem=plan.problem.at(prices))
        for most, obeyed in ((plan.duration - 1, False), (plan.duration, True)):
            limit = f":- #sum {{ X, A, T, B : cost(A, T, B, X) }} > {most}.\n"
            assert read(tmp_path, limit, found).obeys == obeyed


@pytest.mark.parametrize("overlap", ["dma", "duplex"])
def test_costs_are_times_in_a_lane_where_transfers_overlap(
    tmp_path: Path, overlap: Literal["dma", "duplex"]
) -> None:
    serial = problem(LAYER, channel_groups=2)
    plan = pipelined(random_plan(serial, 1), overlapping(serial, overlap))
    rates, actions = plan.problem.accelerator, plan.counts.actions
    longer = rates.model_copy(update={"compute_cycles": rates.compute_cycles + 3})
    loads = rates.model_copy(update={"load_cycles": 2 * rates.load_cycles})

    def cost(text: str) -> int:
        (tmp_path / "mine.lp").write_text(text)
        edit = rules_in_force(None, [tmp_path / "mine.lp"]).edit
        found = Overlay(edit, ("duration",), overlaps=True).read(plan, Clock())
        assert found is not None
        return found.costs[0]

    def under(chip: Accelerator) -> Fraction:
        return replace(plan, problem=on_accelerator(plan.problem, chip)).duration

    assert cost(":- step(-1).") == plan.duration
    assert cost("cost(setup, T, none, 3) :- computing(T).") == plan.duration + 3 * actions
    assert cost("cost(compute, T, more, 3) :- computing(T).") == under(longer)
    twice = "cost(load, T, again(B), X * Y) :- moved(load, B, T, X), load_cycles(Y)."
    assert cost(twice) == under(loads)
    with pytest.raises(InputError, match=r"waits for longer than clingo's integers can tell"):
        cost("cost(load, 1, once, 500000000).")


def test_choices_of_the_user_s_own_are_made_for_the_plan(tmp_path: Path) -> None:
    text = "{ pin(T) : step(T) } = 1. :- pin(T), not computing(T).\n"
    assert read(tmp_path, text, a_plan(0)).obeys
    text = "{ pin(T) : step(T) } = 1. :- pin(T), computing(T'), T' >= T.\n:- pin(T), step(T).\n"
    assert not read(tmp_path, text, a_plan(0)).obeys


RESTRICTION = ":- step(T), #count { B : load(B, T) } > 4.\n"
REPRICING = "#minimize { 3@1, B, T : load(B, T) }.\n"


@pytest.mark.parametrize(
    ("text", "seed"), [(RESTRICTION, 0), (RESTRICTION, 1), (RESTRICTION, 2), (REPRICING, 0)]
)
def test_what_clingo_changes_in_a_window_is_what_the_rules_read(
    tmp_path: Path, text: str, seed: int
) -> None:
    """The cost and the breaches within the bound are those of the plan that comes back."""
    under = overlay(tmp_path, text)
    plan = a_plan(seed)
    before = under.read(plan, Clock())
    assert before is not None
    gains = 0
    for first in range(1, plan.steps):
        window = Window.of(plan, first, first + 1, 1)
        found = Windows(under).improve(window, before, 2000, Clock(), seed)
        if found is not None:
            after = under.read(found, Clock())
            assert after is not None
            assert after.order() <= before.order()
            assert found.counts.actions >= 1
            gains += after.order() < before.order()
    assert gains


def test_windows_end_where_a_term_is_negative_and_a_later_level_cannot_be_kept(
    tmp_path: Path,
) -> None:
    """With bounds on both levels clingo 5.8.3 never ended."""
    under = overlay(tmp_path, "#maximize { T@2, O : compute(O, T) }.\n")
    plan = a_plan(0)
    before = under.read(plan, Clock())
    assert before is not None
    for more in (1, 2, -1):
        window = Window.of(plan, 1, 2, more)
        found = Windows(under).improve(window, before, 2000, Clock(), 0)
        assert found is None or under.read(found, Clock()) is not None


def test_a_mistake_beside_a_rule_of_many_instances_shows_before_the_search(tmp_path: Path) -> None:
    path = tmp_path / "large.lp"
    path.write_text("many(X) :- X = 1..200000.\nnever(X) :- absent(X), many(X).\n")
    with pytest.raises(InputError, match=r"large\.lp:2: absent/1 is defined nowhere"):
        require_sound(rules_in_force(None, [path]), ("duration",))
