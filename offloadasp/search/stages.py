"""The stages of a search: bound, construct, improve, and search completely where rules ground."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from offloadasp.asp.facts import fits_clingo, scale_of
from offloadasp.asp.rules import Rules
from offloadasp.asp.solving import plan_of_model
from offloadasp.base.errors import NoStrategyError
from offloadasp.bounds import Bound, least_memory
from offloadasp.limits.clock import Clock
from offloadasp.model.cost import Rates
from offloadasp.model.instance import Instance, Resolved, exact_number
from offloadasp.model.plan import Planned
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.anneal.improve import Improver, Proposal, proposal_of
from offloadasp.search.construct.construct import Best, Constructed, Constructor
from offloadasp.search.construct.decompose import decompositions, scope
from offloadasp.search.construct.fallback import careful_order
from offloadasp.search.construct.residency import Schedule, plan_of, schedule
from offloadasp.search.construct.traversal import ROW_BY_ROW, visits
from offloadasp.search.refute.refute import Refuter, ledger_of
from offloadasp.search.result import Found, Limits, Status
from offloadasp.search.size_limits import (
    GROUND_LIMIT,
    checkable,
    operations,
    require_feasible,
    rules_estimate,
)

# Ground rules that one unit of a budget pays for; it also pays for one evaluation and one conflict.
_RULES_EACH = 500

# Until when plans are constructed, as shares of the time limit: where a local search can follow,
# and otherwise; where a complete search may follow, both. Few decompositions take far less.
_CONSTRUCTED, _CONSTRUCTED_FIRST = (0.7, 0.9), (0.3, 0.3)

_TOO_LARGE = "; too large for a complete search"
_TOO_HIGH = "; no complete search: its sums could leave clingo's 32 bits"
_ENDINGS = (_TOO_LARGE, _TOO_HIGH)


@dataclass
class Stages:
    """What one search over everything that an instance leaves open goes through.

    All of it rests on the shipped rules.

    Attributes
    ----------
    tell
        Told of every change of incumbent or bound.
    rates
        At which bytes and compute actions count; None: the accelerator's, so that the duration is
        minimised.
    target
        A value that is enough: the search ends with a plan of at most this, or with a lower bound
        above it. None: the search ends at the optimum.
    """

    instance: Instance
    rules: Rules
    limits: Limits
    clock: Clock
    tell: Callable[[Status], None] = lambda _: None
    rates: Rates | None = None
    target: Fraction | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"ground": 0.0, "solve": 0.0})

    def __post_init__(self) -> None:
        self.whole = self._priced(scope(self.instance))
        require_feasible(self.whole)
        self.problems = checkable([self._priced(d) for d in decompositions(self.instance)])
        self.scale = scale_of(self.whole)
        # What complete searches have proved, for the live report.
        self.proved = Fraction(0)

    def _priced(self, decomposition: Resolved) -> Problem:
        problem = problem_of(self.instance, decomposition)
        return problem if self.rates is None else self.rates.on(problem)

    @property
    def in_reach(self) -> bool:
        """Whether a complete search may follow, so that most of the time is its own."""
        return rules_estimate(self.whole, operations(self.whole) + 1) <= GROUND_LIMIT

    def unsettled(self, found: Found) -> bool:
        """Whether there is something left to find or to prove."""
        target = found.lower_bound if self.target is None else self.target
        return found.value > target >= found.lower_bound

    def decided(self, value: Fraction, bound: Bound) -> bool:
        """Whether the target is reached, or out of reach at a memory and below."""
        return self.target is not None and (value <= self.target or bound.value > self.target)

    def construct(self, memory: int, bound: Bound) -> Best:
        """Construct plans of all decompositions at a memory in bytes."""

        def tell(plan: Constructed) -> None:
            self.tell(Status(plan.cost * self.scale.unit, bound.value, "traversals"))

        problems = [problem.with_memory(memory) for problem in self.problems]
        enough = max(bound.value, self.target or 0) / self.scale.unit
        shares = _CONSTRUCTED_FIRST if self.in_reach else _CONSTRUCTED
        return Constructor(problems, self.clock, int(enough), tell, shares).run()

    def start(self, memory: int, best: Best) -> Proposal:
        """Return the best constructive plan, or if there is none one for the least memory."""
        if best.overall is None:
            return self._careful(memory)
        return proposal_of(best.overall, memory)

    def improver(self, start: Proposal, bound: Bound) -> Improver:
        """Return the local search from a plan, which ends at a lower bound or at the target."""

        def tell(cost: int) -> None:
            proved = max(bound.value, self.proved)
            self.tell(Status(cost * self.scale.unit, proved, "local search"))

        enough = math.ceil(bound.value / self.scale.unit)
        if self.target is not None:
            enough = max(enough, int(self.target / self.scale.unit))
        return Improver(start, self.limits.seed, enough, tell)

    def improved(self, found: Found, improver: Improver) -> Found:
        """Take the result of a local search where it is better than what was found."""
        value = improver.cost * self.scale.unit
        if value >= found.value:
            return found
        best = improver.best
        ending = next((words for words in _ENDINGS if found.method.endswith(words)), "")
        return replace(
            found,
            problem=best.problem,
            plan=plan_of(best.problem, best.schedule),
            value=value,
            method=best.method + ending,
        )

    def result(self, made: Proposal, baselines: dict[str, Planned], bound: Bound) -> Found:
        """Return a proposal as the result of a search."""
        return Found(
            problem=made.problem,
            plan=plan_of(made.problem, made.schedule),
            value=made.cost * self.scale.unit,
            lower_bound=bound.value,
            certificate=bound.certificate,
            baselines=baselines,
            method=made.method,
            seconds=self.seconds,
        )

    def baselines(self, best: Best, start: Proposal) -> dict[str, Planned]:
        """Return the best plan of each kind of traversal."""
        names = [name for name in ("row_by_row", "zigzag", "strips") if name in best.by_name]
        if not names:
            # The plan for the least memory goes row by row as well.
            return {"row_by_row": self._planned(start.problem, start.schedule)}
        plans = {name: best.by_name[name] for name in names}
        return {
            name: self._planned(plan.blocking.problem, plan.schedule)
            for name, plan in plans.items()
        }

    def _planned(self, problem: Problem, made: Schedule) -> Planned:
        """Return a plan with the memory and the rates that the instance gives."""
        own = problem_of(self.instance, problem.decomposition)
        return Planned(own, plan_of(problem, made))

    def careful(self, memory: int, bound: Bound) -> Found:
        """Plan for the least memory, where no traversal in loops was found to fit.

        Parameters
        ----------
        memory
            Bytes on chip: at least what one of the decompositions tried needs.
        bound
            What the result states as its lower bound.
        """
        made = self._careful(memory)
        return self.result(made, self.baselines(Best(), made), bound)

    def _careful(self, memory: int) -> Proposal:
        fitting = (p for p in self.problems if least_memory(p).value <= memory)
        problem = min(fitting, key=operations, default=self.whole).with_memory(memory)
        tiles = visits(problem.tile_grid, ROW_BY_ROW)
        made = schedule(problem, *careful_order(problem, tiles), residents=0)
        if made is None:
            raise NoStrategyError(f"{problem.name}: no strategy was found within the limits")
        return Proposal(problem, made, "row by row, one output at a time")

    def complete(
        self,
        problem: Problem,
        found: Found,
        bound: Bound,
        conflicts: int | None,
        beside: Improver | None = None,
    ) -> Found:
        """Search a decomposition completely for something better than what was found."""
        unit = self.scale.unit
        whole = problem.decomposition == self.whole.decomposition and self._contains_all()
        ledger = ledger_of(problem, bound, operations(problem))
        lower, upper = math.ceil(bound.value / unit), int(found.value / unit)
        if self.target is not None:
            # The only question is whether this cost, the highest up to the target, is possible.
            lower = ledger.down(int(self.target / unit))
            upper = lower + ledger.grain
        limit = GROUND_LIMIT if conflicts is None else min(GROUND_LIMIT, conflicts * _RULES_EACH)
        if rules_estimate(problem, ledger.steps(upper)) > limit:
            return replace(found, method=found.method.removesuffix(_TOO_LARGE) + _TOO_LARGE)
        if not fits_clingo(problem, ledger.steps(upper)):
            return replace(found, method=found.method.removesuffix(_TOO_HIGH) + _TOO_HIGH)

        def tell(lower: int, upper: int) -> None:
            self.proved = max(self.proved, lower * unit if whole else bound.value)
            self.tell(Status(upper * unit, self.proved, "complete search"))

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
            self.limits.without,
            tell,
            beside,
        )
        refuter.run()
        if self.target is not None and refuter.lower == lower:
            refuter.lower = math.ceil(bound.value / unit)  # the question was not refuted
        self.seconds["ground"] += refuter.ground_seconds
        found = found if beside is None else self.improved(found, beside)
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
