"""Plans of the shipped search to begin with: other memories, nests, orders and step sizes.

A rule that the best plan breaks is often kept by one that goes another way through the layer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem
from offloadasp.search.construct.blocking import Blocking
from offloadasp.search.construct.candidate import Candidate, evaluate
from offloadasp.search.construct.shortlist import blockings, set_counts
from offloadasp.search.construct.traversal import ROW_BY_ROW, ZIGZAG, Traversal, visits
from offloadasp.search.construct.variations import smaller
from offloadasp.search.pool import Offer
from offloadasp.search.question import Question

# Shares of the memory that plans are made for: rules may ask for more room than the shipped ones.
_SHARES = (1.0, 0.75, 0.55, 0.4)
# Blockings of a nest that are tried, and decompositions.
_EACH, _DECOMPOSITIONS = 2, 6
# Step sizes that are tried until one fits.
_SIZES = 4


def starts(
    question: Question, best: Problem, clock: Clock, *, less_memory: bool = False
) -> Iterator[Offer]:
    """Yield plans, the promising ones first, until the clock runs out.

    Parameters
    ----------
    best
        The problem of the best plan that is known: its decomposition comes first.
    less_memory
        Whether plans for less memory come first, since rules let blocks take more room.
    """
    problems = _few(question.problems, best)
    for share in (*_SHARES[1:], _SHARES[0]) if less_memory else _SHARES:
        for problem in problems:
            within = problem.within(int(problem.capacity * share))
            for blocking, traversal in _ways(within):
                if not clock.spend():
                    return
                found = _fitting(blocking, traversal)
                if found is not None:
                    offer = found.offer()
                    plan = replace(offer.plan, problem=problem)
                    yield Offer(plan, offer.source)


def _few(problems: Sequence[Problem], best: Problem) -> list[Problem]:
    """Return the decomposition of the best plan, and some others from coarse to fine."""
    others = [one for one in problems if one.decomposition != best.decomposition]
    stride = max(1, len(others) // (_DECOMPOSITIONS - 1))
    own = [one for one in problems if one.decomposition == best.decomposition]
    return [*(own or [best.within(problems[0].capacity)]), *others[::stride]][:_DECOMPOSITIONS]


def _ways(problem: Problem) -> list[tuple[Blocking, Traversal]]:
    """Return the best blockings of each nest, each along its own path and along plain ones."""
    by_nest: dict[tuple[str, bool], list[tuple[float, Blocking]]] = {}
    for cost, blocking in blockings(problem, set_counts(problem), 1):
        by_nest.setdefault((blocking.nest, blocking.straight), []).append((cost, blocking))
    ranked = sorted(
        (entry for kept in by_nest.values() for entry in sorted(kept, key=_cost)[:_EACH]), key=_cost
    )
    ways: list[tuple[Blocking, Traversal]] = []
    for _, blocking in ranked:
        line = replace(blocking, strips=1, transposed=False, lines=1, cells=problem.tile_grid[1])
        ways += [
            (blocking, blocking.traversal),
            (line, ROW_BY_ROW),
            (blocking.straightened(), ZIGZAG),
            (replace(line, size=1), ROW_BY_ROW),
        ]
    return list(dict.fromkeys(ways))


def _cost(entry: tuple[float, Blocking]) -> float:
    return entry[0]


def _fitting(blocking: Blocking, traversal: Traversal) -> Candidate | None:
    tiles = visits(blocking.problem.tile_grid, traversal)
    for tried, size in enumerate(smaller(blocking.size)):
        found = evaluate(tiles, replace(blocking, size=size), traversal)
        if found is not None or tried == _SIZES:
            return found
    return None
