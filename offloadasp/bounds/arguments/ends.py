"""The ends of an overlapped strategy, and the chain of compute actions between them.

Nothing hides what the first compute action needs, and what the last one leaves; the next ones hide
it only as far as their own inputs were loaded. The fewer actions there are, the more the first and
the last one do. Each begins when its inputs are loaded and those before it have ended.
Derivation: docs/bounds.md, section 12, "Ends".
"""

from collections.abc import Iterator
from fractions import Fraction

from offloadasp.base.errors import InputError
from offloadasp.bounds.argument import Floor, JointArgument
from offloadasp.bounds.ends import Ends
from offloadasp.bounds.overlap import Lanes
from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import DMA, DUPLEX

# Numbers of compute actions that are looked at. With more, any strategy's least wait is used.
_MOST_NUMBERS = 32


def _propose(view: View, _: Floor) -> Iterator[Params]:
    if view.problem.prices.wait and not view.inner:
        yield Params()


def _value(view: View, _: Params, floor: Floor) -> Fraction:
    """Bound the price of compute actions and waits. The view must show all positions."""
    if view.inner:
        raise InputError("inner: must be false")
    problem, ends = view.problem, Ends(view, floor.loads, floor.writes)
    lanes = Lanes(problem)
    prices = problem.prices
    if not prices.wait or not ends.known:
        return Fraction(0)
    return max(_by_number(ends, lanes, floor), _chained(ends))


def _chained(ends: Ends) -> Fraction:
    """Bound the price for any number of actions, each of which begins after those before it."""
    problem = ends.view.problem
    prices = problem.prices
    if prices.compute < prices.wait * problem.accelerator.compute_cycles:
        return Fraction(0)
    return prices.wait * ends.chain * ends.unit


def _by_number(ends: Ends, lanes: Lanes, floor: Floor) -> Fraction:
    """Bound the price by the number of actions, from the waits at both ends."""
    prices = ends.view.problem.prices
    always = prices.wait * ends.always * ends.unit
    best: Fraction | None = None
    first = max(1, floor.steps)
    for actions in range(first, first + _MOST_NUMBERS):
        compute = prices.compute * actions
        if best is not None and compute + always >= best:
            return best
        wait = ends.wait(actions)
        if wait is not None:
            known = lanes.wait(floor.loads, floor.writes, actions)
            cost = compute + prices.wait * max(wait * ends.unit, known)
            best = cost if best is None else min(best, cost)
    rest = prices.compute * (first + _MOST_NUMBERS) + always
    return rest if best is None else min(best, rest)


def _sentence(_: Params) -> str:
    return (
        "what the first compute actions need is loaded before them, what the last ones leave is "
        "written after them, and each waits for its inputs and for those before it; the fewer "
        "there are, the more that is, and the more there are, the longer they take"
    )


ARGUMENT = JointArgument(
    name="ends",
    params=Params,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=frozenset({DMA, DUPLEX}),
)
