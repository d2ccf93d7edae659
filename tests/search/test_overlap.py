"""Transfers beside the compute action: plans, bounds and optima against exhaustive search."""

from fractions import Fraction
from math import prod
from typing import Any, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import offloadasp
from offloadasp.asp.edit_kinds import DEFINITION
from offloadasp.asp.facts import facts, scale_of
from offloadasp.asp.grounding import ground
from offloadasp.asp.rules import shipped_rules
from offloadasp.asp.solving import Solving, minimise, plan_of_model
from offloadasp.base.errors import InputError
from offloadasp.bounds import least_macs, least_memory, lower_bound, verify_certificate
from offloadasp.limits.clock import Clock
from offloadasp.model.catalogue import find_instance
from offloadasp.model.instance import Instance, Layer, Precision, load_instance
from offloadasp.model.plan import Plan, without_reloads
from offloadasp.model.problem import Problem, finest, problem_of, undivided
from offloadasp.model.reference import read
from offloadasp.model.strategy import Strategy, steps_of
from offloadasp.search import run
from offloadasp.search.overlap import search as overlap_search
from offloadasp.search.overlap.best_first import BestFirst
from offloadasp.search.overlap.game import Game, bits
from offloadasp.search.overlap.pipelined import pipelined
from offloadasp.search.overlap.refine import Cut, refined, with_small_ends
from offloadasp.search.overlap.sides import Sides
from offloadasp.search.overlap.split import split_in_three
from offloadasp.search.overlap.symmetry import Symmetry
from tests.engines.exhaustive import optimal_duration
from tests.engines.mutation import layer_of
from tests.engines.overlapped import OVERLAPS, overlapping, shortest
from tests.engines.plans import HABITS, fitted, random_plan
from tests.search.test_objectives import as_instance
from tests.support.bounds_cases import small_layers, tight_problems
from tests.support.layers import accelerator, on_accelerator, problem_with

Overlap = Literal["dma", "duplex"]
overlaps = pytest.mark.parametrize("overlap", OVERLAPS)


def as_strategy(plan: Plan) -> Strategy:
    return Strategy(
        instance=plan.problem.resolved_instance(),
        duration=plan.duration,
        lower_bound=Fraction(0),
        status="feasible",
        steps=steps_of(plan),
    )


def valid(plan: Plan) -> bool:
    """Whether the reference accepts a plan, at the duration that it states."""
    reading = read(as_strategy(plan))
    return reading.step is None and reading.duration == plan.duration


@st.composite
def tiny(
    draw: st.DrawFn, operations: int = 4, blocks: int = 8, *, tiles: bool = False
) -> tuple[Problem, Problem]:
    """A tiny problem, serial and with overlap, that has a strategy."""
    serial = draw(tight_problems(operations, blocks, kernel=2))
    assume(tiles or serial.decomposition.tile == (1, 1))
    assume(least_memory(serial).value <= serial.accelerator.memory)
    assume(least_macs(serial).value <= serial.accelerator.macs_per_step)
    return serial, overlapping(serial, draw(st.sampled_from(OVERLAPS)))


# --- Plans ---


@overlaps
@pytest.mark.parametrize("number", range(0, 36, 5))
@pytest.mark.parametrize("more", [0, 5, 40])
def test_serial_plans_split_or_pipelined_are_valid_and_never_longer(
    number: int, more: int, overlap: Overlap
) -> None:
    for k, habits in enumerate(HABITS.values()):
        plan = random_plan(layer_of(number), 1000 * number + k, habits)
        serial = fitted(layer_of(number), plan)
        chip = serial.accelerator.model_copy(update={"memory": serial.accelerator.memory + more})
        problem = overlapping(on_accelerator(serial, chip), overlap)
        split, piped = split_in_three(plan, problem), pipelined(plan, problem)
        assert valid(split)
        assert valid(piped)
        assert piped.duration <= split.duration <= plan.duration
        assert split.duration == plan.duration or overlap == "duplex"
        assert piped.counts.loaded <= plan.counts.loaded
        assert without_reloads(piped) is piped


@pytest.mark.parametrize("number", [0, 1, 2, 6, 7, 8, 13, 14])
@pytest.mark.parametrize("parts", [2, 64])
def test_finer_plans_do_the_same(number: int, parts: int) -> None:
    serial = layer_of(number)
    plan = random_plan(serial, number, HABITS["thrifty"])
    finer = refined(plan, parts)
    assert valid(finer)
    assert finer.counts == plan.counts
    by: Cut = "kernels" if number % 2 else "positions"
    small = with_small_ends(finer, min(parts, 5), 3, by)
    assert valid(small)
    assert small.counts.peak <= plan.counts.peak
    assert (small.counts.loaded, small.counts.written) == (plan.counts.loaded, plan.counts.written)
    assert small.counts.actions >= plan.counts.actions


