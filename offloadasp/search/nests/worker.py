"""Loop nests in a search: the best ones of the family as plans, and as a baseline."""

from dataclasses import dataclass, replace
from fractions import Fraction

from offloadasp.asp.verifying import Verification
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Instance
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.construct.residency import Schedule, plan_of
from offloadasp.search.effort import Effort
from offloadasp.search.nests.actions import Light
from offloadasp.search.nests.enumerate import Ranking, enumerate_nests
from offloadasp.search.nests.family import BestNest, Mapping
from offloadasp.search.nests.keep import as_the_family, cheapest
from offloadasp.search.nests.plan import Laid, lay_out, operations_of
from offloadasp.search.pool import Offer, Pool
from offloadasp.search.size_limits import CHECKED, within_reach
from offloadasp.search.source import Nested

NEST = "loop_nest"
# Until when nests are tried, in shares of the time limit: where a complete search may follow, where
# a local search can, and otherwise.
_UNTIL = (0.36, 0.75, 0.92)
# The least share of the time limit for nests, however long all before them took.
_LEAST = 0.06
# Nests that are made into plans.
_TRIED = 24
# What their plans may take: operations at positions at most, and in each second of the time limit;
# the share of what is left of the time to make and verify one, and bytes for that.
_OPERATIONS, _OPERATIONS_A_SECOND, _EACH, _BYTES = 7_000_000, 120_000, 0.65, 1.5e9
# Outputs in a row, at most: the tables of tile sizes are quadratic in them.
_LONGEST = 1024


@dataclass
class Nests:
    """Tries the best loop nests, each with all that the memory it leaves can keep.

    Attributes
    ----------
    held
        The best plan found, where it is too large for a local search and another one is not: to be
        offered after that search.
    """

    held: Offer | None = None

    def fits(self, pool: Pool) -> bool:
        """Return whether groups and tile are free to choose."""
        return free(pool.question.whole)

    def run(self, pool: Pool, effort: Effort) -> None:
        """Offer the best plan found, and the best nest of the family as a baseline."""
        whole, clock = pool.question.whole, effort.clock
        share = _UNTIL[2]
        if pool.question.in_reach:
            share = _UNTIL[0]
        elif pool.best is not None and within_reach(pool.best.plan.problem):
            share = _UNTIL[1]
        if clock.expired():
            return
        until = max(clock.seconds * share, clock.elapsed + clock.seconds * _LEAST)
        limit = replace(clock, seconds=min(until, clock.seconds), evaluations=None)
        ranking = enumerate_nests(whole, limit, _TRIED, _light(whole, clock))
        self._baseline(pool, clock, ranking)
        for _, mapping in ranking.best:
            if pool.closed or limit.expired():
                break
            self._try(pool, clock, mapping)

    def finish(self, pool: Pool) -> None:
        """Offer what was held back."""
        if self.held is not None:
            pool.offer(self.held.plan, self.held.source)

    def _baseline(self, pool: Pool, clock: Clock, ranking: Ranking) -> None:
        """Set the best nest beside what is found; of those whose plans are not too large."""
        chosen, complete = ranking.first, ranking.complete
        if chosen is not None and operations_of(pool.question.whole, chosen[1]) > _OPERATIONS:
            chosen, complete = next(iter(ranking.best), None), False
        if chosen is None:
            return
        mapping = chosen[1]
        plan = plan_of_nest(pool.question.whole, mapping)
        if plan is not None:
            pool.baselines[NEST] = plan
            pool.nest = BestNest(mapping, complete, ranking.tried)
            if chosen in ranking.best:
                self._take(pool, clock, Offer(plan, Nested(mapping)))

    def _try(self, pool: Pool, clock: Clock, mapping: Mapping) -> None:
        """Keep what memory allows beside a nest, and offer that if it is the best so far."""
        unit, fixed = pool.question.unit, pool.question.whole.prices.fixed
        laid = lay_out(pool.question.whole, mapping)
        found = cheapest(laid, mapping)
        if found is not None and self._better(pool, found.cost * unit + fixed):
            self._take(pool, clock, offer_of(laid, mapping, found))

    def _better(self, pool: Pool, cost: Fraction) -> bool:
        return all(cost < known.cost for known in (pool.best, self.held) if known is not None)

    def _take(self, pool: Pool, clock: Clock, offer: Offer) -> None:
        """Offer a plan, now or after the local search."""
        if not self._better(pool, offer.cost):
            return
        Verification.of(offer.plan.problem).keep(clock, *offer.plan.compute.T[:4])
        searched = pool.best is not None and within_reach(pool.best.plan.problem)
        if searched and not within_reach(offer.plan.problem):
            self.held = offer
        else:
            pool.offer(offer.plan, offer.source)
        pool.report(offer.cost, "loop nests")


def _light(problem: Problem, clock: Clock) -> Light:
    """Return what the plan of a nest may take, so that it is made and verified in time."""
    operations = max(CHECKED, min(_OPERATIONS, clock.seconds * _OPERATIONS_A_SECOND))
    seconds = (clock.seconds - clock.elapsed) * _EACH
    return Light(operations, seconds, _BYTES, Verification.of(problem))


def free(problem: Problem) -> bool:
    """Return whether groups and tile are free, steps are serial, and lines are not too long."""
    if not isinstance(problem.instance, Instance) or problem.semantics.overlaps:
        return False
    choice = problem.instance.choice
    return (
        choice.kernel_groups == choice.channel_groups == "auto"
        and choice.tile in ("auto", (1, 1))
        and max(problem.out_height, problem.out_width) <= _LONGEST
    )


def offer_of(laid: Laid, mapping: Mapping, made: Schedule) -> Offer:
    """Return a nest as a plan that keeps some blocks, and where it comes from."""
    return Offer(plan_of(laid.problem, made), Nested(mapping))


def plan_of_nest(problem: Problem, mapping: Mapping) -> Plan | None:
    """Return a nest as a plan that keeps what the family keeps; None where it does not fit."""
    laid = lay_out(problem, mapping)
    made = as_the_family(laid, mapping)
    return None if made is None else plan_of(laid.problem, made)
