"""The answer of a search: a plan with what is claimed of it."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from offloadasp.asp.overlay import Broken
from offloadasp.model.claim import Claim
from offloadasp.model.plan import Plan
from offloadasp.model.strategy import Strategy, plan_of
from offloadasp.search.nests.family import BestNest
from offloadasp.search.pool import Listener, Status
from offloadasp.search.source import EarlierFile, Source, Unsearched, method_words

# For types only: that module imports the search, which makes answers.
if TYPE_CHECKING:
    from offloadasp.search.lexicographic.linear import Proven


@dataclass(frozen=True)
class Answer:
    """The best plan of a search, and what is proved.

    Attributes
    ----------
    plan, source
        The plan, and where it comes from.
    claims
        A claim an objective, the one that matters most first.
    duration_bound
        No strategy is shorter, whatever was minimised; in cycles.
    baselines
        The best plan of each plain order.
    unsearched
        Why a complete search was left out, if one was.
    nest
        The loop nest among the baselines, if one is.
    scope
        To what the bounds are limited; empty if they are global.
    proofs
        What is proved of each objective under the shipped rules, whatever plan is claimed.
    shipped_breaks
        Which of the edited rules the plan breaks that was found without them.
    """

    plan: Plan
    source: Source
    claims: tuple[Claim, ...]
    duration_bound: Fraction
    baselines: dict[str, Plan] = field(default_factory=dict)
    unsearched: Unsearched | None = None
    nest: BestNest | None = None
    scope: str = ""
    proofs: tuple["Proven", ...] = ()
    shipped_breaks: tuple[Broken, ...] = ()

    @property
    def method(self) -> str:
        """How the plan was found, in a reader's words."""
        return method_words(self.source, self.plan, self.unsearched)

    @property
    def certificate(self) -> dict[str, Any]:
        """What proves the bounds, as a strategy file holds it."""
        first, *others = self.claims
        joined = dict(first.certificate)
        if others:
            joined["then"] = [dict(claim.certificate) for claim in others]
        # Readers of the file must see what the bounds are limited to.
        return joined | ({"scope": self.scope} if self.scope else {})

    def tell(self, listener: Listener, stage: str) -> None:
        """Tell of what goes on after the search."""
        first = self.claims[0]
        listener(Status(first.value, first.lower_bound, stage))

    def replaced_by(self, strategy: Strategy) -> "Answer":
        """Return the strategy of an earlier file as the answer, with what was proved now."""
        claims = tuple(
            replace(claim, value=part.value)
            for part, claim in zip(strategy.ranking, self.claims, strict=True)
        )
        return replace(self, plan=plan_of(strategy), source=EarlierFile(), claims=claims)
