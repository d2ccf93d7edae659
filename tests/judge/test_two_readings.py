"""check.lp and the simulator read strategies alike: same verdict, same first step that is wrong."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.asp.rules import shipped_rules
from offloadasp.judge.by_rules import RuleReading, read_by_rules
from offloadasp.judge.simulator import Replay, Violation, simulate
from offloadasp.model.instance import Accelerator, Energy, Resolved, exact_number
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy
from tests.engines.mutation import LISTS, STATED
from tests.engines.plans import cost, fitted, random_plan, strategy_of
from tests.support.layers import (
    ENERGIES,
    PRECISIONS,
    RATES,
    layers,
    problem_with,
    problems,
    splits,
    with_energy,
)

RULES = shipped_rules()
Json = dict[str, Any]
# Between lists of one group an entry has the same form.
GROUPS = (
    ("free.pixels", "load.pixels"),
    ("free.kernels", "load.kernels"),
    ("write.outputs", "write.partial_sums", "load.partial_sums"),
    ("compute",),
)


@st.composite
def valid_strategies(draw: st.DrawFn) -> Strategy:
    """Valid strategies of any layer with just the memory and multiply-accumulates they take."""
    layer = draw(layers(side=4, reach=2))
    chip = Accelerator(
        memory=2**40,
        load_cycles=draw(RATES),
        write_cycles=draw(RATES),
        compute_cycles=draw(RATES),
        macs_per_step=2**40,
        mac_cycles=draw(st.sampled_from([Fraction(0), Fraction(2, 31)])),
    )
    groups = Resolved(
        kernel_groups=draw(splits(layer.kernels)), channel_groups=draw(splits(layer.input[0]))
    )
    problem = problem_with(layer, chip, draw(PRECISIONS), groups)
    plan = random_plan(problem, draw(st.integers(0, 2**32 - 1)))
    return strategy_of(fitted(problem, plan), plan)


def entries(step: Json, name: str) -> list[list[int]]:
    """The list of a step by its name; changes to it change the step."""
    found: Any = step
    for key in name.split("."):
        found = found[key]
    assert isinstance(found, list)
    return found


def cells(entry: list[int], keys: int) -> Iterator[list[int]]:
    """A box cell by cell: another way to write the same."""
    if len(entry) == keys:
        yield entry
        return
    r0, r1, c0, c1 = entry[keys:]
    for r in range(r0, r1):
        for c in range(c0, c1):
            yield [*entry[:keys], r, r + 1, c, c + 1]


@dataclass(frozen=True)
class Entry:
    """One entry of a list of a step, and how to draw what becomes of it."""

    draw: st.DrawFn
    steps: list[Json]
    step: int
    name: str
    number: int

    @property
    def here(self) -> list[list[int]]:
        return entries(self.steps[self.step], self.name)

    @property
    def value(self) -> list[int]:
        return list(self.here[self.number])

    def replace(self, *values: list[int]) -> None:
        self.here[self.number : self.number + 1] = values

    def duplicate(self) -> None:
        self.here.append(self.value)

    def drop(self) -> None:
        self.replace()

    def copy(self) -> None:
        entries(self.draw(st.sampled_from(self.steps)), self.name).append(self.value)

    def move(self) -> None:
        value, last = self.value, len(self.steps) - 1
        other = self.draw(st.integers(max(0, self.step - 2), min(last, self.step + 2)))
        self.drop()
        entries(self.steps[other], self.name).append(value)

    def rename(self) -> None:
        """Put it into another list of the step that has entries of the same form."""
        (group,) = (group for group in GROUPS if self.name in group)
        value = self.value
        self.drop()
        entries(self.steps[self.step], self.draw(st.sampled_from(group))).append(value)

    def shift(self) -> None:
        """Change one of its numbers by one."""
        value = self.value
        where = self.draw(st.integers(0, len(value) - 1))
        value[where] = max(0, value[where] + self.draw(st.sampled_from([-1, 1])))
        self.replace(value)

    def slide(self) -> None:
        """Move a box by a row or a column; a kernel has neither."""
        value, keys = self.value, LISTS[self.name]
        where = keys + 2 * self.draw(st.integers(0, 1))
        by = self.draw(st.sampled_from([-1, 1]))
        value[where : where + 2] = [max(0, bound + by) for bound in value[where : where + 2]]
        self.replace(value)

    def split(self) -> None:
        self.replace(*cells(self.value, LISTS[self.name]))


OF_AN_ENTRY = (
    Entry.drop,
    Entry.duplicate,
    Entry.copy,
    Entry.move,
    Entry.rename,
    Entry.shift,
    Entry.slide,
    Entry.split,
)


def tighten(draw: st.DrawFn, data: Json) -> None:
    limit = draw(st.sampled_from(["memory", "macs_per_step"]))
    accelerator = data["instance"]["accelerator"]
    accelerator[limit] = max(1, accelerator[limit] - draw(st.sampled_from([1, 1, 5])))


def swap(draw: st.DrawFn, data: Json) -> None:
    steps, t = data["steps"], draw(st.integers(0, max(0, len(data["steps"]) - 2)))
    steps[t : t + 2] = reversed(steps[t : t + 2])


def leave_out(draw: st.DrawFn, data: Json) -> None:
    t = draw(st.integers(0, max(0, len(data["steps"]) - 1)))
    del data["steps"][t : t + 1]


def repeat(draw: st.DrawFn, data: Json) -> None:
    steps = data["steps"]
    if steps:
        step = copy.deepcopy(draw(st.sampled_from(steps)))
        steps.insert(draw(st.integers(0, len(steps))), step)


OF_THE_WHOLE = (tighten, swap, leave_out, repeat)


@st.composite
def spoilt(draw: st.DrawFn, strategy: Strategy) -> Strategy:
    """A strategy with one to three changes. It may still be valid."""
    data = strategy.model_dump(mode="json")
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        places = [
            (t, name, k)
            for t, step in enumerate(data["steps"])
            for name in LISTS
            for k in range(len(entries(step, name)))
        ]
        if places and draw(st.integers(0, 2)) > 0:
            entry = Entry(draw, data["steps"], *draw(st.sampled_from(places)))
            draw(st.sampled_from(OF_AN_ENTRY))(entry)
        else:
            draw(st.sampled_from(OF_THE_WHOLE))(draw, data)
    return Strategy.model_validate(data)


def read_both_ways(strategy: Strategy) -> tuple[RuleReading, Replay]:
    """Let both read it, and hold them together."""
    verdict, replay = read_by_rules(strategy, RULES), simulate(strategy)
    rules = [violation.step for violation in verdict.violations]
    simulated = [v.step for v in replay.violations if v.rule not in STATED]
    assert verdict.accepted == (not simulated), f"{verdict.violations}\n{replay.violations}"
    assert min(rules, default=None) == min(simulated, default=None), (
        f"{verdict.violations}\n{replay.violations}"
    )
    if verdict.accepted:
        assert verdict.duration == replay.duration
        assert verdict.counts.loaded == replay.loads.total
        assert verdict.counts.written == replay.writes.total
        assert verdict.counts.actions == replay.compute_steps
        assert verdict.counts.peak == replay.peak_memory
    return verdict, replay


@settings(max_examples=20, deadline=None)
@given(valid_strategies())
def test_both_accept_what_is_valid(strategy: Strategy) -> None:
    verdict, replay = read_both_ways(strategy)
    assert verdict.accepted
    assert verdict.duration == strategy.duration
    assert replay.verified


@settings(max_examples=90, deadline=None)
@given(valid_strategies(), st.data())
def test_both_find_the_same_fault(strategy: Strategy, data: st.DataObject) -> None:
    read_both_ways(data.draw(spoilt(strategy)))


@settings(max_examples=20, deadline=None)
@given(
    problems(tiled=False),
    ENERGIES,
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 0, 1, -1, "1/7"]),
)
def test_both_count_the_energy_step_by_step_and_name_a_false_one(
    problem: Problem, energy: Energy, seed: int, wrong: int | str
) -> None:
    problem = with_energy(problem, energy)
    plan = random_plan(problem, seed)
    made = strategy_of(fitted(problem, plan), plan)
    true = cost(problem, plan).energy
    stated = max(Fraction(0), true + Fraction(wrong))
    objective = {"name": "energy", "value": exact_number(stated), "lower_bound": 0}
    read = Strategy.model_validate(made.model_dump(mode="json") | {"objective": objective})
    verdict, replay = read_both_ways(read)
    assert verdict.measured["energy"] == replay.measured["energy"] == true
    false = [("energy", true, stated)] if stated != true else []
    assert list(verdict.contradicted(read)) == false
    assert replay.violations == tuple(Violation(0, "objective", name) for name, _, _ in false)
