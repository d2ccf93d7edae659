"""The lower bound on the cost of every strategy, and certificates that are checked anew.

The bound is the best of what the arguments in ``arguments/`` prove. Derivations: docs/bounds.md.
A certificate names the arguments used and their parameters; every number that counts is computed
again when it is verified.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from offloadasp.bounds.argument import Argument, Floor, JointArgument, Quantity
from offloadasp.bounds.entry import (
    Use,
    arguments_for,
    below,
    joint_arguments_for,
    read_use,
)
from offloadasp.bounds.overlap import Lanes
from offloadasp.bounds.view import View, views_of
from offloadasp.model.problem import Problem

Best = tuple[int, Use[Argument[Any]] | None]
BestCost = tuple[Fraction, Use[JointArgument[Any]] | None]


@dataclass(frozen=True)
class Bound:
    """A proven lower bound on the cost of every strategy for one decomposition.

    Attributes
    ----------
    value
        At the problem's prices: the three parts below together, or more, where loads and steps are
        bounded together.
    load_bytes, write_bytes
        Least bytes loaded and written.
    steps
        Least number of compute actions.
    certificate
        What proves it, for JSON; see `verify_certificate`.
    """

    value: Fraction
    load_bytes: int
    write_bytes: int
    steps: int
    certificate: dict[str, Any]


def lower_bound(problem: Problem) -> Bound:
    """Bound the cost of every strategy for exactly this decomposition from below.

    Loads, writes and compute actions are bounded each on its own, by the argument that proves the
    most, for the decomposition and for the finest one, whose strategies include its own. Then
    loads and compute actions are bounded together. Arguments that are not proved for the
    problem's semantics are left out; a quantity for which none is left counts 0.
    """
    views = list(views_of(problem))
    (loads, of_loads), (writes, of_writes), (steps, of_steps) = (
        _best(problem, quantity, views)
        for quantity in (Quantity.LOADS, Quantity.WRITES, Quantity.STEPS)
    )
    floor = Floor(loads, steps, writes)
    apart = _apart(problem, floor)
    joint, of_both = _best_joint(problem, views, floor)
    used = {
        Quantity.LOADS: of_loads,
        Quantity.WRITES: of_writes,
        Quantity.STEPS: of_steps,
        Quantity.TOGETHER: of_both if joint > apart else None,
    }
    certificate = {str(quantity): use.entry for quantity, use in used.items() if use is not None}
    value = max(joint, apart) + _beside(problem, floor)
    return Bound(value, loads, writes, steps, certificate)


def _best(problem: Problem, quantity: Quantity, views: list[View]) -> Best:
    """Return the best bound on a quantity: bytes, or compute actions."""
    known = arguments_for(quantity, problem.semantics)
    best: Best = 0, None
    for view in views:
        for argument in known:
            for params in argument.propose(view):
                value = argument.value(view, params)
                if best[1] is None or value > best[0]:
                    best = value, Use(argument, view, params)
    return best


def _best_joint(problem: Problem, views: list[View], floor: Floor) -> BestCost:
    """Return the best bound on the cost of loads and compute actions together."""
    known = joint_arguments_for(problem.semantics)
    best: BestCost = Fraction(0), None
    for view in views:
        for argument in known:
            for params in argument.propose(view, floor):
                value = argument.value(view, params, floor)
                if value > best[0]:
                    best = value, Use(argument, view, params)
    return best


def _apart(problem: Problem, floor: Floor) -> Fraction:
    """Bound the cost of loads, compute actions and waits by bounds on each of them."""
    prices = problem.prices
    apart = prices.load * floor.loads + prices.compute * floor.steps
    if prices.wait:
        # What is paid for a compute action, and for all multiply-accumulates, includes their time;
        # the rest of the duration is waiting.
        apart += prices.wait * Lanes(problem).wait(floor.loads, floor.writes, floor.steps)
    return apart


def _beside(problem: Problem, floor: Floor) -> Fraction:
    """Return what is paid at least beside loads, compute actions and waits."""
    return problem.prices.write * floor.writes + problem.prices.fixed


def verify_certificate(problem: Problem, certificate: Mapping[str, Any]) -> Fraction:
    """Compute the lower bound that a certificate proves, at the problem's prices.

    Only the names of arguments and their parameters are taken from the certificate; any choice of
    them gives a valid bound.

    Raises
    ------
    InputError
        The certificate is malformed, or names an argument that is not proved for the problem's
        semantics; one line.
    """
    loads, writes, steps = (
        _verified(problem, quantity, certificate)
        for quantity in (Quantity.LOADS, Quantity.WRITES, Quantity.STEPS)
    )
    floor = Floor(loads, steps, writes)
    cost = _apart(problem, floor)
    if Quantity.TOGETHER in certificate:
        cost = max(cost, _verified_joint(problem, floor, certificate))
    return cost + _beside(problem, floor)


def _verified(problem: Problem, quantity: Quantity, certificate: Mapping[str, Any]) -> int:
    known = arguments_for(quantity, problem.semantics)
    if not known and quantity not in certificate:
        return 0
    use = read_use(problem, quantity, known, certificate)
    with below(quantity):
        return use.argument.value(use.view, use.params)


def _verified_joint(problem: Problem, floor: Floor, certificate: Mapping[str, Any]) -> Fraction:
    known = joint_arguments_for(problem.semantics)
    use = read_use(problem, Quantity.TOGETHER, known, certificate)
    with below(Quantity.TOGETHER):
        return use.argument.value(use.view, use.params, floor)
