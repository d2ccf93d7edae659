"""Every objective, alone or after others, is minimised exactly; bounds say no more than true."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.asp.facts import scale_of
from offloadasp.asp.rules import shipped_rules
from offloadasp.base.errors import InputError
from offloadasp.base.resources import encodings_folder
from offloadasp.bounds import least_macs, least_memory
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.judge.simulator import simulate
from offloadasp.limits.clock import Clock
from offloadasp.model.catalogue import find_instance
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Choice, Instance, Layer, Precision, load_instance
from offloadasp.model.objectives import OBJECTIVES, Prices, objectives
from offloadasp.model.problem import Problem, finest, problem_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.decompose import scope
from offloadasp.search.effort import Effort
from offloadasp.search.lexicographic.lexicographic import Lexicographic
from offloadasp.search.lexicographic.weights import combine, thrifty_ranges
from tests.engines import exhaustive
from tests.engines.exhaustive import optimum
from tests.engines.plans import SPILLING, cost, fitted, random_plan, strategy_of
from tests.search.test_search import CASES, instance, least
from tests.support.bounds_cases import decompositions as drawn_decompositions
from tests.support.bounds_cases import small_layers, tight_problems, tiny_problems
from tests.support.layers import (
    PRECISIONS,
    RATES,
    accelerator,
    layers,
    problem_with,
    problems,
    with_memory,
)
from tests.support.solving import operations, solve

PAIRS = list(itertools.permutations(OBJECTIVES, 2))
LISTS = [(name,) for name in OBJECTIVES] + PAIRS
# Of the two objectives that may follow a pair, the one or the other in turn.
TRIPLES = [
    (*pair, [name for name in OBJECTIVES if name not in pair][k % 2])
    for k, pair in enumerate(PAIRS)
]


def search(given_: Instance, names: tuple[str, ...], budget: int | None = None) -> Answer:
    effort = Effort(Clock(), threads=1, budget=budget)
    return Lexicographic(given_, shipped_rules(), effort, names).run()


def values(answer: Answer) -> tuple[Fraction, ...]:
    return tuple(claim.value for claim in answer.claims)


def proved(answer: Answer) -> bool:
    return all(claim.value == claim.lower_bound for claim in answer.claims)


def as_instance(problem: Problem) -> Instance:
    """An instance that fixes a problem's decomposition."""
    groups = problem.decomposition
    return Instance(
        name=problem.name,
        layer=problem.layer,
        accelerator=problem.accelerator,
        precision=problem.precision,
        energy=problem.instance.energy,
        decomposition=Choice(
            tile=groups.tile,
            kernel_groups=tuple(b - a for a, b in groups.kernel_groups),
            channel_groups=tuple(b - a for a, b in groups.channel_groups),
        ),
    )


# --- The search against exhaustive search ---


# Each case gets a third of the lists, each list two or three cases.
COMBINED = [(case, names) for k, case in enumerate(CASES) for names in LISTS[k % 3 :: 3]]


@pytest.mark.parametrize(("case", "names"), COMBINED, ids=str)
def test_the_proved_optimum_is_the_exhaustive_one(case: str, names: tuple[str, ...]) -> None:
    given_ = instance(CASES[case], least(CASES[case]) + 3)
    found = search(given_, names)
    assert proved(found)
    assert values(found) == optimum(problem_of(given_, scope(given_)), names)


@pytest.mark.parametrize("names", TRIPLES, ids=",".join)
def test_three_objectives_are_one_after_the_other(names: tuple[str, ...]) -> None:
    given_ = instance(CASES["two rows"], least(CASES["two rows"]) + 5, compute_cycles="7/3")
    found = search(given_, names)
    assert proved(found)
    assert values(found) == optimum(problem_of(given_, scope(given_)), names)


@pytest.mark.parametrize("names", list(itertools.permutations(OBJECTIVES))[::5], ids=",".join)
def test_all_objectives_are_one_after_the_other(names: tuple[str, ...]) -> None:
    given_ = instance(CASES["two kernels"], least(CASES["two kernels"]) + 3)
    found = search(given_, names)
    assert proved(found)
    assert values(found) == optimum(problem_of(given_, scope(given_)), names)


@settings(max_examples=30, deadline=None)
@given(tight_problems(operations=5, blocks=11), st.sampled_from(PAIRS))
def test_random_layers_get_their_exhaustive_optimum(
    problem: Problem, names: tuple[str, ...]
) -> None:
    # The oracle moves all partial sums of a tile together.
    assume(problem.decomposition.tile == (1, 1) or len(problem.channel_sizes) == 1)
    assume(least_memory(problem).value <= problem.capacity)
    assume(least_macs(problem).value <= problem.accelerator.macs_per_step)
    found = search(as_instance(problem), names)
    assert proved(found)
    assert values(found) == optimum(problem, names)


