"""The pool: the best plan and the best bound of one question, which all workers share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from offloadasp.bounds import Bound
from offloadasp.model.plan import Plan
from offloadasp.search.nests.family import BestNest
from offloadasp.search.question import Question
from offloadasp.search.source import Source, Unsearched


@dataclass(frozen=True)
class Status:
    """What a search knows at a moment; None where nothing is known."""

    incumbent: Fraction | None
    bound: Fraction
    stage: str


Listener = Callable[[Status], None]
"""Told of every change of incumbent or bound."""


@dataclass(frozen=True)
class Offer:
    """A plan, and where it comes from."""

    plan: Plan
    source: Source

    @property
    def cost(self) -> Fraction:
        """At the prices of the plan's problem."""
        return self.plan.cost


@dataclass
class Pool:
    """What is known of a question. Workers offer plans and bounds, and stop once it is closed.

    Attributes
    ----------
    question
        What is asked.
    analytic
        The bound that certificates prove without any search.
    tell
        Hears every change.
    best
        The cheapest plan offered so far.
    start
        The cheapest constructed plan that a local search can begin with, if the best cannot be one.
    bound, certificate
        No plan costs less; and what proves that.
    baselines
        The best plan of each plain order.
    unsearched
        Why a complete search was left out, if one was.
    nest
        The loop nest among the baselines, if one is.
    """

    question: Question
    analytic: Bound
    tell: Listener = lambda _: None
    best: Offer | None = None
    start: Offer | None = None
    bound: Fraction = field(init=False)
    certificate: Mapping[str, Any] = field(init=False)
    baselines: dict[str, Plan] = field(default_factory=dict)
    unsearched: Unsearched | None = None
    nest: BestNest | None = None

    def __post_init__(self) -> None:
        self.bound = self.analytic.value
        self.certificate = self.analytic.certificate
        self._proved = self.bound

    @property
    def found(self) -> Offer:
        """The best offer, where there is one."""
        assert self.best is not None
        return self.best

    @property
    def closed(self) -> bool:
        """Whether there is nothing left to find or to prove."""
        if self.best is None:
            return False
        target = self.bound if self.question.target is None else self.question.target
        return not self.best.cost > target >= self.bound

    @property
    def enough(self) -> Fraction:
        """A cost that closes the question."""
        return max(self.analytic.value, self.question.target or Fraction(0))

    def offer(self, plan: Plan, source: Source) -> bool:
        """Take a plan if it is cheaper than the best one; return whether it is."""
        if self.best is not None and plan.cost >= self.best.cost:
            return False
        self.best = Offer(plan, source)
        return True

    def prove(self, bound: Fraction, certificate: Mapping[str, Any]) -> None:
        """Take a lower bound if it is higher than the best one."""
        if bound > self.bound:
            self.bound, self.certificate = bound, certificate

    def report(self, cost: Fraction, stage: str, proved: Fraction = Fraction(0)) -> None:
        """Tell of a cost that was found, and of what a search in progress has proved."""
        self._proved = max(self._proved, self.bound, proved)
        self.tell(Status(cost, self._proved, stage))

    def take(self, other: "Pool") -> None:
        """Take what another pool of the same question knows better."""
        if other.best is not None and (self.best is None or other.best.cost < self.best.cost):
            self.best, self.baselines = other.best, other.baselines
            self.nest = other.nest
            self.unsearched = other.unsearched
        self.prove(other.bound, other.certificate)
