"""What a strategy file proves of its lower bounds, found anew without any solver."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from offloadasp.base.errors import InputError
from offloadasp.bounds import least_memory, verify_certificate
from offloadasp.model.instance import Resolved
from offloadasp.model.objectives import (
    DURATION,
    EDITED,
    OBJECTIVES,
    PEAK,
    is_linear,
    prices_of,
)
from offloadasp.model.problem import Problem, finest, granularity
from offloadasp.model.strategy import Ranked, Strategy

_PARTS = {
    "tile": "the tile",
    "kernel_groups": "the kernel groups",
    "channel_groups": "the channel groups",
}


@dataclass(frozen=True)
class Proof:
    """What is known of a lower bound that a strategy states.

    Attributes
    ----------
    name
        The objective.
    stated
        In the objective's unit.
    proved
        What the certificate proves when it is verified anew; None if it proves nothing.
    scope
        The decompositions for which it does.
    complete_search
        Whether the certificate names a complete search for what it does not prove. That is not
        repeated here.
    given
        The bound is of strategies in which these objectives are at most their values here.
    """

    name: str
    stated: Fraction
    proved: Fraction | None
    scope: str
    complete_search: bool
    given: tuple[Ranked, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the bound stands without any search. A bound of 0 needs no proof."""
        return not self.assumed and self.stated <= (self.proved or 0)

    @property
    def assumed(self) -> bool:
        """Whether it is what a user's rules pay at most, which their file says and no strategy's.

        A bound above 0 of what such rules define needs a complete search.
        """
        return self.name not in OBJECTIVES and self.stated <= 0

    @property
    def accepted(self) -> bool:
        """Whether the bound stands, possibly on a complete search, or on rules not at hand."""
        return self.verified or self.complete_search or self.assumed


def prove(strategy: Strategy) -> tuple[Proof, ...]:
    """Verify the bound on the duration, then that of each objective in order.

    A strategy file does not say what its instance left open. A bound for a decomposition holds
    for all coarser ones, so each is proved for as many decompositions as its certificate allows.
    """
    ranking, certificate = strategy.ranking, strategy.certificate
    further = certificate.get("then")
    entries = [certificate, *(further if isinstance(further, list) else [])]
    duration = Ranked(name=DURATION, value=strategy.duration, lower_bound=strategy.lower_bound)
    shortest = _prove(
        strategy,
        duration,
        lambda problem: _proved(problem, (duration,), 0, certificate),
        searched=ranking[0].name == DURATION and _searched(certificate),
    )
    proofs = [shortest]
    for k, part in enumerate(ranking):
        entry = entries[k] if k < len(entries) and isinstance(entries[k], Mapping) else {}

        def value(problem: Problem, k: int = k, entry: Mapping[str, Any] = entry) -> Fraction:
            return _proved(problem, ranking, k, entry)

        proofs.append(_prove(strategy, part, value, searched=_searched(entry), given=ranking[:k]))
    return tuple(proofs)


def _searched(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("complete_search"))


def _prove(
    strategy: Strategy,
    part: Ranked,
    value: Callable[[Problem], Fraction],
    *,
    searched: bool,
    given: tuple[Ranked, ...] = (),
) -> Proof:
    """Find the most decompositions for which the stated bound is proved.

    The finest decomposition is tried first, and the strategy's own last.
    """
    best = Proof(part.name, part.lower_bound, None, "", searched, given)
    for scope, problem in _levels(strategy.problem):
        try:
            proved = value(problem)
        except InputError:
            continue
        if best.proved is None or proved > best.proved:
            best = Proof(part.name, part.lower_bound, proved, scope, searched, given)
        if best.verified:
            break
    return best