@settings(max_examples=30, deadline=None)
@given(tight_problems(operations=6, blocks=12), st.sampled_from(PAIRS), st.integers(1, 3))
def test_bounds_of_a_search_cut_short_hold_for_the_values_it_found(
    problem: Problem, names: tuple[str, ...], budget: int
) -> None:
    assume(problem.decomposition.tile == (1, 1) or len(problem.channel_sizes) == 1)
    assume(least_memory(problem).value <= problem.capacity)
    assume(least_macs(problem).value <= problem.accelerator.macs_per_step)
    first, second = search(as_instance(problem), names, budget).claims
    best = optimum(problem, names)
    assert best is not None
    assert first.lower_bound <= best[0] <= first.value
    assert second.lower_bound <= least_given(problem, first, second.objective) <= second.value


def least_given(problem: Problem, first: Claim, second: str) -> Fraction:
    """The least second objective of strategies whose first one is at most its value."""
    if first.objective == "peak_memory":
        found = optimum(with_memory(problem, int(first.value)), [second])
    elif second == "peak_memory":
        return Fraction(exhaustive.least_capacity(problem, [first.objective], [first.value]))
    else:
        # Or a value not below it: that of the lexicographic optimum.
        found = optimum(problem, [second, first.objective])
        if found is not None and found[1] > first.value:
            found = (optimum(problem, [first.objective, second]) or ())[::-1]
    assert found
    return found[0]


def test_what_two_objectives_prove_together_is_proved_of_the_second_one() -> None:
    """The first one's own bound leaves room below the second one's optimum."""
    given_ = load_instance(find_instance("tiny-3x3"))
    names = ("traffic", "peak_memory", "duration")
    found = search(given_, names)
    assert proved(found)
    entry = found.certificate["then"][1]
    assert set(entry) >= {"weight", "loads"}
    assert "complete_search" not in entry
    assert values(found) == optimum(problem_of(given_, scope(given_)), names)


def test_more_memory_never_gives_a_worse_optimum() -> None:
    start = least(CASES["two channels"])
    for names in (
        ("duration", "peak_memory"),
        ("peak_memory", "duration"),
        ("traffic", "duration"),
    ):
        found = [
            values(search(instance(CASES["two channels"], start + more), names))
            for more in (0, 2, 5)
        ]
        assert found == sorted(found, reverse=True)


def test_a_budget_gives_the_same_plan_each_time() -> None:
    given_ = instance({"layer": {"input": [2, 5, 5], "kernels": 3, "kernel_shape": [3, 3]}}, 60)
    names = ("duration", "peak_memory", "traffic")
    first, again = (search(given_, names, budget=5) for _ in range(2))
    assert first.claims == again.claims
    assert (first.plan.compute == again.plan.compute).all()


def test_where_the_sum_of_two_objectives_is_too_large_the_first_one_is_still_proved() -> None:
    given_ = instance(CASES["two kernels"], least(CASES["two kernels"]), compute_cycles=10**9)
    names = ("traffic", "duration")
    traffic, duration = search(given_, names).claims
    best = optimum(problem_of(given_, scope(given_)), names)
    assert best is not None
    assert traffic.value == traffic.lower_bound == best[0]
    assert duration.lower_bound <= best[1] <= duration.value


def test_an_interruption_ends_every_part_of_a_clock() -> None:
    whole = Clock(10_000)
    part = whole.part(0.5).part(0.5)
    assert 2000 < part.remaining <= 2500
    assert not part.expired()
    whole.interrupt()
    assert part.interrupted
    assert part.expired()
    assert whole.part(0.5).expired()


def test_the_instance_of_a_plan_keeps_its_memory_and_rates() -> None:
    given_ = instance(CASES["two rows"], least(CASES["two rows"]) + 5)
    for names in LISTS:
        found = search(given_, names)
        assert found.plan.problem.accelerator == given_.accelerator
        assert found.duration_bound <= found.plan.duration
        if names[0] == "peak_memory":
            assert found.claims[0].value < given_.accelerator.memory


# --- The rules of the objectives, solved by clingo ---

FOLDER = encodings_folder()


def by_clingo(problem: Problem, names: tuple[str, ...], *more: str) -> tuple[Fraction, ...]:
    """The optimum of the definition with the objectives' files at their priorities."""
    files = ["definition.lp", *more, *(f"model/objective/{name}.lp" for name in names)]
    constants = [f"-c {name}_priority={len(names) - k}" for k, name in enumerate(names)]
    found = solve(FOLDER, files, problem, operations(problem) + 1, arguments=constants)
    assert found is not None
    for name, value in zip(names, found.costs, strict=True):
        if name == "peak_memory":
            read = strategy_of(problem, found.plan)
            assert read_by_rules(read, shipped_rules()).counts.peak == value
            assert simulate(read).peak_memory == value
    return tuple(
        Fraction(value) if name == "peak_memory" else in_units(problem, name, value)
        for name, value in zip(names, found.costs, strict=True)
    )


def in_units(problem: Problem, name: str, cost: int) -> Fraction:
    """What a cost of the rules is worth in a linear objective."""
    *each, fixed = exhaustive.charges_of(problem, name)
    return scale_of(problem.at(Prices(*each))).unit * cost + fixed


