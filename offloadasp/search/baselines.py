"""What a strategy is compared with: the plain orders, and no reuse at all."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Planned
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy, steps_of
from offloadasp.search.construct.construct import Constructor
from offloadasp.search.construct.naive import without_reuse
from offloadasp.search.construct.residency import plan_of
from offloadasp.search.result import Found

NO_REUSE = "no_reuse"
_TRAVERSALS = ("row_by_row", "zigzag", "strips")


def baselines(problem: Problem, clock: Clock) -> dict[str, Planned]:
    """Find the shortest plan of each traversal in one decomposition, and the one without reuse.

    Returns
    -------
    dict of str to Planned
        By ``row_by_row``, ``zigzag``, ``strips`` and ``no_reuse``, as far as the clock allows.
    """
    best = Constructor([problem.with_memory(problem.memory)], clock, 0).run().by_name
    found = {
        name: Planned(problem, plan_of(best[name].blocking.problem, best[name].schedule))
        for name in _TRAVERSALS
        if name in best
    }
    return found | _naive(problem)


def compared(found: Found) -> dict[str, Planned]:
    """Return the baselines of a search, and the plan without reuse in its decomposition."""
    return found.baselines | _naive(found.problem)


def strategy_of(
    planned: Planned,
    lower_bound: Fraction = Fraction(0),
    certificate: Mapping[str, Any] | None = None,
) -> Strategy:
    """Return a plan as a strategy, with what is proved of its problem; by default nothing."""
    duration = planned.duration
    return Strategy(
        instance=planned.problem.resolved_instance(),
        duration=duration,
        lower_bound=lower_bound,
        status="optimal" if duration == lower_bound else "feasible",
        certificate=dict(certificate or {}),
        steps=steps_of(planned.plan),
    )


def _naive(problem: Problem) -> dict[str, Planned]:
    naive = without_reuse(problem)
    return {NO_REUSE: naive} if naive else {}