def _proved(
    problem: Problem, ranking: tuple[Ranked, ...], k: int, entry: Mapping[str, Any]
) -> Fraction:
    """Compute the bound that an entry of a certificate proves of the k-th objective.

    Raises
    ------
    InputError
        It proves nothing of it.
    """
    part, given = ranking[k], ranking[:k]
    if part.name == PEAK:
        return Fraction(max(least_memory(problem).value, _excluded(problem, given, entry)))
    if part.name == EDITED:
        return _unchanged(problem, entry)
    if part.name not in OBJECTIVES:
        raise InputError(f"certificate: nothing is known of the objective {part.name!r}")
    # An earlier peak is a memory that the strategies in question do with.
    peaks = [int(other.value) for other in given if other.name == PEAK]
    at = problem.within(min(peaks)) if peaks else problem
    prices = prices_of(part.name, problem.instance)
    if "weight" not in entry:
        return verify_certificate(at.at(prices), entry)
    # What the weighted sum with the earlier objectives takes at least, less their share.
    share = Fraction(0)
    earlier = _linear(given)
    for weight, other in zip(_weights(entry["weight"], len(earlier)), earlier, strict=True):
        prices = prices.plus(weight, prices_of(other.name, problem.instance))
        share += weight * other.value
    return verify_certificate(at.at(prices), entry) - share


def _unchanged(problem: Problem, entry: Mapping[str, Any]) -> Fraction:
    """Compute what the terms cost at least that edited rules left as they were.

    That they did, and that no other term is negative, is for who reads the rules.
    """
    said = entry.get("unchanged")
    name = said.get("objective") if isinstance(said, Mapping) else None
    kept = said.get("prices") if isinstance(said, Mapping) else None
    if not isinstance(name, str) or not is_linear(name) or not isinstance(kept, list):
        raise InputError("certificate.unchanged: must name an objective and its prices")
    if not OBJECTIVES[name].defined(problem.instance):
        raise InputError(f"certificate.unchanged: {name} is not defined for the instance")
    prices = prices_of(name, problem.instance)
    return verify_certificate(problem.at(prices.only(frozenset(map(str, kept)))), entry)


def _weights(given: object, count: int) -> list[Fraction]:
    """Read the weights of earlier objectives: a number for one, a list for several."""
    several = given if isinstance(given, list) and count > 1 else [given]
    if len(several) != count:
        raise InputError("certificate.weight: must be one for each earlier linear objective")
    return [_weight(one) for one in several]


def _weight(given: object) -> Fraction:
    if isinstance(given, bool) or not re.fullmatch(r"[0-9]{1,30}(/[1-9][0-9]{0,29})?", str(given)):
        raise InputError("certificate.weight: must be a number of at least 0, such as 16 or '1/2'")
    return Fraction(str(given))


def _linear(parts: Sequence[Ranked]) -> list[Ranked]:
    return [part for part in parts if is_linear(part.name)]


def _excluded(problem: Problem, given: tuple[Ranked, ...], entry: Mapping[str, Any]) -> int:
    """Return the least peak above a capacity at which an earlier objective exceeds its value.

    Returns 0 if the entry excludes no capacity.
    """
    capacity = entry.get("memory")
    linear = _linear(given)
    if not isinstance(capacity, int) or isinstance(capacity, bool) or not linear:
        return 0
    if not least_memory(problem).value <= capacity < problem.memory:
        return 0
    at = problem.within(capacity)
    for part in linear:
        prices = prices_of(part.name, problem.instance)
        try:
            if verify_certificate(at.at(prices), entry) > part.value:
                grain = granularity(problem)
                return (capacity // grain + 1) * grain
        except InputError:
            return 0
    return 0


def _levels(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield the decompositions between the finest and the problem's own, with words for each."""
    # More memory than all blocks take changes no strategy; certificates are made for that much.
    problem = problem.within(problem.memory)
    fine, own = finest(problem.layer), problem.decomposition
    differ = [part for part in _PARTS if getattr(fine, part) != getattr(own, part)]
    for count in range(len(differ) + 1):
        for kept in itertools.combinations(differ, count):
            values = {part: getattr(own if part in kept else fine, part) for part in _PARTS}
            yield _words(kept), problem.with_decomposition(Resolved(**values))


def _words(kept: tuple[str, ...]) -> str:
    if not kept:
        return "every decomposition"
    if len(kept) == len(_PARTS):
        return "this decomposition"
    return f"every decomposition with {' and '.join(_PARTS[part] for part in kept)} of this one"
