"""What a search is given beside the instance, what it tells on the way, and what it finds."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from offloadasp.model.plan import Plan, Planned
from offloadasp.model.problem import Problem


@dataclass(frozen=True)
class Limits:
    """Threads, seed, and either the clock's time or a deterministic budget.

    Attributes
    ----------
    without
        Names of the cuts that the complete search is to do without.
    """

    threads: int = 2
    seed: int = 0
    budget: int | None = None
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Status:
    """What the search knows at a moment of what it minimises; None where nothing is known."""

    incumbent: Fraction | None
    bound: Fraction
    stage: str


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes
    ----------
    problem
        With the decomposition chosen.
    plan
        The best plan found.
    value
        What was minimised, at the search's rates: cycles of the duration, unless these are others.
    lower_bound
        Proven for everything that the instance leaves open.
    certificate
        What proves the bound.
    baselines
        The best plan of each kind of traversal.
    method
        How the plan was found, for readers.
    scope
        To what the bound is limited; empty if it is global.
    """

    problem: Problem
    plan: Plan
    value: Fraction
    lower_bound: Fraction
    certificate: dict[str, Any]
    baselines: dict[str, Planned]
    method: str
    seconds: dict[str, float]
    scope: str = ""
