"""Linear objectives of a layer: the question that asks for them, and what its answer proves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from offloadasp.asp.rules import Rules
from offloadasp.bounds import least_memory, verify_certificate
from offloadasp.limits.abandonable import aside
from offloadasp.model.instance import Instance, exact_number
from offloadasp.model.objectives import Prices, prices_of
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.construct.decompose import decompositions
from offloadasp.search.effort import Effort
from offloadasp.search.lexicographic.weights import Combined, combine, thrifty_ranges
from offloadasp.search.pool import Listener, Pool, Status
from offloadasp.search.question import Question, problems_of, question_of, whole_of
from offloadasp.search.run import search
from offloadasp.search.size_limits import operations

_SEARCHED = "complete_search"


@dataclass(frozen=True)
class Proven:
    """A lower bound of one objective, and its entry in the certificate.

    Attributes
    ----------
    given
        It holds where these earlier objectives are at most these values.
    otherwise
        What is proved where they are not; None if nothing is given.
    """

    value: Fraction
    certificate: dict[str, Any]
    given: Mapping[str, Fraction] = field(default_factory=dict)
    otherwise: "Proven | None" = None

    def where(self, values: Mapping[str, Fraction]) -> "Proven":
        """Return what is proved where the objectives have these values."""
        if self.otherwise is None or all(values[name] <= most for name, most in self.given.items()):
            return self
        return self.otherwise


@dataclass(frozen=True)
class Linear:
    """Linear objectives of an instance, the first one mattering most.

    The search leaves out what every plan pays; values and bounds hold it.

    Attributes
    ----------
    names
        The objectives.
    """

    instance: Instance
    rules: Rules
    effort: Effort
    names: tuple[str, ...]

    @cached_property
    def sums(self) -> tuple[Combined, ...]:
        """The weighted sums of the first two objectives, of this sum and the third one, and so on.

        Empty if there is one objective.
        """
        if len(self.names) == 1:
            return ()
        ranges = thrifty_ranges([self.whole_at(1), *self._problems])
        found: list[Combined] = []
        prices, *others = self._each
        for other in others:
            found.append(combine(prices, other, ranges))
            prices = found[-1].prices
        return tuple(found)

    def _weights(self, count: int) -> list[Fraction]:
        """Return the weights of the first objectives in their sum with the next one."""
        weights: list[Fraction] = []
        for part in self.sums[:count]:
            weights = [weight * part.weight for weight in weights] + [part.weight]
        return weights

    @cached_property
    def _problems(self) -> list[Problem]:
        return [problem_of(self.instance, d) for d in decompositions(self.instance)]

    @cached_property
    def _each(self) -> tuple[Prices, ...]:
        """The prices of each objective by itself, without what every plan pays."""
        prices = (prices_of(name, self.instance) for name in self.names)
        return tuple(replace(own, fixed=Fraction(0)) for own in prices)

    @cached_property
    def _fixed(self) -> tuple[Fraction, ...]:
        """What every plan pays, by objective."""
        return tuple(prices_of(name, self.instance).fixed for name in self.names)

    @property
    def prices(self) -> Prices:
        """The prices of the search."""
        return self.sums[-1].prices if self.sums else self._each[0]

    def whole_at(self, capacity: int) -> Problem:
        """Return the problem to which bounds refer, at a capacity in bytes."""
        whole = whole_of(self.instance, self._each[0], capacity)
        # More than all blocks take changes no strategy; bounds are made for that much.
        return whole.within(whole.memory)

    def least_memory(self, most: int | None = None) -> int:
        """Return the least memory at which the search tries any decomposition, in bytes.

        Parameters
        ----------
        most
            Decompositions with more operations than this are left out, unless all have more.
        """
        tried = problems_of(self.instance, self._each[0], self.instance.accelerator.memory)
        few = [problem for problem in tried if most is None or operations(problem) <= most]
        return min(least_memory(problem).value for problem in few or tried)

    def cost(self, plan: Plan) -> Fraction:
        """Return what the search minimises, for a plan."""
        return self.prices.of(plan.counts)

    def values(self, plan: Plan) -> tuple[Fraction, ...]:
        """Return the objectives of a plan."""
        return tuple(
            prices.of(plan.counts) + fixed
            for prices, fixed in zip(self._each, self._fixed, strict=True)
        )

    def search(
        self, capacity: int, effort: Effort, tell: Listener, target: Fraction | None = None
    ) -> Pool:
        """Search at a capacity in bytes, for the optimum or for a target cost.

        Raises
        ------
        InfeasibleError
            No strategy exists.
        NoStrategyError
            None was found within the limits.
        """

        def translate(status: Status) -> None:
            tell(self._of_the_first(status))

        def ask() -> Question:
            return question_of(self.instance, self.rules, self.prices, capacity, target)

        # Aside, so that Ctrl-C and a full memory end it: a large layer has many decompositions.
        return search(aside(ask, lambda: effort.clock.in_vain), effort, translate)

    def _of_the_first(self, status: Status) -> Status:
        """Say of the first objective what is known of the sum."""
        incumbent, bound = status.incumbent, status.bound
        for part in reversed(self.sums):
            incumbent = None if incumbent is None else part.first(incumbent)
            bound = part.first(bound)
        fixed = self._fixed[0]
        return replace(
            status, incumbent=None if incumbent is None else incumbent + fixed, bound=bound + fixed
        )

    def proven(self, pool: Pool, capacity: int) -> list[Proven]:
        """Return what a search at a capacity in bytes has proved of each objective.

        The bound of a later one holds where those before it are at most those of the plan found.
        """
        certificate = {key: part for key, part in pool.certificate.items() if key != _SEARCHED}
        whole = self.whole_at(capacity)
        always = [
            Proven(verify_certificate(whole.at(prices), certificate), certificate)
            for prices in self._each
        ]
        proofs = always.copy()
        reached = self._reached(pool.found.plan)
        for k, part in enumerate(self.sums, start=1):
            least = verify_certificate(whole.at(part.prices), certificate)
            weights = [exact_number(weight) for weight in self._weights(k)]
            weighed = certificate | {"weight": weights if k > 1 else weights[0]}
            of_sum = Proven(part.second(least, reached[k - 1]), weighed)
            proofs[k] = max(proofs[k], of_sum, key=lambda known: known.value)
        if _SEARCHED in pool.certificate:
            searched = certificate | self.searched(pool.certificate)
            proofs = [
                Proven(more, searched) if more > proof.value else proof
                for proof, more in zip(proofs, self._by_search(pool.bound, reached), strict=True)
            ]
        return self._given(pool.found.plan, proofs, always)

    def _given(
        self, plan: Plan, proofs: Sequence[Proven], always: Sequence[Proven]
    ) -> list[Proven]:
        """Say where proofs hold, and add what every plan pays."""
        values = dict(zip(self.names, self.values(plan), strict=True))
        found = []
        for k, fixed in enumerate(self._fixed):
            given = {name: values[name] for name in self.names[:k]}
            otherwise = replace(always[k], value=always[k].value + fixed)
            value = proofs[k].value + fixed
            found.append(Proven(value, proofs[k].certificate, given, otherwise))
        return found

    def _reached(self, plan: Plan) -> list[Fraction]:
        """Return the first objective of a plan, and each of the sums."""
        prices = [self._each[0], *(part.prices for part in self.sums)]
        return [own.of(plan.counts) for own in prices]

    def _by_search(self, bound: Fraction, reached: Sequence[Fraction]) -> list[Fraction]:
        """Return what a bound on the whole sum says of each objective."""
        found = []
        for part, before in zip(reversed(self.sums), reversed(reached[:-1]), strict=True):
            found.append(part.second(bound, before))
            bound = part.first(bound)
        return [bound, *reversed(found)]

    def searched(self, certificate: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a certificate says of the complete search; of a sum with its prices."""
        proof = dict(certificate[_SEARCHED])
        if self.sums:
            proof["rates"] = [exact_number(price) for price in self.prices.each]
        return {_SEARCHED: proof}

    def exceeded(
        self, capacity: int, certificate: Mapping[str, Any], most: Sequence[Fraction]
    ) -> bool:
        """Whether a certificate proves that some objective exceeds its value at a capacity."""
        whole = self.whole_at(capacity)
        return any(
            verify_certificate(whole.at(prices), certificate) + fixed > value
            for prices, fixed, value in zip(self._each, self._fixed, most, strict=True)
        )