# --- Optima ---


def by_rules(problem: Problem, steps: int) -> Plan | None:
    """The best plan of at most so many steps, by clingo under the definition alone."""
    entry = [DEFINITION, "model/objective/duration.lp"]
    control = ground(shipped_rules(), entry, facts(problem, steps))
    outcome = minimise(control, Clock(), Solving(conflicts=2_000))
    assume(outcome.exhausted)  # a few take minutes
    if outcome.symbols is None or outcome.costs is None:
        return None
    plan = plan_of_model(problem, outcome.symbols)
    fixed = problem.prices.fixed
    assert plan.cost == plan.duration == outcome.costs[0] * scale_of(problem).unit + fixed
    return plan


@settings(max_examples=8, deadline=None)
@given(tiny(operations=2, blocks=4))
def test_the_rules_find_the_exhaustive_optimum(problems: tuple[Problem, Problem]) -> None:
    _, problem = problems
    best = by_rules(problem, 6)
    assert best is not None
    assert valid(best)
    assert best.duration == shortest(problem)


@settings(max_examples=60, deadline=None)
@given(tiny())
def test_the_optimum_lies_between_its_bounds(problems: tuple[Problem, Problem]) -> None:
    serial, problem = problems
    best, alone = shortest(problem), optimal_duration(serial)
    assert best is not None
    assert alone is not None
    lanes = 2 if problem.semantics.name == "dma" else 3
    assert Fraction(alone, lanes) <= best <= alone
    for one in (problem, problem.with_decomposition(finest(problem.layer))):
        bound = lower_bound(one)
        assert bound.value <= best
        assert verify_certificate(one, bound.certificate) == bound.value


@settings(max_examples=60, deadline=None)
@given(tiny(tiles=True), st.integers(0, 5))
def test_the_complete_search_finds_and_proves_the_exhaustive_optimum(
    problems: tuple[Problem, Problem], states: int
) -> None:
    _, problem = problems
    best = shortest(problem)
    assert best is not None
    search = BestFirst(problem, best + Fraction(1, 7), Clock(), 100_000)
    found = search.run()
    assert found is not None
    assert valid(found)
    assert found.duration == search.bound == best
    search = BestFirst(problem, best, Clock(), 100_000)
    assert search.run() is None
    assert search.bound == best
    # Stopped early, it still bounds.
    search = BestFirst(problem, best + 100, Clock(), states)
    search.run()
    assert search.bound <= best


def overlapped_finest(name: str, overlap: Overlap) -> Problem:
    instance = with_overlap(name, overlap)
    return problem_of(instance, finest(instance.layer))


@overlaps
def test_nine_operations_are_proved_in_a_thousand_states(overlap: Overlap) -> None:
    problem = overlapped_finest("tiny-3x3", overlap)
    search = BestFirst(problem, Fraction(64), Clock(), 1_000)
    found = search.run()
    assert found is not None
    assert valid(found)
    # A strategy of 49 cycles with one DMA was found by other means.
    assert search.bound == found.duration <= 49


@overlaps
@pytest.mark.parametrize("pads", [(1, 0, 0, 0), (0, 1, 0, 0)])
def test_the_optimum_of_a_mirrored_layer_is_the_same(
    pads: tuple[int, int, int, int], overlap: Overlap
) -> None:
    found = []
    for top, left, bottom, right in (pads, (*pads[2:], *pads[:2])):
        layer = Layer(
            input=(1, 3, 3), kernels=2, kernel_shape=(2, 2), pads=(top, left, bottom, right)
        )
        chip = accelerator(memory=15, compute=3, macs=12).model_copy(update={"overlap": overlap})
        instance = Instance(name="mirrored", layer=layer, accelerator=chip)
        problem = problem_of(instance, undivided(layer))
        search = BestFirst(problem, Fraction(1000), Clock(), 100_000)
        assert search.run() is not None
        found.append(search.bound)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("name", "number"), [("tiny-3x3", 8), ("tiny-2x3", 2), ("tiny-kernels", 16)]
)
def test_a_square_layer_has_eight_mirror_images_and_twice_as_many_with_two_kernels(
    name: str, number: int
) -> None:
    game = Game(overlapped_finest(name, "dma"))
    found = Symmetry(game, Sides(game)).permutations
    assert len(found) == number
    for one in found:
        for o, image in enumerate(one.operations):
            assert {one.inputs[b] for b in bits(game.needs[o])} == set(bits(game.needs[image]))


