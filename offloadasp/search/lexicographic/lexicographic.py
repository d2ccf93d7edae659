"""Objectives one after the other: the first one matters most, the next one decides among its best.

Linear objectives are minimised by the search at their prices, several as one weighted sum.
Where the peak comes first, its optimum is known: the least memory with which a strategy exists.
After linear objectives it is the least capacity at which their values are still reached. What comes
after the peak is minimised with that capacity.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from offloadasp.asp.rules import Rules
from offloadasp.bounds import least_memory, lower_bound, verify_certificate
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION, OBJECTIVES, PEAK, prices_of
from offloadasp.model.plan import Plan
from offloadasp.search.answer import Answer
from offloadasp.search.effort import Effort
from offloadasp.search.lexicographic.linear import Linear, Proven
from offloadasp.search.lexicographic.shrink import Shrinker
from offloadasp.search.pool import Listener, Offer, Pool
from offloadasp.search.question import question_of, whole_of
from offloadasp.search.workers import fallback

# Of the time, what the objectives before the peak may use; and of the rest, what the peak may use
# if another objective follows.
_BEFORE, _PEAK = 0.5, 0.5
# With the least memory every operation takes a step of its own and loads most of what it needs.
# So many of them the rules check in half a minute and 2 GB.
_MOST_APART = 20_000


@dataclass(frozen=True)
class _Known:
    """A plan with its baselines, and what is proved of the objectives so far."""

    best: Offer
    proofs: list[Proven]
    baselines: dict[str, Plan]
    pool: Pool | None = None


@dataclass
class Lexicographic:
    """A search for the lexicographic optimum of some objectives, under the shipped rules.

    Attributes
    ----------
    names
        Objectives, distinct, the one that matters most first.
    tell
        Hears of every change of incumbent or bound of the objective in work.
    """

    instance: Instance
    rules: Rules
    effort: Effort
    names: tuple[str, ...]
    tell: Listener = field(default=lambda _: None)

    def __post_init__(self) -> None:
        self.memory = self.instance.accelerator.memory

    def run(self) -> Answer:
        """Search within the limits.

        Raises
        ------
        InfeasibleError
            No strategy exists.
        NoStrategyError
            None was found within the limits.
        """
        started = time.monotonic()
        if PEAK not in self.names:
            known = self._minimise(self.names, self.memory, self.effort)
        else:
            peak = self.names.index(PEAK)
            before, after = self.names[:peak], self.names[peak + 1 :]
            known = self._peak_later(before, after) if before else self._peak_first(after)
        seconds = self.effort.seconds
        seconds["solve"] = time.monotonic() - started - seconds["ground"]
        return self._answer(known)

    def _linear(self, names: tuple[str, ...]) -> Linear:
        return Linear(self.instance, self.rules, self.effort, names)

    def _minimise(self, names: tuple[str, ...], capacity: int, effort: Effort) -> _Known:
        """Minimise linear objectives at a capacity in bytes.

        Where the sum of several leaves clingo's integers, or takes too many rules, that of the
        first ones may not.
        """
        known = self._together(names, capacity, effort)
        if len(names) == 1 or effort.clock.expired():
            return known
        reached = [self._value(name, known.best.plan) for name in names[:-1]]
        if any(proof.value < value for proof, value in zip(known.proofs, reached, strict=False)):
            other = self._minimise(names[:-1], capacity, effort)
            better = [self._value(name, other.best.plan) for name in names[:-1]] < reached
            chosen = other if better else known
            return replace(chosen, proofs=self._stronger(chosen.best.plan, known, other))
        return known

    def _stronger(self, plan: Plan, known: _Known, other: _Known) -> list[Proven]:
        """Return the stronger of two proofs of each objective, for the values of a plan."""
        values = self._named(plan)
        proofs = [proof.where(values) for proof in known.proofs]
        for k, proof in enumerate(other.proofs):
            proofs[k] = max(proofs[k], proof.where(values), key=lambda proof: proof.value)
        return proofs

    def _together(self, names: tuple[str, ...], capacity: int, effort: Effort) -> _Known:
        linear = self._linear(names)
        pool = linear.search(capacity, effort, self.tell)
        return _Known(pool.found, linear.proven(pool, capacity), pool.baselines, pool)

    def _peak_first(self, after: tuple[str, ...]) -> _Known:
        """Plan for the least memory, and minimise what follows with no more than that."""
        linear = self._linear((DURATION,))
        prices = prices_of(DURATION, self.instance)
        question = question_of(self.instance, self.rules, prices, self.memory)
        certificate = lower_bound(question.whole).certificate
        proof = Proven(Fraction(least_memory(question.whole).value), certificate)
        capacity = linear.least_memory(_MOST_APART)
        if not after:
            made = fallback(question.within(capacity))
            return _Known(made, [proof], {"row_by_row": made.plan})
        known = self._minimise(after, capacity, self.effort)
        return replace(known, proofs=[proof, *known.proofs])

    def _peak_later(self, before: tuple[str, ...], after: tuple[str, ...]) -> _Known:
        """Minimise, lower the peak without giving up what was reached, minimise what follows."""
        clock = self.effort.clock
        first = self._minimise(before, self.memory, self.effort.under(clock.part(_BEFORE)))
        rest = self.effort.under(clock.part(_PEAK)) if after else self.effort
        best, proof = Shrinker(self._linear(before), first.best, rest, self.tell).run()
        proofs = [*first.proofs, proof]
        if after:
            capacity = best.plan.counts.peak
            last = self._together(before + after, capacity, self.effort)
            if self._values(last.best.plan) < self._values(best.plan):
                best = last.best
            proofs += last.proofs[len(before) :]
        # The baselines of less memory say nothing of the memory that there is.
        return replace(first, best=best, proofs=proofs)

    def _values(self, plan: Plan) -> tuple[Fraction, ...]:
        return tuple(self._value(name, plan) for name in self.names)

    def _named(self, plan: Plan) -> dict[str, Fraction]:
        return dict(zip(self.names, self._values(plan), strict=True))

    def _value(self, name: str, plan: Plan) -> Fraction:
        return OBJECTIVES[name].value(self.instance, plan.counts)

    def _answer(self, known: _Known) -> Answer:
        plan = known.best.plan
        claims = self._claims(plan, known.proofs)
        shortest = claims[0].lower_bound
        if self.names[0] != DURATION:
            whole = whole_of(self.instance, prices_of(DURATION, self.instance), self.memory)
            shortest = verify_certificate(whole.within(whole.memory), claims[0].certificate)
        return Answer(
            plan=plan,
            source=known.best.source,
            claims=claims,
            duration_bound=shortest,
            baselines=known.baselines,
            unsearched=None if known.pool is None else known.pool.unsearched,
            proofs=tuple(known.proofs),
            nest=None if known.pool is None else known.pool.nest,
        )

    def _claims(self, plan: Plan, proofs: Sequence[Proven]) -> tuple[Claim, ...]:
        values = self._named(plan)
        held = [proof.where(values) for proof in proofs]
        return tuple(
            Claim(name, value, proof.value, proof.certificate)
            for (name, value), proof in zip(values.items(), held, strict=True)
        )