@pytest.mark.parametrize("names", LISTS, ids=",".join)
@pytest.mark.parametrize("case", ["two channels", "stride and padding"])
def test_the_files_of_rules_have_the_exhaustive_optimum(case: str, names: tuple[str, ...]) -> None:
    given_ = instance(CASES[case], least(CASES[case]) + 3)
    problem = problem_of(given_, scope(given_))
    assert by_clingo(problem, names, "proof/lean.lp") == optimum(problem, names)


@settings(max_examples=20, deadline=None)
@given(tight_problems(operations=3, blocks=7, kernel=2), st.sampled_from(PAIRS))
def test_the_definition_has_the_exhaustive_optimum_and_lean_rules_keep_it(
    problem: Problem, names: tuple[str, ...]
) -> None:
    assume(problem.decomposition.tile == (1, 1) or len(problem.channel_sizes) == 1)
    assume(least_memory(problem).value <= problem.capacity)
    assume(least_macs(problem).value <= problem.accelerator.macs_per_step)
    wanted = optimum(problem, names)
    assert by_clingo(problem, names) == wanted
    assert by_clingo(problem, names, "proof/lean.lp") == wanted


# --- The peak of memory ---


@settings(max_examples=40, deadline=None)
@given(layers(side=4, reach=2), PRECISIONS, st.integers(0, 2**32 - 1), st.data())
def test_all_readings_agree_on_the_peak(
    layer: Layer, precision: Precision, seed: int, data: st.DataObject
) -> None:
    problem = data.draw(problems(st.just(layer), tiled=False))
    plan = random_plan(problem, seed)
    read = strategy_of(fitted(problem, plan), plan)
    peak = plan.counts.peak
    assert peak == cost(problem, plan).memory
    assert peak == read_by_rules(read, shipped_rules()).counts.peak == simulate(read).peak_memory


@settings(max_examples=150, deadline=None)
@given(small_layers(), PRECISIONS, st.integers(1, 3), st.data())
def test_no_decomposition_needs_less_memory_than_the_finest(
    layer: Layer, precision: Precision, steps: int, data: st.DataObject
) -> None:
    drawn = data.draw(st.just(layer))
    groups = data.draw(drawn_decompositions(drawn))
    fine = problem_with(drawn, accelerator(), precision, finest(drawn))
    macs = int(fine.operation_macs.max()) * steps
    fine, coarse = (
        problem_with(drawn, accelerator(macs=macs), precision, d) for d in (finest(drawn), groups)
    )
    if least_macs(coarse).value <= macs:
        assert least_memory(fine).value <= least_memory(coarse).value


# --- Weights ---


@settings(max_examples=60, deadline=None)
@given(st.tuples(RATES, RATES, RATES), st.tuples(RATES, RATES, RATES), st.data())
def test_a_weighted_sum_orders_as_the_objectives_do(
    first: tuple[Fraction, Fraction, Fraction],
    second: tuple[Fraction, Fraction, Fraction],
    data: st.DataObject,
) -> None:
    limits = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda p: (p[0], sum(p)))
    ranges = data.draw(st.tuples(limits, limits, limits))
    joined = combine(Prices(*first), Prices(*second), ranges)
    assert min(joined.prices.each) >= 0
    pairs = []
    for _ in range(2):
        totals = [data.draw(st.integers(*limit)) for limit in ranges]
        a, b, both = (
            sum((rate * total for rate, total in zip(rates, totals, strict=True)), Fraction(0))
            for rates in (first, second, joined.prices.each)
        )
        assert joined.first(both) == a
        assert joined.second(both, a) == b
        pairs.append(((a, b), both))
    (x, low), (y, high) = pairs
    assert (x < y) == (low < high)


@settings(max_examples=40, deadline=None)
@given(tiny_problems(operations=6, blocks=14), st.integers(0, 2**32 - 1))
def test_strategies_without_waste_lie_within_the_ranges(problem: Problem, seed: int) -> None:
    assume(problem.decomposition.tile == (1, 1))
    plan = random_plan(problem, seed, SPILLING)
    counts = plan.counts
    for total, (low, high) in zip(
        (counts.loaded, counts.written, counts.actions), thrifty_ranges([problem]), strict=True
    ):
        assert low <= total <= high


# --- Names ---


@pytest.mark.parametrize("text", ["power", "", "duration,", "duration,power", "Traffic"])
def test_an_unknown_objective_is_refused_with_all_that_are_allowed(text: str) -> None:
    with pytest.raises(InputError, match="duration, traffic, peak_memory, energy") as raised:
        objectives(text)
    assert "\n" not in str(raised.value)


def test_a_repeated_objective_is_refused() -> None:
    with pytest.raises(InputError, match="'traffic' is repeated"):
        objectives("traffic, duration,traffic")


def test_names_are_read_in_their_order() -> None:
    assert objectives("peak_memory, traffic") == ("peak_memory", "traffic")