@settings(max_examples=6, deadline=None)
@given(tiny())
def test_what_the_search_finds_is_valid_and_its_bound_true(
    problems: tuple[Problem, Problem],
) -> None:
    _, problem = problems
    best = shortest(problem)
    assert best is not None
    found = offloadasp.solve(as_instance(problem), budget=4)
    assert found.lower_bound <= best <= found.duration
    assert found.status == "optimal"
    assert found.duration == best
    assert found.plan.duration == found.replay.duration == found.by_rules.duration


def with_overlap(name: str, overlap: Overlap) -> Instance:
    given_ = load_instance(find_instance(name))
    chip = given_.accelerator.model_copy(update={"overlap": overlap})
    return given_.model_copy(update={"accelerator": chip})


def test_baselines_are_pipelined_after_all_searches_which_need_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain: list[Plan] = []
    calls: list[str] = []

    def searched(*arguments: Any) -> Any:
        pool = run.search(*arguments)
        plain.extend(one for one in pool.baselines.values() if one is not pool.found.plan)
        calls.append("search")
        return pool

    def moved(plan: Plan, problem: Problem) -> Plan:
        calls.append("baseline" if any(plan is one for one in plain) else "plan")
        return pipelined(plan, problem)

    monkeypatch.setattr(overlap_search, "search", searched)
    monkeypatch.setattr(overlap_search, "pipelined", moved)
    offloadasp.solve(with_overlap("tiny-channels", "dma"), budget=2)
    assert calls.count("search") > 1
    assert "baseline" in calls
    assert "search" not in calls[calls.index("baseline") :]


@overlaps
def test_a_budget_gives_the_same_strategy_each_time(overlap: Overlap) -> None:
    first, again = (
        offloadasp.solve(with_overlap("tiny-channels", overlap), budget=2) for _ in "ab"
    )
    assert first.strategy == again.strategy
    # Serially it takes 74 cycles at least.
    assert first.duration < 74


@overlaps
def test_a_search_that_a_budget_ends_proves_nothing_and_gives_the_same_strategy_each_time(
    overlap: Overlap,
) -> None:
    instance = with_overlap("tiny-3x3", overlap)
    instance = instance.model_copy(
        update={"layer": Layer(input=(1, 7, 7), kernels=2, kernel_shape=(3, 3))}
    )
    first, again = (offloadasp.solve(instance, budget=1) for _ in "ab")
    assert first.strategy == again.strategy
    assert first.status == "feasible"


@settings(max_examples=4, deadline=None)
@given(small_layers(positions=4, kernel=2), st.sampled_from([1, 3, 9]), st.integers(0, 20))
def test_what_is_found_with_overlap_is_never_longer_than_what_is_found_without(
    layer: Layer, actions: int, compute: int
) -> None:
    macs = actions * (layer.input[0] // layer.group) * prod(layer.kernel_shape)
    ample = accelerator(memory=10**6, compute=compute, macs=macs)
    least = least_memory(problem_with(layer, ample, Precision(), finest(layer))).value
    found = []
    for overlap in ("none", "dma", "duplex"):
        chip = ample.model_copy(update={"memory": least + 4, "overlap": overlap})
        instance = Instance(name="beside", layer=layer, accelerator=chip)
        found.append(offloadasp.solve(instance, budget=1).duration)
    assert found[0] >= found[1]
    assert found[0] >= found[2]


@pytest.mark.parametrize(
    "choice", [{"kernel_groups": [1, 1]}, {"channel_groups": [3]}, {"tile": [1, 2]}]
)
def test_a_decomposition_that_the_user_fixes_is_kept(choice: dict[str, Any]) -> None:
    layer = Layer(input=(3, 3, 4), kernels=2, kernel_shape=(2, 2))
    chip = accelerator(memory=80, compute=9, macs=24).model_copy(update={"overlap": "dma"})
    instance = Instance(name="fixed", layer=layer, accelerator=chip, decomposition=choice)
    found = offloadasp.solve(instance, budget=1).strategy.instance.decomposition
    kernels = [end - first for first, end in found.kernel_groups]
    channels = [end - first for first, end in found.channel_groups]
    assert kernels == choice.get("kernel_groups", kernels)
    assert channels == choice.get("channel_groups", channels)
    assert list(found.tile) == choice.get("tile", [1, 1])


def test_other_objectives_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="only duration alone is minimised, not 'traffic'"):
        offloadasp.solve(with_overlap("tiny-3x3", "dma"), objective="traffic", budget=1)
