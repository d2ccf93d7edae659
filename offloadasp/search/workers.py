"""The workers: each one looks at a question, and offers the pool what it finds."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from offloadasp.asp.facts import fits_clingo
from offloadasp.asp.solving import plan_of_model
from offloadasp.asp.verifying import Verification
from offloadasp.base.errors import NoStrategyError
from offloadasp.limits.abandonable import aside
from offloadasp.model.instance import exact_number
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.anneal.improve import Improver, units
from offloadasp.search.construct.candidate import Best, Candidate
from offloadasp.search.construct.construct import Constructor
from offloadasp.search.construct.fallback import careful_order
from offloadasp.search.construct.residency import plan_of, schedule
from offloadasp.search.construct.traversal import ROW_BY_ROW, visits
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Offer, Pool
from offloadasp.search.question import Question
from offloadasp.search.refute.refute import Refuter, ledger_of
from offloadasp.search.size_limits import (
    GROUND_LIMIT,
    fits,
    operations,
    rules_estimate,
    within_reach,
)
from offloadasp.search.source import LeastMemory, Refuted

# Until when plans are constructed, as shares of the time limit: where a local search can follow,
# and otherwise; where a complete search may follow, both. Few decompositions take far less.
_CONSTRUCTED, _CONSTRUCTED_FIRST = (0.6, 0.6), (0.3, 0.3)
# With so many seconds, loop nests of many operations can follow, which take long to verify.
_LONG, _CONSTRUCTED_OF_LONG = 20, (0.6, 0.35)
# Until which share of the time limit a single thread improves plans before it searches completely.
_IMPROVED = 0.4
# Ground rules that one unit of a budget pays for; it also pays for one evaluation and one conflict.
_RULES_EACH = 500


class Worker(Protocol):
    """Part of a search."""

    def fits(self, pool: Pool) -> bool:
        """Return whether the worker has anything to do."""

    def run(self, pool: Pool, effort: Effort) -> None:
        """Work on the pool's question until it is closed or the effort is used up."""


@dataclass
class Construct:
    """Tries traversals of the output inside loops over groups, in all decompositions.

    Attributes
    ----------
    known
        The cost of a plan that counts as well: a fallback that must cost as much is not made.
    best
        The candidates, after the run.
    """

    known: Fraction | None = None
    best: Best = field(default_factory=Best)

    def fits(self, pool: Pool) -> bool:
        """Return whether there is no plan yet."""
        return pool.best is None

    def run(self, pool: Pool, effort: Effort) -> None:
        """Offer the best candidate, or a plan for the least memory where none fits."""
        question = pool.question

        def tell(candidate: Candidate) -> None:
            order, step = candidate.schedule.order, candidate.schedule.step
            verification = Verification.of(candidate.blocking.problem)
            verification.keep(effort.clock, step, order.n, order.q, order.i)
            pool.report(candidate.cost * question.unit, "traversals")

        self.best = Constructor(
            question.problems,
            effort.clock,
            int(pool.enough / question.unit),
            tell,
            _shares(question, effort),
        ).run()
        if self.best.overall is None:
            # Where no traversal fits, an output at a time is planned, in a loop over all of them.
            if self.known is not None and fallback_costs(question) >= self.known:
                return
            offered = aside(lambda: fallback(question), lambda: effort.clock.in_vain)
        else:
            offered = self.best.overall.offer()
        pool.offer(offered.plan, offered.source)
        verification = Verification.of(offered.plan.problem)
        verification.keep(effort.clock, *offered.plan.compute.T[:4])
        effort.clock.found.set()
        pool.baselines = baselines_of(self.best, offered.plan)
        if self.best.in_reach and not within_reach(offered.plan.problem):
            _, candidate = self.best.in_reach[-1]
            pool.start = candidate.offer()


def _shares(question: Question, effort: Effort) -> tuple[float, float]:
    """Return until when plans are constructed, as shares of the time limit."""
    if question.in_reach:
        return _CONSTRUCTED_FIRST
    long = effort.clock.timed and effort.clock.seconds >= _LONG
    return _CONSTRUCTED_OF_LONG if long else _CONSTRUCTED


def baselines_of(best: Best, otherwise: Plan) -> dict[str, Plan]:
    """Return the best plan of each plain order."""
    names = [name for name in ("row_by_row", "zigzag", "strips") if name in best.by_name]
    if not names:
        # The plan for the least memory goes row by row as well.
        return {"row_by_row": otherwise}
    return {name: best.by_name[name].offer().plan for name in names}


def fallback(question: Question) -> Offer:
    """Plan for the least memory, where no traversal in loops was found to fit.

    Raises
    ------
    NoStrategyError
        No plan was found.
    """
    problem = _of_fallback(question)
    tiles = visits(problem.tile_grid, ROW_BY_ROW)
    made = schedule(problem, *careful_order(problem, tiles), residents=0)
    if made is None:
        raise NoStrategyError(f"{problem.name}: no strategy was found within the limits")
    return Offer(plan_of(problem, made), LeastMemory())


