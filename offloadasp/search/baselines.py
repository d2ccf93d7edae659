"""What a strategy is compared with: the plain orders, and no reuse at all."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem, problem_of
from offloadasp.model.strategy import Strategy, steps_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.construct import Constructor
from offloadasp.search.construct.naive import without_reuse
from offloadasp.search.overlap.pipelined import pipelined
from offloadasp.search.overlap.split import serial_of

NO_REUSE = "no_reuse"
_TRAVERSALS = ("row_by_row", "zigzag", "strips")


def baselines(problem: Problem, clock: Clock) -> dict[str, Plan]:
    """Find the shortest plan of each traversal in one decomposition, and the one without reuse.

    Returns
    -------
    dict of str to Plan
        By ``row_by_row``, ``zigzag``, ``strips`` and ``no_reuse``, as far as the clock allows.
    """
    serial = serial_of(problem)
    best = Constructor([serial.within(serial.memory)], clock, 0).run().by_name
    found = {name: best[name].offer().plan for name in _TRAVERSALS if name in best}
    if problem.semantics.overlaps:
        found = {name: pipelined(plan, problem) for name, plan in found.items()}
    return found | _naive(problem)


def compared(answer: Answer) -> dict[str, Plan]:
    """Return the baselines of a search, and the plan without reuse in its decomposition."""
    return answer.baselines | _naive(answer.plan.problem)


def strategy_of(
    plan: Plan,
    lower_bound: Fraction = Fraction(0),
    certificate: Mapping[str, Any] | None = None,
) -> Strategy:
    """Return a plan as a strategy, with what is proved of its problem; by default nothing."""
    duration = plan.duration
    return Strategy(
        instance=plan.problem.resolved_instance(),
        duration=duration,
        lower_bound=lower_bound,
        status="optimal" if duration == lower_bound else "feasible",
        certificate=dict(certificate or {}),
        steps=steps_of(plan),
    )


def _naive(problem: Problem) -> dict[str, Plan]:
    whole = problem_of(problem.instance, problem.decomposition)
    naive = without_reuse(serial_of(whole))
    if naive is not None and whole.semantics.overlaps:
        naive = pipelined(naive, whole)
    return {NO_REUSE: naive} if naive else {}
