"""Levels of what is minimised: which objective is at which priority, and what a unit is worth."""

from collections.abc import Sequence
from fractions import Fraction

from offloadasp.asp.facts import scale_of
from offloadasp.model.objectives import is_linear, prices_of
from offloadasp.model.problem import Problem


def name_at(names: Sequence[str], priority: int) -> str | None:
    """Return the objective at a priority; None if the rules' own is there alone."""
    return names[-priority] if 0 <= -priority < len(names) else None


def priority_options(names: Sequence[str]) -> list[str]:
    """Return the options of clingo that put objectives in their order."""
    return [f"-c {name}_priority={-k}" for k, name in enumerate(names)]


def value_at(problem: Problem, names: Sequence[str], priority: int, cost: int) -> Fraction:
    """Return a cost of the rules in the unit of the objective at its priority.

    Parameters
    ----------
    names
        The objectives asked for: the k-th has priority −k.
    """
    name = name_at(names, priority)
    fixed = prices_of(name, problem.instance).fixed if name and is_linear(name) else Fraction(0)
    return cost * unit_at(problem, names, priority) + fixed


def unit_at(problem: Problem, names: Sequence[str], priority: int) -> Fraction:
    """Return what a cost of 1 of the rules is worth at a priority."""
    name = name_at(names, priority)
    if name is None or not is_linear(name):
        return Fraction(1)
    return scale_of(problem.at(prices_of(name, problem.instance))).unit
