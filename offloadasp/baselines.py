"""What a strategy is compared with: the plain orders, and no reuse at all."""

from offloadasp.plan import Planned
from offloadasp.problem import Problem, problem_of
from offloadasp.rules import Rules
from offloadasp.search.clock import Clock
from offloadasp.search.construct import Constructor
from offloadasp.search.keep import plan_of
from offloadasp.search.naive import without_reuse
from offloadasp.search.traversal import Traversals
from offloadasp.strategy import Strategy, steps_of

NO_REUSE = "no_reuse"
_TRAVERSALS = ("row_by_row", "zigzag", "strips")


def baselines(problem: Problem, rules: Rules, clock: Clock) -> dict[str, Planned]:
    """Find the shortest plan of each traversal in one decomposition, and the one without reuse.

    Returns
    -------
    dict of str to Planned
        By ``row_by_row``, ``zigzag``, ``strips`` and ``no_reuse``, as far as the clock allows.
    """
    known = Traversals(rules)
    best = Constructor(known, [problem.with_memory(problem.memory)], clock, 0).run().by_name
    found = {
        name: Planned(problem, plan_of(best[name].blocking.problem, best[name].schedule))
        for name in _TRAVERSALS
        if name in best
    }
    naive = without_reuse(problem, known)
    return found | ({NO_REUSE: naive} if naive else {})


def strategy_of(planned: Planned) -> Strategy:
    """Return a plan as a strategy of which nothing is proved."""
    return Strategy(
        instance=planned.problem.resolved_instance(),
        duration=planned.duration,
        lower_bound=0,
        status="feasible",
        steps=steps_of(planned.plan),
    )


def problem_in(strategy: Strategy) -> Problem:
    """Return the problem of a strategy, in its own decomposition."""
    return problem_of(strategy.instance, strategy.instance.decomposition)
