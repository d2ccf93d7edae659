"""The search as a whole: bound, construct, improve, then search completely where rules ground."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from offloadasp.bounds import Bound, least_memory, lower_bound
from offloadasp.errors import NoStrategyError
from offloadasp.facts import fits_clingo, scale_of
from offloadasp.instance import Instance, exact_number
from offloadasp.plan import Plan
from offloadasp.problem import Problem, problem_of
from offloadasp.rules import Rules
from offloadasp.search.anneal import preparation, within_reach
from offloadasp.search.careful import careful_order
from offloadasp.search.clock import Clock
from offloadasp.search.construct import Best, Constructed, Constructor, evaluate
from offloadasp.search.decompose import decompositions, scope
from offloadasp.search.exact import plan_of_model
from offloadasp.search.improve import Improver, Proposal, proposal_of, starts_of
from offloadasp.search.keep import plan_of, schedule
from offloadasp.search.ladder import rungs
from offloadasp.search.reach import (
    GROUND_LIMIT,
    checkable,
    operations,
    require_feasible,
    rules_estimate,
)
from offloadasp.search.refute import Refuter, ledger_of
from offloadasp.search.traversal import ROW_BY_ROW, Traversals

# Ground rules that one unit of a budget pays for; it also pays for one evaluation and one conflict.
_RULES_EACH = 500
# Until when plans are constructed, and then improved, as shares of the time limit: where most of
# it is for a complete search, and otherwise.
_SHARES, _SHARES_ALONE = (0.15, 0.4), (0.4, 0.9)

_TOO_LARGE = "; too large for a complete search"
_TOO_HIGH = "; no complete search: its sums could leave clingo's 32 bits"


@dataclass(frozen=True)
class Limits:
    """Threads, seed, and either the clock's time or a deterministic budget."""

    threads: int = 2
    seed: int = 0
    budget: int | None = None