def _of_fallback(question: Question) -> Problem:
    """Return the problem, of those for which a strategy exists, with the fewest operations."""
    whole = question.whole
    fitting = (p for p in question.problems if fits(p.within(whole.capacity)))
    return min(fitting, key=operations, default=whole)


def fallback_costs(question: Question) -> Fraction:
    """Return the least cost of a fallback: a compute action for each tile and kernel group."""
    problem = _of_fallback(question)
    rows, columns = problem.tile_grid
    prices = problem.prices
    return rows * columns * len(problem.kernel_sizes) * prices.compute + prices.fixed


@dataclass
class Anneal:
    """Improves the best plan by local search. It can stop and go on, alone or beside others.

    Attributes
    ----------
    improver
        The state of the search; None until it begins.
    turns
        Whether to search before the complete search, which one thread has no room for beside it.
    last
        Whether no other worker follows: then it searches on for longer without gain.
    """

    improver: Improver | None = None
    turns: bool = False
    last: bool = False

    def fits(self, pool: Pool) -> bool:
        """Return whether it is this worker's turn."""
        return self.last or (self.turns and pool.question.in_reach)

    def prepare(self, pool: Pool, effort: Effort) -> Improver:
        """Return the local search from the best plan so far that it can begin with."""
        if self.improver is None:
            self.improver = improver_of(pool, pool.start or pool.found, effort)
        return self.improver

    def run(self, pool: Pool, effort: Effort) -> None:
        """Search until a share of the clock's time is over, or there is no hope of a gain."""
        improver = self.prepare(pool, effort)
        if self.last:
            improver.enough = max(improver.enough, math.ceil(pool.bound / pool.question.unit))
        improver.until(effort.clock, 1.0 if self.last else _IMPROVED, late=self.last)
        pool.offer(improver.best.plan, improver.best.source)


def improver_of(pool: Pool, start: Offer, effort: Effort) -> Improver:
    """Return the local search from a plan, which ends at a lower bound or at the target."""
    question = pool.question
    enough = math.ceil(pool.analytic.value / question.unit)
    if question.target is not None:
        enough = max(enough, int(question.target / question.unit))

    def tell(cost: int) -> None:
        pool.report(cost * question.unit, "local search")

    return Improver(start, effort.seed, enough, tell)


@dataclass
class Refute:
    """Searches completely by clingo, where the program grounds; see ``encodings/proof``.

    Attributes
    ----------
    beside
        A local search that goes on meanwhile; None: the search is alone.
    """

    beside: Anneal | None = None

    def fits(self, pool: Pool) -> bool:
        """Return whether there is a plan to improve on; whether it grounds shows on the way."""
        return pool.best is not None

    def run(self, pool: Pool, effort: Effort) -> None:
        """Search the whole, then the decomposition of the best plan."""
        improver = None if self.beside is None else self.beside.prepare(pool, effort)
        for problem in dict.fromkeys((pool.question.whole, pool.found.plan.problem)):
            if not pool.closed and not effort.clock.expired():
                self._search(problem, pool, effort, improver)

    def _search(
        self, problem: Problem, pool: Pool, effort: Effort, improver: Improver | None
    ) -> None:
        """Search one decomposition for something better than what was found."""
        question = pool.question
        unit, known = question.unit, pool.found
        ledger = ledger_of(problem, pool.analytic, operations(problem))
        lower, upper = math.ceil(pool.analytic.value / unit), units(known.plan)
        if question.target is not None:
            # The only question is whether this cost, the highest up to the target, is possible.
            lower = ledger.down(int(question.target / unit))
            upper = lower + ledger.grain
        limit = GROUND_LIMIT
        if effort.budget is not None:
            limit = min(limit, effort.budget * _RULES_EACH)
        if rules_estimate(problem, ledger.steps(upper)) > limit:
            pool.unsearched = "too many rules"
            return
        if not fits_clingo(problem, ledger.steps(upper)):
            pool.unsearched = "beyond 32 bits"
            return
        all_of_it = problem.decomposition == question.whole.decomposition and question.contains_all

        doing = "complete search" if improver is None else "local and complete search"

        def tell(lower: int, upper: int) -> None:
            proved = lower * unit if all_of_it else pool.bound
            pool.report(upper * unit, doing, proved)

        refuter = Refuter(
            question.rules,
            problem,
            ledger,
            effort.clock,
            lower,
            upper,
            effort.threads,
            effort.seed,
            GROUND_LIMIT,
            effort.budget,
            effort.without,
            tell,
            improver,
        )
        refuter.run()
        if question.target is not None and refuter.lower == lower:
            refuter.lower = math.ceil(pool.analytic.value / unit)  # the question was not refuted
        effort.seconds["ground"] += refuter.ground_seconds
        if improver is not None:
            pool.offer(improver.best.plan, improver.best.source)
        if refuter.symbols is not None:
            pool.offer(plan_of_model(problem, refuter.symbols), Refuted())
        lower_bound = min(refuter.lower, refuter.upper) * unit
        if all_of_it and lower_bound > pool.bound:
            refuted = exact_number(lower_bound - ledger.grain * unit)
            searched = {"complete_search": {"refuted": refuted}}
            pool.prove(lower_bound, {**pool.certificate, **searched})
