"""A search within a budget: the same every time, and never worse with more memory or budget."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from offloadasp.bounds import Bound, least_memory, lower_bound
from offloadasp.search.anneal.improve import proposal_of, starts_of
from offloadasp.search.construct.construct import Best, Constructed, evaluate
from offloadasp.search.construct.traversal import visits
from offloadasp.search.memories import rungs
from offloadasp.search.result import Found, Status
from offloadasp.search.stages import Stages


def climb(stages: Stages, budget: int) -> Found:
    """Climb with efforts of 1, 2, 4, … up to the budget, and return the best of all.

    A single climb with more effort may miss what one with less finds, as it ranks and tries other
    plans. Together they miss nothing, for at most twice the effort.
    """

    @cache
    def bound_at(memory: int) -> Bound:
        return lower_bound(stages.whole.with_memory(memory))

    stages.tell = known = _Known(stages.tell, bound_at(stages.whole.memory).value)
    found = _climb(stages, 1, bound_at, known)
    effort = 2
    while effort <= budget and stages.unsettled(found) and not stages.clock.interrupted:
        more = _climb(stages, effort, bound_at, known)
        proven = max(found, more, key=lambda one: one.lower_bound)
        better = more if more.value < found.value else found
        found = replace(better, lower_bound=proven.lower_bound, certificate=proven.certificate)
        effort *= 2
    return found


@dataclass
class _Known:
    """Passes news of the rungs on as news of the instance's own memory.

    A plan for less memory is one for the instance's as well, but a bound at less memory is none.

    Attributes
    ----------
    bound
        Proven at the instance's memory.
    best
        The value of the best plan so far.
    stage
        What the search does.
    """

    tell: Callable[[Status], None]
    bound: Fraction
    best: Fraction | None = None
    stage: str = "bounds"

    def __call__(self, status: Status) -> None:
        values = [value for value in (self.best, status.incumbent) if value is not None]
        self.best, self.stage = min(values, default=None), status.stage
        self.tell(replace(status, incumbent=self.best, bound=self.bound))

    def add(self, value: Fraction, bound: Fraction) -> None:
        """Take the value of a plan, and a bound that is proven at the instance's memory."""
        self.bound = max(self.bound, bound)
        self(Status(value, self.bound, self.stage))


def _climb(stages: Stages, budget: int, bound_at: Callable[[int], Bound], known: _Known) -> Found:
    """Search every rung of the ladder with its own budget; the best plan that fits wins."""
    ladder, dense = rungs(stages.whole, least_memory(stages.whole).value)
    bound = bound_at(stages.whole.memory)
    merged = Best()
    exact: Found | None = None
    # From above, so that an interruption leaves the plans of most memory.
    for memory in reversed(ladder):
        if stages.clock.interrupted and exact is not None:
            break
        stages.clock.evaluations = budget
        below = bound_at(memory)
        if exact is not None and stages.decided(exact.value, below):
            break
        best = stages.construct(memory, below)
        plans = [*best.history, *best.by_name.values()]
        for plan in best.history[-1:] if stages.clock.interrupted else plans:
            again = _again(plan, stages.whole.memory)
            if again is not None:
                merged.add(again)
        found = _within(stages, budget, best, memory, below)
        for problem in dict.fromkeys((stages.whole, found.problem)):
            if stages.unsettled(found):
                found = stages.complete(problem.with_memory(memory), found, below, budget)
        if exact is None and dense and found.lower_bound > bound.value:
            # The highest rung is worth as much as the memory itself.
            bound = replace(bound, value=found.lower_bound, certificate=found.certificate)
        if exact is None or found.value < exact.value:
            exact = found
        known.add(exact.value, bound.value)
    assert exact is not None  # the lowest rung is the least memory, and that fits
    joined = _joined(stages, exact, merged, bound)
    known.add(joined.value, joined.lower_bound)
    return joined


def _joined(stages: Stages, exact: Found, merged: Best, bound: Bound) -> Found:
    """Return the better one of a plan at some rung and those that use all memory."""
    full = exact
    if merged.overall is not None:
        start = proposal_of(merged.overall, stages.whole.memory)
        full = stages.result(start, stages.baselines(merged, start), bound)
    return replace(
        exact if exact.value < full.value else full,
        lower_bound=bound.value,
        certificate=bound.certificate,
        baselines=full.baselines,
    )


def _within(stages: Stages, budget: int, best: Best, memory: int, bound: Bound) -> Found:
    """Improve constructive plans within a budget."""
    start = stages.start(memory, best)
    found = stages.result(start, stages.baselines(best, start), bound)
    starts = starts_of(best, memory, budget) if best.overall else [(start, budget)]
    for promising, changes in starts:
        improver = stages.improver(promising, bound)
        improver.within(changes, stages.clock)
        found = stages.improved(found, improver)
    return found


def _again(plan: Constructed, memory: int) -> Constructed | None:
    """Keep as much as another memory allows on the same way."""
    blocking = plan.blocking.at(memory)
    tiles = visits(blocking.problem.tile_grid, plan.traversal)
    return evaluate(tiles, blocking, plan.traversal)
