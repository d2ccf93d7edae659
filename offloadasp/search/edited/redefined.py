"""The search under rules that redefine a step: plans of the shipped rules, and the definition.

An edit in place is a redefinition, however small: a memory of which 64 bytes are reserved, or half
as much work a step. Plans of the shipped search are stable models of many such programs, those
for less memory or less work above all. So they are read by the rules in force, in full. Nothing
that is proved of the shipped rules holds. A small layer is searched completely besides.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

from offloadasp.asp.facts import in_range
from offloadasp.asp.stable_models import StableModels
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.model.instance import Instance
from offloadasp.model.plan import Plan
from offloadasp.model.problem import problem_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.decompose import decompositions
from offloadasp.search.edited.coarser import coarser_tiles, in_tiles
from offloadasp.search.edited.complete import CompleteSearch
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Status
from offloadasp.search.shipped import before_the_users, shipped_answer
from offloadasp.search.size_limits import operations
from offloadasp.search.source import Obeying, Source

# Shares of memory and of work a step that plans are made for, and of the time for each of them.
_FEWER = ((1, 1), (0.95, 1), (1, 0.5), (0.85, 1), (0.7, 1), (1, 0.25), (0.5, 1), (0.7, 0.5))
_SHARE = 0.1
# How often the memory between a share that is too large and one that does is halved.
_HALVED = 4
# Operations times steps of a reading at most: every operation is done or not in every step. So many
# take about 10 s and 600 MB.
_MOST = 400_000


@dataclass(frozen=True)
class _Found:
    plan: Plan
    source: Source
    costs: dict[int, int]

    def order(self) -> tuple[int, ...]:
        """Return what to compare plans by: costs, highest priority first."""
        return tuple(self.costs[priority] for priority in sorted(self.costs, reverse=True))


@dataclass
class RedefinedSearch:
    """One search under rules that redefine a step.

    Attributes
    ----------
    complete
        The search of the definition in force.
    models
        Reads plans by it.
    shipped
        The plan of the shipped rules.
    """

    complete: CompleteSearch
    models: StableModels = field(init=False)
    shipped: Plan | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Prepare the rules in force."""
        self.models = StableModels(self.complete.rules, self.complete.names)

    @property
    def _effort(self) -> Effort:
        return self.complete.effort

    def run(self) -> Answer:
        """Search for the best strategy under the rules in force.

        Raises
        ------
        NoStrategyError
            None was found within the limits, or the rules do not ground within them.
        InputError
            A rule is wrong.
        """
        read = self._read() if self.models.readable and self._layer is not None else None
        if read is None:
            return self.complete.run()
        answer = self._answer(read)
        if not self.complete.in_reach or self._effort.clock.expired():
            return answer
        try:
            searched = self.complete.run()
        except NoStrategyError:
            return answer
        return answer if _values(answer) < _values(searched) else searched

    # --- Plans of the shipped search ---

    @cached_property
    def _layer(self) -> Instance | None:
        """The layer with the least tile of which plans can be read; None if there is none."""
        instance = self.complete.instance
        for one in (instance, *coarser_tiles(instance)):
            problems = [problem_of(one, each) for each in decompositions(one)]
            least = min(map(operations, problems))
            full = problems[0].total_macs / problems[0].accelerator.macs_per_step
            if least * full <= _MOST:
                return one
        return None

    def _read(self) -> _Found | None:
        """Return the best plan of the shipped search that the rules in force have."""
        above = 1.0
        for memory, work in _FEWER:
            found = self._of(memory, work)
            if found is not None:
                return found if work < 1 else self._more_memory(found, memory, above)
            above = memory if work == 1 else above
            if self._effort.clock.expired():
                break
        return None

    def _more_memory(self, found: _Found, does: float, above: float) -> _Found:
        """Halve the memory between a share that does and one that is too large."""
        for _ in range(_HALVED if above > does else 0):
            share = (does + above) / 2
            better = self._of(share, 1)
            if better is None:
                above = share
                continue
            does, found = share, min(better, found, key=_Found.order)
        return found

    def _of(self, memory: float, work: float) -> _Found | None:
        """Return the plan for less memory or less work, if it is a stable model."""
        effort = self._effort
        if effort.clock.expired():
            return None
        if effort.budget is None:
            effort = effort.under(effort.clock.part(_SHARE))
        searched = self._searched(self._with(memory, work), effort)
        if searched is None:
            return None
        plan, source = searched
        if operations(plan.problem) * plan.steps > _MOST or not in_range(plan, self.complete.names):
            return None
        costs = self.models.cost(plan, self._effort.clock)
        return None if costs is None else _Found(plan, source, costs)

    def _searched(self, instance: Instance, effort: Effort) -> tuple[Plan, Source] | None:
        """Return the plan of the shipped search, as one of the layer that is asked about."""
        complete = self.complete

        def tell(status: Status) -> None:
            # Of what the rules in force count nothing is known yet.
            complete.tell(Status(None, Fraction(0), status.stage))

        say = before_the_users(tell)
        try:
            answer = shipped_answer(instance, complete.rules, effort, complete.names, say)
        except (InfeasibleError, NoStrategyError):
            return None
        problem = problem_of(complete.instance, answer.plan.problem.decomposition)
        plan = replace(answer.plan, problem=problem)
        self.shipped = self.shipped or plan
        return plan, answer.source

    def _with(self, memory: float, work: float) -> Instance:
        """Return the instance with a share of its memory and of its work a step."""
        instance = self._layer or self.complete.instance
        chip = instance.accelerator
        less = {
            "memory": max(1, int(chip.memory * memory)),
            "macs_per_step": max(1, int(chip.macs_per_step * work)),
        }
        return instance.model_copy(update={"accelerator": chip.model_copy(update=less)})

    # --- The answer ---

    def _answer(self, found: _Found) -> Answer:
        claims = self.complete.claims(found.plan, found.costs)
        tiles = in_tiles(None if self._layer == self.complete.instance else self._layer)
        return Answer(
            plan=found.plan,
            source=Obeying(found.source, self.complete.named, tiles.removeprefix(", ")),
            claims=claims,
            duration_bound=Fraction(0),
            baselines={} if self.shipped is None else {"shipped": self.shipped},
        )


def _values(answer: Answer) -> list[Fraction]:
    return [claim.value for claim in answer.claims]
