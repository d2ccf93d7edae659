"""Linear objectives of a layer: the search that minimises them, and what it proves of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from offloadasp.asp.rules import Rules
from offloadasp.bounds import least_memory, verify_certificate
from offloadasp.limits.clock import Clock
from offloadasp.model.cost import DURATION, Rates, rates_of
from offloadasp.model.instance import Instance, exact_number
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.construct.decompose import decompositions, scope
from offloadasp.search.objectives.weights import Combined, combine, thrifty_ranges
from offloadasp.search.result import Found, Limits, Status
from offloadasp.search.run import Search
from offloadasp.search.size_limits import checkable, operations

_SEARCHED = "complete_search"


@dataclass(frozen=True)
class Proven:
    """A lower bound of one objective, and its entry in the certificate."""

    value: Fraction
    certificate: dict[str, Any]


@dataclass(frozen=True)
class Linear:
    """One or two linear objectives of an instance, the first one mattering more.

    Attributes
    ----------
    names
        The objectives.
    seconds
        The time taken so far, shared with the other searches of the run.
    """

    instance: Instance
    rules: Rules
    limits: Limits
    names: tuple[str, ...]
    seconds: dict[str, float]

    @cached_property
    def combined(self) -> Combined | None:
        """The weighted sum of two objectives; None if there is one."""
        if len(self.names) == 1:
            return None
        ranges = thrifty_ranges([whole_at(self.instance, 1), *self._problems])
        first, second = self.own_rates
        return combine(first, second, ranges)

    @cached_property
    def _problems(self) -> list[Problem]:
        return [problem_of(self.instance, d) for d in decompositions(self.instance)]

    def least_memory(self, most: int | None = None) -> int:
        """Return the least memory at which the search tries any decomposition, in bytes.

        Parameters
        ----------
        most
            Decompositions with more operations than this are left out, unless all have more.
        """
        tried = checkable(self._problems)
        few = [problem for problem in tried if most is None or operations(problem) <= most]
        return min(least_memory(problem).value for problem in few or tried)

    @property
    def own_rates(self) -> tuple[Rates, ...]:
        """The rates of each objective by itself."""
        return tuple(rates_of(name, self.instance.accelerator) for name in self.names)

    @property
    def rates(self) -> Rates:
        """The rates at which the search counts."""
        return self.own_rates[0] if self.combined is None else self.combined.rates

    def cost(self, problem: Problem, plan: Plan) -> Fraction:
        """Return what the search minimises, for a plan."""
        return plan.duration(self.rates.on(problem))

    def values(self, problem: Problem, plan: Plan) -> tuple[Fraction, ...]:
        """Return the objectives of a plan."""
        return tuple(plan.duration(rates.on(problem)) for rates in self.own_rates)

    def search(
        self,
        memory: int,
        clock: Clock,
        tell: Callable[[Status], None],
        target: Fraction | None = None,
    ) -> Search:
        """Return the search at a memory in bytes, for the optimum or for a target cost."""

        def translate(status: Status) -> None:
            tell(self._of_the_first(status))

        return Search(
            with_memory(self.instance, memory),
            self.rules,
            self.limits,
            clock,
            translate,
            # The accelerator's own rates need no translation.
            None if self.names == (DURATION,) else self.rates,
            target,
            self.seconds,
        )

    def _of_the_first(self, status: Status) -> Status:
        """Say of the first objective what is known of the sum."""
        if self.combined is None:
            return status
        incumbent = None if status.incumbent is None else self.combined.first(status.incumbent)
        return Status(incumbent, self.combined.first(status.bound), status.stage)

    def proven(self, found: Found, memory: int) -> list[Proven]:
        """Return what a search at a memory in bytes has proved of each objective.

        The bound of a second one holds where the first one is at most that of the plan found.
        """
        certificate = {key: part for key, part in found.certificate.items() if key != _SEARCHED}
        whole = whole_at(self.instance, memory)
        proofs = [
            Proven(verify_certificate(rates.on(whole), certificate), certificate)
            for rates in self.own_rates
        ]
        by_search = [found.lower_bound]
        if self.combined is not None:
            first = self.values(found.problem, found.plan)[0]
            least = verify_certificate(self.rates.on(whole), certificate)
            weighed = certificate | {"weight": exact_number(self.combined.weight)}
            of_sum = Proven(self.combined.second(least, first), weighed)
            proofs[1] = max(proofs[1], of_sum, key=lambda known: known.value)
            by_search = [
                self.combined.first(found.lower_bound),
                self.combined.second(found.lower_bound, first),
            ]
        if _SEARCHED not in found.certificate:
            return proofs
        searched = certificate | self.searched(found.certificate)
        return [
            Proven(more, searched) if more > proof.value else proof
            for proof, more in zip(proofs, by_search, strict=True)
        ]

    def searched(self, certificate: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a certificate says of the complete search; of a sum with its rates."""
        proof = dict(certificate[_SEARCHED])
        if self.combined is not None:
            proof["rates"] = [exact_number(rate) for rate in self.rates.all]
        return {_SEARCHED: proof}

    def exceeded(
        self, memory: int, certificate: Mapping[str, Any], most: Sequence[Fraction]
    ) -> bool:
        """Whether a certificate proves that some objective exceeds its value at a memory."""
        whole = whole_at(self.instance, memory)
        return any(
            verify_certificate(rates.on(whole), certificate) > value
            for rates, value in zip(self.own_rates, most, strict=True)
        )


def with_memory(instance: Instance, memory: int) -> Instance:
    """Return an instance with another memory in bytes."""
    accelerator = instance.accelerator.model_copy(update={"memory": memory})
    return instance.model_copy(update={"accelerator": accelerator})


def whole_at(instance: Instance, memory: int) -> Problem:
    """Return the problem to which bounds refer, at a memory in bytes."""
    problem = problem_of(instance, scope(instance)).with_memory(memory)
    # More than all blocks take changes no strategy; bounds are made for that much.
    return problem.with_memory(problem.memory)
