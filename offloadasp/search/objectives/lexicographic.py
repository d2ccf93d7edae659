"""Objectives one after the other: the first one matters most, the next one decides among its best.

Linear objectives (duration, traffic) are minimised by the search at their rates, two of them as one
weighted sum. Where the peak of memory comes first, its optimum is known: the least memory with
which a strategy exists. After linear objectives it is the least capacity at which their values are
still reached. What comes after the peak is minimised with that capacity as the memory.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from offloadasp.asp.rules import Rules
from offloadasp.bounds import least_memory, lower_bound, verify_certificate
from offloadasp.limits.clock import Clock
from offloadasp.model.cost import DURATION, PEAK, Goal, measure
from offloadasp.model.instance import Instance
from offloadasp.model.problem import problem_of
from offloadasp.search.objectives.linear import Linear, Proven, whole_at
from offloadasp.search.objectives.shrink import Shrinker
from offloadasp.search.result import Found, Limits, Status

# Of the time, what the objectives before the peak may use; and of the rest, what the peak may use
# if another objective follows.
_BEFORE, _PEAK = 0.5, 0.5
# With the least memory every operation takes a step of its own and loads most of what it needs.
# So many of them the rules check in half a minute and 2 GB.
_MOST_APART = 20_000


@dataclass(frozen=True)
class Ranked:
    """The result of a search for one or several objectives.

    Attributes
    ----------
    found
        The best plan. Its certificate proves the first objective's bound; under ``then`` it has an
        entry for each of the others.
    goals
        The objectives in their order.
    duration_bound
        No strategy is shorter, whatever was minimised; in cycles.
    """

    found: Found
    goals: tuple[Goal, ...]
    duration_bound: Fraction


@dataclass
class Lexicographic:
    """A search for the lexicographic optimum of some objectives, under the shipped rules.

    Attributes
    ----------
    names
        Objectives, distinct, the one that matters most first.
    tell
        Told of every change of incumbent or bound of the objective in work.
    """

    instance: Instance
    rules: Rules
    limits: Limits
    clock: Clock
    names: tuple[str, ...]
    tell: Callable[[Status], None] = lambda _: None
    seconds: dict[str, float] = field(default_factory=lambda: {"ground": 0.0, "solve": 0.0})

    def __post_init__(self) -> None:
        self.memory = self.instance.accelerator.memory

    def run(self) -> Ranked:
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
            found, proofs = self._minimise(self.names, self.memory, self.clock)
        else:
            peak = self.names.index(PEAK)
            before, after = self.names[:peak], self.names[peak + 1 :]
            found, proofs = self._peak_later(before, after) if before else self._peak_first(after)
        self.seconds["solve"] = time.monotonic() - started - self.seconds["ground"]
        # With the memory that the instance gives, whatever the last search had.
        problem = problem_of(self.instance, found.problem.decomposition)
        return self._ranked(replace(found, problem=problem, seconds=self.seconds), proofs)

    def _linear(self, names: tuple[str, ...]) -> Linear:
        return Linear(self.instance, self.rules, self.limits, names, self.seconds)

    def _minimise(
        self, names: tuple[str, ...], memory: int, clock: Clock
    ) -> tuple[Found, list[Proven]]:
        """Minimise linear objectives at a memory in bytes; return what is proved of each.

        Where the sum of two leaves clingo's integers, or takes too many rules, the first one by
        itself may not.
        """
        found, proofs = self._together(names, memory, clock)
        if len(names) > 1 and not clock.expired():
            value = self._value(names[0], found)
            if proofs[0].value < value:
                other, (proof,) = self._together(names[:1], memory, clock)
                proofs[0] = max(proofs[0], proof, key=lambda known: known.value)
                found = other if self._value(names[0], other) < value else found
        return found, proofs

    def _together(
        self, names: tuple[str, ...], memory: int, clock: Clock
    ) -> tuple[Found, list[Proven]]:
        linear = self._linear(names)
        found = linear.search(memory, clock, self.tell).run()
        return found, linear.proven(found, memory)

    def _peak_first(self, after: tuple[str, ...]) -> tuple[Found, list[Proven]]:
        """Plan for the least memory, and minimise what follows with no more than that."""
        linear = self._linear((DURATION,))
        search = linear.search(self.memory, self.clock, self.tell)
        bound = lower_bound(search.whole)
        proof = Proven(Fraction(least_memory(search.whole).value), bound.certificate)
        memory = linear.least_memory(_MOST_APART)
        if not after:
            return search.careful(memory, bound), [proof]
        found, proofs = self._minimise(after, memory, self.clock)
        return found, [proof, *proofs]

    def _peak_later(
        self, before: tuple[str, ...], after: tuple[str, ...]
    ) -> tuple[Found, list[Proven]]:
        """Minimise, lower the peak without giving up what was reached, minimise what follows."""
        first, proofs = self._minimise(before, self.memory, self.clock.part(_BEFORE))
        clock = self.clock.part(_PEAK) if after else self.clock
        found, proof = Shrinker(self._linear(before), first, clock, self.tell).run()
        proofs.append(proof)
        if after:
            memory = found.plan.peak_bytes(found.problem)
            last, more = self._together(before + after, memory, self.clock)
            if self._values(last) < self._values(found):
                found = last
            proofs += more[len(before) :]
        # Those of less memory say nothing of the memory that there is.
        return replace(found, baselines=first.baselines), proofs

    def _values(self, found: Found) -> tuple[Fraction, ...]:
        return tuple(self._value(name, found) for name in self.names)

    def _value(self, name: str, found: Found) -> Fraction:
        return measure(name, found.problem, found.plan)

    def _ranked(self, found: Found, proofs: Sequence[Proven]) -> Ranked:
        goals = tuple(
            Goal(name, value, proof.value)
            for name, value, proof in zip(self.names, self._values(found), proofs, strict=True)
        )
        certificate = dict(proofs[0].certificate)
        if len(proofs) > 1:
            certificate["then"] = [proof.certificate for proof in proofs[1:]]
        shortest = goals[0].lower_bound
        if self.names[0] != DURATION:
            shortest = verify_certificate(whole_at(self.instance, self.memory), certificate)
        return Ranked(replace(found, certificate=certificate), goals, shortest)
