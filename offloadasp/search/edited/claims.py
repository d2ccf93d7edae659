"""What is claimed of a plan under a user's rules: values by their names, and bounds that hold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from offloadasp.asp.edit_kinds import Edit
from offloadasp.asp.levels import name_at, unit_at, value_at
from offloadasp.asp.priced import priced
from offloadasp.asp.rules import Rules
from offloadasp.bounds import lower_bound, verify_certificate
from offloadasp.bounds.argument import Quantity
from offloadasp.bounds.edited import blocks_paid, edited_prices, verify_edited
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Instance, exact_number
from offloadasp.model.objectives import (
    DURATION,
    EDITED,
    FREE,
    PEAK,
    Prices,
    is_linear,
    prices_of,
)
from offloadasp.model.plan import Plan
from offloadasp.model.problem import CLINGO_LIMIT, Problem, problem_of
from offloadasp.search.construct.decompose import coarsest_in_scope
from offloadasp.search.lexicographic.linear import Proven
from offloadasp.search.question import whole_of
from offloadasp.search.size_limits import operations


@dataclass(frozen=True)
class Levels:
    """The levels of what is minimised, and what the shipped proofs say of each.

    Attributes
    ----------
    names
        The objectives asked for: the k-th has priority −k.
    proofs
        Of the shipped rules, in the order of the objectives.
    """

    instance: Instance
    rules: Rules
    names: tuple[str, ...]
    proofs: Sequence[Proven]
    # By priority: a bound takes up to seconds, and each plan asks for it.
    _unchanged: dict[int, tuple[Fraction, dict[str, Any]]] = field(default_factory=dict, init=False)

    @property
    def _edit(self) -> Edit:
        return self.rules.edit

    @property
    def priorities(self) -> dict[str, int]:
        """The priority of each objective."""
        return {name: -k for k, name in enumerate(self.names)}

    def name_at(self, priority: int) -> str | None:
        """Return the objective at a priority; None if the rules' own is there alone."""
        return name_at(self.names, priority)

    def fixed(self, priority: int) -> Fraction:
        """Return what every plan pays beside the rules' cost at a priority."""
        name = self.name_at(priority)
        linear = name is not None and is_linear(name)
        return prices_of(name, self.instance).fixed if name and linear else Fraction(0)

    def value(self, problem: Problem, priority: int, cost: int) -> Fraction:
        """Return a cost of the rules in the unit of the objective at its priority."""
        return value_at(problem, self.names, priority, cost)

    def untouched(self, name: str) -> bool:
        """Whether an objective counts what the shipped rules count."""
        priority = self.priorities[name]
        changed = self._edit.prices_at(name, priority, self.priorities)
        whole = self._edit.kept(name) == frozenset(("load", "write", "compute"))
        return whole and not changed and not (name == PEAK and self._edit.more_room)

    def horizon(self, problem: Problem, costs: Mapping[int, int]) -> int | None:
        """Return the most steps of strategies that cost no more; None where nothing limits them.

        A step computes, loads, writes or frees something. Operations are computed once. Beside
        what every strategy loads and writes, a cost pays for so many loads and writes; no more is
        freed than was loaded.
        """
        levels = {*self.priorities.values(), *costs}
        name = self.name_at(max(levels))
        whole = frozenset(("load", "write", "compute"))
        if name is None or not is_linear(name) or self._edit.kept(name) != whole:
            return None
        if self._edit.pays(name, max(levels), self.priorities):
            return None
        prices = prices_of(name, self.instance)
        sizes = [*problem.pixel_bytes.tolist(), *problem.partial_bytes.tolist()]
        least = min(*sizes, problem.kernel_bytes.min()) * min(prices.load, prices.write)
        if least <= 0 or problem.semantics.overlaps:
            return None
        value = self.value(problem, max(levels), costs.get(max(levels), 0)) - prices.fixed
        once = problem.input_total + problem.kernel_total
        spare = value - prices.load * once - prices.write * problem.output_total
        extra = max(0, math.floor(spare / least))
        blocks = int(problem.used.sum()) * len(problem.channel_sizes) + problem.exists.count
        outputs = problem.positions * len(problem.kernel_sizes)
        return int(operations(problem) + 2 * (blocks + extra) + outputs + extra)

    def proved(self, claims: Sequence[Claim], steps: int) -> tuple[Claim, ...]:
        """Return claims as a complete search up to so many steps proves them."""
        searched = {"complete_search": "exhausted", "steps_at_most": steps}
        return tuple(
            claim
            if claim.proved
            else replace(
                claim, lower_bound=claim.value, certificate={**claim.certificate, **searched}
            )
            for claim in claims
        )

    def paid(self, costs: Mapping[int, int]) -> bool:
        """Whether some level may count less than nothing."""
        levels = {*self.priorities.values(), *costs}
        return any(self._edit.pays(self.name_at(p), p, self.priorities) for p in levels)

    def claims(
        self, problem: Problem, costs: Mapping[int, int], least: Mapping[int, int] | None = None
    ) -> tuple[Claim, ...]:
        """Return a claim for each level, the highest priority first.

        Parameters
        ----------
        problem
            Of the plan.
        costs
            What the rules say that it costs, by priority.
        least
            What levels that pay cost at least, up to some number of steps.
        """
        levels = dict.fromkeys(self.priorities.values(), 0) | dict(costs)
        values = {
            priority: self.value(problem, priority, levels[priority])
            for priority in sorted(levels, reverse=True)
        }
        return tuple(self._claim(problem, priority, values, least or {}) for priority in values)

    def _claim(
        self,
        problem: Problem,
        priority: int,
        values: Mapping[int, Fraction],
        least: Mapping[int, int],
    ) -> Claim:
        name, value = self.name_at(priority), values[priority]
        if name is not None and self.untouched(name):
            proof = self._proof(name, values)
            return Claim(name, value, min(value, proof.value), proof.certificate)
        bound, certificate = self._bound(problem, name, priority, least)
        return Claim(EDITED, value, min(value, bound), certificate)

    def shortest(self, plan: Plan, first: Claim) -> Fraction:
        """Return what is proved of every strategy's duration by the first claim's certificate."""
        if first.objective == DURATION:
            return first.lower_bound
        prices = prices_of(DURATION, self.instance)
        whole = whole_of(self.instance, prices, plan.problem.accelerator.memory)
        return min(plan.duration, verify_certificate(whole.within(whole.memory), first.certificate))

    @cached_property
    def shipped_certificate(self) -> dict[str, Any]:
        """What proves the shipped bounds without any search."""
        return self._certificate(DURATION, prices_of(DURATION, self.instance))

    def _certificate(self, name: str | None, prices: Prices) -> dict[str, Any]:
        """Return what proves a bound of an objective at its prices, or at others.

        The shipped search's own certificate is taken where there is one: another takes time.
        """
        if not any((*prices.each, prices.wait)):
            return self.shipped_certificate
        proof = self._searched(name)
        if proof and name and prices == prices_of(name, self.instance):
            return {str(q): proof.certificate[q] for q in Quantity if q in proof.certificate}
        whole = whole_of(self.instance, prices, self.instance.accelerator.memory)
        return lower_bound(whole.within(whole.memory)).certificate

    @staticmethod
    def _unconditional(proof: Proven) -> Proven:
        """Return what is proved whatever the earlier objectives are."""
        while proof.otherwise is not None and proof.given:
            proof = proof.otherwise
        return proof

    def _proof(self, name: str, values: Mapping[int, Fraction]) -> Proven:
        """Return the shipped proof of an objective, for the values of those before it."""
        place = self.names.index(name)
        proof = self.proofs[place]
        before = self.names[:place]
        if all(map(self.untouched, before)):
            return proof.where({other: values[self.priorities[other]] for other in before})
        return self._unconditional(proof)

    def _bound(
        self, problem: Problem, name: str | None, priority: int, least: Mapping[int, int]
    ) -> tuple[Fraction, dict[str, Any]]:
        """Bound a level that the user's rules changed, by the terms that they left as they were."""
        if self._edit.pays(name, priority, self.priorities):
            # Costs are 32-bit integers: no program in which they could be less is accepted.
            least_cost = least.get(priority, -CLINGO_LIMIT)
            return self.value(problem, priority, least_cost), self.shipped_certificate
        if priority not in self._unchanged:
            self._unchanged[priority] = self._bound_of(name, priority)
        return self._unchanged[priority]

    def _bound_of(self, name: str | None, priority: int) -> tuple[Fraction, dict[str, Any]]:
        """Bound a level by its terms that are left, and by prices that every strategy pays."""
        whole = whole_of(self.instance, FREE, self.instance.accelerator.memory)
        whole = whole.within(whole.memory)
        least = problem_of(self.instance, coarsest_in_scope(self.instance))
        said = self._said(whole, name, priority)
        if not said:
            return Fraction(0), self.shipped_certificate
        prices = edited_prices(whole, said)
        entry = {**self._certificate(name, prices), **said}
        value = verify_edited(whole, least, entry)
        searched = self._searched(name)
        if searched is not None and name is not None and prices == prices_of(name, self.instance):
            more = searched.value + blocks_paid(least, said)
            if more > value:
                return more, {**searched.certificate, **said}
        return value, entry

    def _said(self, whole: Problem, name: str | None, priority: int) -> dict[str, Any]:
        """Say which terms are left, and what every strategy pays beside them."""
        said: dict[str, Any] = {}
        if name is not None and is_linear(name):
            kept = self._edit.kept(name) or frozenset()
            said["unchanged"] = {"objective": name, "prices": sorted(kept)}
        added = priced(self._edit, name, priority, self.priorities)
        unit = unit_at(whole, self.names, priority)
        if added:
            said["priced"] = {kind: exact_number(unit * price) for kind, price in added.items()}
        return said

    def _searched(self, name: str | None) -> Proven | None:
        """Return what the shipped search proved of an objective, whatever the earlier ones are."""
        if name is None or name not in self.names:
            return None
        proof = self._unconditional(self.proofs[self.names.index(name)])
        return None if proof.given else proof
