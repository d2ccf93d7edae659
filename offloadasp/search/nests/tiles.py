"""Local search on the plan of a loop nest, a tile as one operation: it reaches large layers."""

from dataclasses import replace

from offloadasp.model.problem import Problem
from offloadasp.search.anneal.improve import Improver
from offloadasp.search.effort import Effort
from offloadasp.search.nests.cost import sizes_of
from offloadasp.search.nests.family import Mapping
from offloadasp.search.pool import Pool
from offloadasp.search.size_limits import within_reach
from offloadasp.search.source import Annealed, Nested
from offloadasp.search.workers import improver_of


class AnnealTiles:
    """Reorders the tiles of the best nest, and chooses anew what stays between them."""

    def fits(self, pool: Pool) -> bool:
        """Return whether the best plan is a nest of few tiles, each of which is one step."""
        return self._coarse(pool) is not None

    def run(self, pool: Pool, effort: Effort) -> None:
        """Search until the time is over, or there is no hope of a gain."""
        improver = self.prepare(pool, effort)
        improver.until(effort.clock, 1.0, late=True)
        self.offer(pool, improver)

    def prepare(self, pool: Pool, effort: Effort) -> Improver:
        """Return the local search from the best nest."""
        coarse, found = self._coarse(pool), pool.found
        assert coarse is not None
        return improver_of(pool, replace(found, plan=replace(found.plan, problem=coarse)), effort)

    def offer(self, pool: Pool, improver: Improver) -> None:
        """Offer what a local search found; tiles are a matter of the search, not of the plan."""
        found = pool.found
        plan = replace(improver.best.plan, problem=found.plan.problem)
        pool.offer(plan, Annealed(found.source))

    def _coarse(self, pool: Pool) -> Problem | None:
        if pool.best is None or not isinstance(pool.best.source, Nested):
            return None
        problem, mapping = pool.best.plan.problem, pool.best.source.mapping
        if within_reach(problem) or not one_step_each(problem, mapping):
            return None
        _, p, q, *_ = mapping.sizes
        coarse = problem.with_decomposition(
            problem.decomposition.model_copy(update={"tile": (p, q)})
        )
        return coarse if within_reach(coarse) else None


def one_step_each(problem: Problem, mapping: Mapping) -> bool:
    """Return whether the tiles of a nest are operations that a compute action does at once."""
    g, p, q, m, c = mapping.sizes
    return g == 1 and mapping.mode.walk == "any" and p * q * m * c <= sizes_of(problem).windows