@dataclass(frozen=True)
class Status:
    """What the search knows at a moment: durations in cycles, None where nothing is known."""

    incumbent: Fraction | None
    bound: Fraction
    stage: str


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes
    ----------
    problem
        With the decomposition chosen.
    plan
        The best plan found.
    value
        What was minimised, in cycles: the duration, unless edited rules say otherwise.
    lower_bound
        Proven for everything that the instance leaves open, in cycles.
    certificate
        What proves the bound.
    baselines
        Durations of the best plan of each kind of traversal.
    method
        How the plan was found, for readers.
    scope
        To what the bound is limited; empty if it is global.
    """

    problem: Problem
    plan: Plan
    value: Fraction
    lower_bound: Fraction
    certificate: dict[str, Any]
    baselines: dict[str, Fraction]
    method: str
    seconds: dict[str, float]
    scope: str = ""


@dataclass
class Search:
    """One search over everything that an instance leaves open, under the shipped rules.

    Attributes
    ----------
    tell
        Told of every change of incumbent or bound.
    """

    instance: Instance
    rules: Rules
    limits: Limits
    clock: Clock
    tell: Callable[[Status], None] = lambda _: None
    seconds: dict[str, float] = field(default_factory=lambda: {"ground": 0.0, "solve": 0.0})

    def __post_init__(self) -> None:
        self.whole = problem_of(self.instance, scope(self.instance))
        require_feasible(self.whole)
        problems = [problem_of(self.instance, d) for d in decompositions(self.instance)]
        self.problems = checkable(problems)
        self.known = Traversals(self.rules)
        self.scale = scale_of(self.whole)

    def run(self) -> Found:
        """Search within the limits.

        Raises
        ------
        InfeasibleError
            No strategy exists.
        NoStrategyError
            None was found within the limits.
        """
        started = time.monotonic()
        if self.limits.budget is None:
            found = self._at(self.whole.memory, self.clock, None)
        else:
            found = self._climb(self.limits.budget)
        self.seconds["solve"] = time.monotonic() - started - self.seconds["ground"]
        return replace(found, problem=found.problem.with_memory(self.instance.accelerator.memory))

    def _at(self, memory: int, clock: Clock, conflicts: int | None) -> Found:
        """Construct and improve, then search completely, at one memory."""
        bound = lower_bound(self.whole.with_memory(memory))
        best = self._construct(memory, clock, bound)
        start = self._start(memory, best)
        alone = self._shares == _SHARES_ALONE
        better = self._improver(bound).until(start, self._shares[1], patient=alone)
        found = self._found(better, self._baselines(best, start), bound)
        for problem in dict.fromkeys((self.whole, found.problem)):
            if found.value > found.lower_bound and not clock.expired():
                found = self._complete(problem.with_memory(memory), found, bound, conflicts)
        return found

    @property
    def _shares(self) -> tuple[float, float]:
        complete = rules_estimate(self.whole, operations(self.whole) + 1) <= GROUND_LIMIT
        return _SHARES if complete else _SHARES_ALONE

    def _construct(self, memory: int, clock: Clock, bound: Bound) -> Best:
        def tell(plan: Constructed) -> None:
            self.tell(Status(plan.cost * self.scale.unit, bound.value, "traversals"))

        problems = [problem.with_memory(memory) for problem in self.problems]
        enough = bound.value / self.scale.unit
        improves = any(within_reach(problem) for problem in problems)
        if improves and clock.evaluations is None:
            preparation()
        share = self._shares[0 if improves else 1]
        return Constructor(self.known, problems, clock, int(enough), tell, share).run()

    def _improver(self, bound: Bound) -> Improver:
        def tell(cost: int) -> None:
            self.tell(Status(cost * self.scale.unit, bound.value, "local search"))

        enough = math.ceil(bound.value / self.scale.unit)
        return Improver(self.clock, self.limits.seed, enough, tell)

    def _start(self, memory: int, best: Best) -> Proposal:
        """Return the best constructive plan, or if there is none one for the least memory."""
        if best.overall is not None:
            return proposal_of(best.overall, memory)
        problem = self.whole.with_memory(memory)
        tiles = self.known.visits(problem.tile_grid, ROW_BY_ROW)
        made = schedule(problem, *careful_order(problem, tiles), residents=0)
        if made is None:
            raise NoStrategyError(f"{problem.name}: no strategy was found within the limits")
        return Proposal(problem, made, "row by row, one output at a time")

    def _baselines(self, best: Best, start: Proposal) -> dict[str, Fraction]:
        """Return the durations of the best plan of each kind of traversal."""
        names = [name for name in ("row_by_row", "zigzag", "strips") if name in best.by_name]
        # The plan for the least memory goes row by row as well.
        costs = {name: best.by_name[name].cost for name in names} or {"row_by_row": start.cost}
        return {name: cost * self.scale.unit for name, cost in costs.items()}

    def _found(self, proposal: Proposal, baselines: dict[str, Fraction], bound: Bound) -> Found:
        return Found(
            problem=proposal.problem,
            plan=plan_of(proposal.problem, proposal.schedule),
            value=proposal.cost * self.scale.unit,
            lower_bound=bound.value,
            certificate=bound.certificate,
            baselines=baselines,
            method=proposal.method,
            seconds=self.seconds,
        )

    def _complete(
        self, problem: Problem, found: Found, bound: Bound, conflicts: int | None
    ) -> Found:
        """Search a decomposition completely for something better than what was found."""
        unit = self.scale.unit
        whole = problem.decomposition == self.whole.decomposition and self._contains_all()
        ledger = ledger_of(problem, bound, operations(problem))
        upper = int(found.value / unit)
        limit = GROUND_LIMIT if conflicts is None else min(GROUND_LIMIT, conflicts * _RULES_EACH)
        if rules_estimate(problem, ledger.steps(upper)) > limit:
            return replace(found, method=found.method.removesuffix(_TOO_LARGE) + _TOO_LARGE)
        if not fits_clingo(problem, ledger.steps(upper)):
            return replace(found, method=found.method.removesuffix(_TOO_HIGH) + _TOO_HIGH)

        def tell(lower: int, upper: int) -> None:
            proved = lower * unit if whole else bound.value
            self.tell(Status(upper * unit, max(bound.value, proved), "complete search"))

        lower = math.ceil(bound.value / unit)
        refuter = Refuter(
            self.rules,
            problem,
            ledger,
            self.clock,
            lower,
            upper,
            self.limits.threads,
            self.limits.seed,
            GROUND_LIMIT,
            conflicts,
            tell,
        )
        refuter.run()
        self.seconds["ground"] += refuter.ground_seconds
        return self._with(found, refuter, whole=whole)

    def _contains_all(self) -> bool:
        """Whether a strategy of any decomposition tried is one of the whole scope as well.

        In a grouped convolution it need not be: a bias rides with the first block of its kernel
        group, not of its kernel, and a kernel group may hold partial sums, which can be smaller
        than outputs, where single kernels are complete.
        """
        layer, precision = self.whole.layer, self.whole.precision
        same = not layer.bias and precision.output <= precision.partial_sum
        return layer.group == 1 or same or len(self.problems) == 1

    def _with(self, found: Found, refuter: Refuter, *, whole: bool) -> Found:
        """Join what the complete search found and proved to what was known."""
        unit = self.scale.unit
        changes: dict[str, Any] = {}
        if refuter.symbols is not None:
            changes |= {
                "problem": refuter.problem,
                "plan": plan_of_model(refuter.problem, refuter.symbols),
                "value": refuter.upper * unit,
                "method": "complete search by clingo",
            }
        lower = min(refuter.lower, refuter.upper) * unit
        if whole and lower > found.lower_bound:
            proof = {"refuted": exact_number(lower - refuter.ledger.grain * unit)}
            changes |= {
                "lower_bound": lower,
                "certificate": found.certificate | {"complete_search": proof},
            }
        return replace(found, **changes)

    def _climb(self, budget: int) -> Found:
        """Search every rung of the ladder with its own budget; the best plan that fits wins."""
        ladder, dense = rungs(self.whole, least_memory(self.whole).value)
        bound = lower_bound(self.whole)
        merged = Best()
        exact: Found | None = None
        # From above, so that an interruption leaves the plans of most memory.
        for memory in reversed(ladder):
            if self.clock.interrupted and exact is not None:
                break
            self.clock.evaluations = budget
            below = lower_bound(self.whole.with_memory(memory))
            best = self._construct(memory, self.clock, below)
            plans = [*best.history, *best.by_name.values()]
            for plan in best.history[-1:] if self.clock.interrupted else plans:
                again = _again(self.known, plan, self.whole.memory)
                if again is not None:
                    merged.add(again)
            start = self._start(memory, best)
            starts = starts_of(best, memory, budget) or [(start, budget)]
            better = self._improver(below).within(starts)
            found = self._found(better, self._baselines(best, start), below)
            for problem in dict.fromkeys((self.whole, found.problem)):
                if found.value > found.lower_bound:
                    found = self._complete(problem.with_memory(memory), found, below, budget)
            if exact is None and dense and found.lower_bound > bound.value:
                # The highest rung is worth as much as the memory itself.
                bound = replace(bound, value=found.lower_bound, certificate=found.certificate)
            if exact is None or found.value < exact.value:
                exact = found
        assert exact is not None  # the lowest rung is the least memory, and that fits
        full = exact
        if merged.overall is not None:
            start = proposal_of(merged.overall, self.whole.memory)
            full = self._found(start, self._baselines(merged, start), bound)
        return replace(
            exact if exact.value < full.value else full,
            lower_bound=bound.value,
            certificate=bound.certificate,
            baselines=full.baselines,
        )


def _again(known: Traversals, plan: Constructed, memory: int) -> Constructed | None:
    """Keep as much as another memory allows on the same way."""
    frame = plan.frame.at(memory)
    tiles = known.visits(frame.problem.tile_grid, plan.traversal)
    return evaluate(tiles, frame, plan.traversal)
