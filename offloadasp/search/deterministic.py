"""A search within a budget: the same every time, and never worse with more memory or budget.

A heuristic may do worse with more memory. So everything that is not monotone by itself runs at
fixed memories, the same for every capacity, and its plans count at every capacity they fit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from offloadasp.bounds import Bound, least_memory, lower_bound
from offloadasp.limits.abandonable import aside
from offloadasp.model.problem import Problem, granularity
from offloadasp.search.anneal.improve import starts_of
from offloadasp.search.construct.candidate import Best, Candidate, evaluate
from offloadasp.search.construct.construct import Constructor
from offloadasp.search.construct.traversal import visits
from offloadasp.search.effort import Effort
from offloadasp.search.nests.budgeted import BudgetedNests
from offloadasp.search.pool import Listener, Pool, Status
from offloadasp.search.question import Question
from offloadasp.search.size_limits import within_reach
from offloadasp.search.workers import Construct, Refute, baselines_of, improver_of

_DENSE = 32
_GROWTH = 1.35
# Under a clock, so many memories below the question's own are tried, each for this share of what is
# left of the time.
_LOWER, _LOWER_SHARE = 4, 0.02


def rungs(problem: Problem, least: int) -> tuple[list[int], bool]:
    """Return the memories, ascending, at or below the problem's own, and whether they are all.

    Parameters
    ----------
    problem
        Its blocks' sizes set the distance of the rungs; its memory only cuts the ladder off.
    least
        The least memory with which a strategy exists, in bytes.

    Returns
    -------
    rungs
        Bytes. If the flag is set, the last one is worth as much as the problem's memory.
    """
    unit = granularity(problem)
    lowest, highest = -(-least // unit) * unit, problem.all_bytes // unit * unit
    if (highest - lowest) // unit < _DENSE:
        ladder = list(range(lowest, highest + 1, unit))
        return [memory for memory in ladder if memory <= problem.memory], True
    ladder, gap = [lowest], float(unit)
    while ladder[-1] < highest:
        ladder.append(min(highest, ladder[-1] + int(gap) // unit * unit))
        gap *= _GROWTH
    return [memory for memory in ladder if memory <= problem.memory], False


def climb(question: Question, effort: Effort, tell: Listener) -> Pool:
    """Climb with efforts of 1, 2, 4, … up to the budget, and return the best of all.

    A single climb with more effort may miss what one with less finds, as it ranks and tries other
    plans. Together they miss nothing, for at most twice the effort.
    """
    assert effort.budget is not None

    @cache
    def bound_at(capacity: int) -> Bound:
        whole = question.whole.within(capacity)
        return aside(lambda: lower_bound(whole), lambda: effort.clock.in_vain)

    nests = BudgetedNests(question)
    news = _News(tell, bound_at(question.whole.memory).value)
    ladder = _Ladder(question, effort, bound_at, nests, news)
    pool = ladder.climb(1)
    budget = 2
    while budget <= effort.budget and not pool.closed and not effort.clock.interrupted:
        pool.take(ladder.climb(budget))
        budget *= 2
    return pool


@dataclass
class _News:
    """Passes news of the rungs on as news of the question's own capacity.

    A plan for less memory is one for the question's as well, but a bound at less memory is none.

    Attributes
    ----------
    bound
        Proven at the question's capacity.
    best
        The cost of the best plan so far.
    stage
        What the search does.
    """

    tell: Listener
    bound: Fraction
    best: Fraction | None = None
    stage: str = "bounds"

    def __call__(self, status: Status) -> None:
        costs = [cost for cost in (self.best, status.incumbent) if cost is not None]
        self.best, self.stage = min(costs, default=None), status.stage
        self.tell(replace(status, incumbent=self.best, bound=self.bound))

    def add(self, pool: Pool) -> None:
        """Take what a pool of the question itself knows."""
        self.bound = max(self.bound, pool.bound)
        self(Status(pool.found.cost, self.bound, self.stage))


@dataclass(frozen=True)
class _Ladder:
    """Searches at several memories, whose plans all fit the question's capacity."""

    question: Question
    effort: Effort
    bound_at: Callable[[int], Bound]
    nests: BudgetedNests
    news: _News

    def climb(self, budget: int) -> Pool:
        """Search every rung with its own budget; the best plan that fits wins."""
        question, clock = self.question, self.effort.clock
        whole = question.whole
        rungs_below, dense = rungs(whole, least_memory(whole).value)
        bound = self.bound_at(whole.memory)
        pool = Pool(question, bound, self.news)
        again = Best()
        # From above, so that an interruption leaves the plans of most memory.
        for capacity in reversed(rungs_below):
            if clock.interrupted and pool.best is not None:
                break
            clock.evaluations = budget
            if pool.best is not None and (pool.closed or self._decided(pool, capacity)):
                break
            known = None if pool.best is None else pool.best.cost
            construct, rung = Construct(known), self._rung(capacity)
            construct.run(rung, self.effort)
            for candidate in self._worth_keeping(construct.best):
                more = _again(candidate, whole.memory)
                if more is not None:
                    again.add(more)
            if rung.best is not None:
                self._improve(rung, construct.best, budget)
                Refute().run(rung, replace(self.effort, budget=budget))
            if pool.best is None and dense:
                # The highest rung is worth as much as the memory itself.
                pool.prove(rung.bound, rung.certificate)
            again_nests = self.nests.offer(rung, budget)
            if rung.best is not None and pool.offer(rung.best.plan, rung.best.source):
                pool.baselines, pool.unsearched = rung.baselines, rung.unsearched
            for nest in again_nests:
                pool.offer(nest.plan, nest.source)
            self.news.add(pool)
        self._join(pool, again)
        self.news.add(pool)
        return pool

    def _rung(self, capacity: int) -> Pool:
        return Pool(self.question.within(capacity), self.bound_at(capacity), self.news)

    def _decided(self, pool: Pool, capacity: int) -> bool:
        """Whether the target is reached, or out of reach at a capacity and below."""
        target = self.question.target
        below = self.bound_at(capacity)
        return target is not None and (pool.found.cost <= target or below.value > target)

    def _worth_keeping(self, best: Best) -> list[Candidate]:
        history = [candidate for _, candidate in best.history]
        if self.effort.clock.interrupted:
            return history[-1:]
        return [*history, *best.by_name.values()]

    def _improve(self, rung: Pool, best: Best, budget: int) -> None:
        """Improve constructive plans within a budget."""
        starts = starts_of(best, budget) if best.overall else [(rung.found, budget)]
        for start, changes in starts:
            improver = improver_of(rung, start, self.effort)
            improver.within(changes, self.effort.clock)
            rung.offer(improver.best.plan, improver.best.source)

    def _join(self, pool: Pool, again: Best) -> None:
        """Take plans that use all memory, where they are as good as those of the rungs."""
        if again.overall is None:
            return
        offered = again.overall.offer()
        pool.baselines = baselines_of(again, offered.plan)
        if offered.cost <= pool.found.cost:
            pool.best, pool.unsearched = offered, None


