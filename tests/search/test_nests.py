"""Loop nests: their bytes by plain loops over tiles, and their plans by the simulator."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offloadasp.asp.rules import shipped_rules
from offloadasp.bounds import lower_bound
from offloadasp.judge.simulator import keep_books
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Instance, parse_instance
from offloadasp.model.objectives import prices_of
from offloadasp.model.problem import Problem, finest, problem_of
from offloadasp.search.baselines import strategy_of
from offloadasp.search.construct.residency import plan_of
from offloadasp.search.effort import Effort
from offloadasp.search.nests.actions import actions
from offloadasp.search.nests.budgeted import BudgetedNests
from offloadasp.search.nests.cost import Tiles, axes_of, needs, sizes_of
from offloadasp.search.nests.enumerate import enumerate_nests, mapping_of
from offloadasp.search.nests.family import LOOPS, MODES, Loop, Mapping
from offloadasp.search.nests.keep import as_memory_allows, cheapest
from offloadasp.search.nests.plan import lay_out
from offloadasp.search.nests.tiles import AnnealTiles, one_step_each
from offloadasp.search.nests.worker import plan_of_nest
from offloadasp.search.pool import Pool
from offloadasp.search.question import question_of
from offloadasp.search.source import Nested


def _instance(group: int = 1, **changes: object) -> Instance:
    layer = {"input": [4, 6, 5], "kernels": 4, "kernel_shape": [3, 2], "group": group}
    accelerator = {
        "memory": 100_000,
        "load_cycles": 1,
        "write_cycles": 1,
        "compute_cycles": 3,
        "macs_per_step": 10_000,
    }
    table = {"name": "nest", "layer": layer | changes, "accelerator": accelerator}
    return parse_instance(table, "nest")


LAYERS = (
    _instance(),
    _instance(pads=[1, 0, 1, 1], bias=True),
    _instance(strides=[2, 1], input=[3, 9, 5]),
    _instance(strides=[3, 3], kernel_shape=[2, 2], input=[2, 11, 8]),
    _instance(dilations=[2, 1], input=[3, 8, 5]),
    _instance(group=2, bias=True),
    _instance(group=4),
)


def _problem(instance: Instance, name: str = "traffic") -> Problem:
    return problem_of(instance, finest(instance.layer)).at(prices_of(name, instance))


def _spans(total: int, size: int) -> list[range]:
    return [range(a, min(a + size, total)) for a in range(0, total, size)]


def _walked(sizes: list[int]) -> Iterator[tuple[int, ...]]:
    """Count through loops of so many rounds, each of which turns round when it starts anew."""
    ways = [1] * len(sizes)
    at = [0] * len(sizes)
    while True:
        yield tuple(at)
        for k in reversed(range(len(sizes))):
            if 0 <= at[k] + ways[k] < sizes[k]:
                at[k] += ways[k]
                break
            ways[k] = -ways[k]
        else:
            return


def _bytes_by_plain_loops(problem: Problem, mapping: Mapping) -> tuple[int, int]:
    """Load and write, tile by tile, all that is not kept from the tile before."""
    layer, precision = problem.layer, problem.precision
    kernels, channels = layer.kernels // layer.group, layer.input[0] // layer.group
    totals = dict(
        zip(LOOPS, (layer.group, *layer.output_shape[1:], kernels, channels), strict=True)
    )
    tiles = {loop: _spans(totals[loop], mapping.size(loop)) for loop in LOOPS}
    rows, columns = (reads.listed() for reads in problem.reads)
    before: dict[str, set[tuple[int, ...]]] = {}
    begun: set[tuple[int, ...]] = set()
    loaded = written = 0
    for at in _walked([len(tiles[loop]) for loop in mapping.order]):
        tile = {loop: tiles[loop][k] for loop, k in zip(mapping.order, at, strict=True)}
        inside = set(rows[list(tile["p"])].ravel().tolist()) - {-1}
        across = set(columns[list(tile["q"])].ravel().tolist()) - {-1}
        now: dict[str, set[tuple[int, ...]]] = {
            "inputs": set(itertools.product(tile["g"], tile["c"], inside, across)),
            "weights": set(itertools.product(tile["g"], tile["m"], tile["c"])),
            "outputs": set(itertools.product(tile["g"], tile["m"], tile["p"], tile["q"])),
        }
        kept = {
            name: before.get(name, set()) if getattr(mapping.mode, name) else set() for name in now
        }
        loaded += precision.input * len(now["inputs"] - kept["inputs"])
        taps = layer.kernel_shape[0] * layer.kernel_shape[1]
        for *_, c in now["weights"] - kept["weights"]:
            bias = precision.partial_sum if layer.bias and c == 0 else 0
            loaded += precision.weight * taps + bias
        again = (now["outputs"] - kept["outputs"]) & begun
        loaded += precision.partial_sum * len(again)
        written += precision.partial_sum * len(again)
        begun |= now["outputs"]
        before = now
    written += precision.output * layer.kernels * problem.positions
    return loaded, written


@st.composite
def mappings(draw: st.DrawFn) -> tuple[Problem, Mapping]:
    problem = _problem(draw(st.sampled_from(LAYERS)))
    axes = axes_of(problem)
    index = {loop: np.array([draw(st.integers(0, len(axes[loop].size) - 1))]) for loop in LOOPS}
    order: tuple[Loop, ...] = tuple(draw(st.permutations(LOOPS)))
    tiles = Tiles(sizes_of(problem), axes, index)
    return problem, mapping_of(tiles, draw(st.sampled_from(MODES)), order)


@settings(max_examples=150, deadline=None)
@given(mappings())
def test_bytes_are_those_of_plain_loops_over_tiles(drawn: tuple[Problem, Mapping]) -> None:
    problem, mapping = drawn
    assert (mapping.loaded, mapping.written) == _bytes_by_plain_loops(problem, mapping)


SMALL = (
    _instance(input=[2, 5, 4], kernels=2, pads=[1, 0, 1, 1], bias=True),
    _instance(input=[2, 7, 5], kernels=3, strides=[2, 1]),
    _instance(input=[4, 5, 4], group=2, bias=True),
    _instance(input=[3, 4, 4], kernels=3, group=3),
)


@pytest.mark.parametrize("name", ["traffic", "duration"])
@pytest.mark.parametrize("instance", SMALL)
@pytest.mark.parametrize("memory", [60, 110])
def test_no_member_of_the_family_is_cheaper_than_the_best_one(
    name: str, instance: Instance, memory: int
) -> None:
    problem = _problem(instance, name).within(memory)
    ranking = enumerate_nests(problem, Clock(), 1)
    axes = axes_of(problem)
    grid = np.meshgrid(*(np.arange(len(axes[loop].size)) for loop in LOOPS), indexing="ij")
    index = {loop: part.ravel() for loop, part in zip(LOOPS, grid, strict=True)}
    tiles = Tiles(sizes_of(problem), axes, index)
    load, write, compute = (int(price) for price in problem.prices.each)
    costs = []
    for mode in MODES:
        fitting = tiles.at(np.flatnonzero(needs(tiles, mode).least <= problem.memory))
        if len(fitting):
            acts = compute * actions(fitting, mode, needs(fitting, mode))
            for order in itertools.permutations(LOOPS):
                loaded, written = fitting.transfers(mode, order)
                costs.append(int((load * loaded + write * written + acts).min()))
    assert ranking.complete
    assert [min(costs)] == [cost for cost, _ in ranking.best]


@settings(max_examples=30, deadline=None)
# With gaps between the rows of a patch, some positions bring fewer new rows than others.
@example(next(one for one in LAYERS if one.layer.dilations == (2, 1)), "traffic", 77)
@given(st.sampled_from(LAYERS), st.sampled_from(["traffic", "duration"]), st.integers(60, 400))
def test_plans_of_the_best_nests_are_valid_and_cost_what_the_closed_form_says(
    instance: Instance, name: str, memory: int
) -> None:
    problem = _problem(instance, name).within(memory)
    for cost, mapping in enumerate_nests(problem, Clock(), 3).best:
        plan = plan_of_nest(problem, mapping)
        assert plan is not None
        assert (plan.counts.loaded, plan.counts.written) == (mapping.loaded, mapping.written)
        assert plan.counts.peak <= memory
        assert plan.cost <= cost or name == "duration"
        assert not keep_books(strategy_of(plan)).violations
        laid = lay_out(problem, mapping)
        for made in as_memory_allows(laid, mapping):
            kept = plan_of(laid.problem, made)
            assert kept.cost == made.cost
            assert kept.counts.peak <= memory
            assert not keep_books(strategy_of(kept)).violations


@pytest.mark.parametrize("name", ["traffic", "duration"])
@pytest.mark.parametrize("instance", SMALL)
def test_within_a_budget_nests_count_at_their_memory_and_at_all_that_there_is(
    name: str, instance: Instance
) -> None:
    question = question_of(instance, shipped_rules(), prices_of(name, instance), 110)
    rung = Pool(question.within(60), lower_bound(question.whole.within(60)))
    nests = BudgetedNests(question)
    assert not nests.offer(rung, 1)
    assert rung.best is None
    more = nests.offer(rung, 128)
    plans = [rung.found.plan, *(one.plan for one in more)]
    ((_, mapping),) = enumerate_nests(rung.question.whole, Clock()).best
    best = plan_of_nest(rung.question.whole, mapping)
    assert best is not None
    for plan, memory in zip(plans, (60, 110), strict=True):
        assert plan.cost <= best.cost
        assert plan.counts.peak <= memory
        assert not keep_books(strategy_of(plan)).violations


@pytest.mark.parametrize(("name", "better"), [("duration", True), ("traffic", False)])
def test_tiles_of_a_nest_are_reordered_unless_their_sums_do_not_fit_and_the_plan_has_none(
    name: str, *, better: bool
) -> None:
    # By traffic the best nest of whole operands spills more than the local search can keep.
    instance = _instance(input=[16, 16, 16], kernels=32, kernel_shape=[3, 3])
    question = question_of(instance, shipped_rules(), prices_of(name, instance), 600)
    mapping = next(
        mapping
        for _, mapping in enumerate_nests(question.whole, Clock(), 24).best
        if one_step_each(question.whole, mapping)
    )
    laid = lay_out(question.whole, mapping)
    made = cheapest(laid, mapping)
    assert made is not None
    pool, tiles = Pool(question, lower_bound(question.whole)), AnnealTiles()
    pool.offer(plan_of(laid.problem, made), Nested(mapping))
    assert tiles.fits(pool)
    improver = tiles.prepare(pool, Effort(Clock()))
    improver.within(2_000, Clock())
    tiles.offer(pool, improver)
    plan = pool.found.plan
    assert (plan.cost < made.cost) == better
    assert plan.problem.decomposition.tile == (1, 1)
    assert plan.counts.peak <= 600
    assert not keep_books(strategy_of(plan)).violations