def _again(candidate: Candidate, capacity: int) -> Candidate | None:
    """Keep as much as another capacity allows on the same way."""
    blocking = candidate.blocking.at(capacity)
    tiles = visits(blocking.problem.tile_grid, candidate.traversal)
    return evaluate(tiles, blocking, candidate.traversal)


class LessMemory:
    """Constructs plans for less memory under the clock: they fit into more, and may be better."""

    def fits(self, pool: Pool) -> bool:
        """Return whether the best of all plans is wanted, and each is made in a moment."""
        return pool.question.target is None and within_reach(pool.found.plan.problem)

    def run(self, pool: Pool, effort: Effort) -> None:
        """Offer the best plan of each of the next lower memories, within a share of the time."""
        whole = pool.question.whole
        below, _ = rungs(whole, least_memory(whole).value)
        lower = [capacity for capacity in below if capacity < whole.memory][-_LOWER:]
        for capacity in reversed(lower):
            if pool.closed or effort.clock.expired():
                break
            problems = pool.question.within(capacity).problems
            clock = effort.clock.part(_LOWER_SHARE)
            enough = int(pool.enough / pool.question.unit)
            for _, found in Constructor(problems, clock, enough).run().history[-1:]:
                self._offer(pool, found)

    def _offer(self, pool: Pool, found: Candidate) -> None:
        """Offer a plan for less memory as it is, and with what more memory can keep."""
        memory = pool.question.whole.memory
        more = _again(found, memory)
        if more is not None:
            pool.offer(more.offer().plan, more.offer().source)
        offered = found.offer()
        plan = replace(offered.plan, problem=offered.plan.problem.within(memory))
        pool.offer(plan, offered.source)
