"""What a strategy file proves of its lower bounds, found anew without any solver."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from offloadasp.base.errors import InputError
from offloadasp.bounds import least_memory, verify_certificate
from offloadasp.bounds.edited import read_price, verify_edited
from offloadasp.model.objectives import (
    DURATION,
    EDITED,
    OBJECTIVES,
    PEAK,
    is_linear,
    prices_of,
)
from offloadasp.model.problem import Problem, coarsest, finest, granularity
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


@dataclass(frozen=True)
class Scope:
    """Decompositions for which something may be proved, with words for them.

    Attributes
    ----------
    finest, coarsest
        The problem in the one that divides most, and in the one that divides least.
    """

    words: str
    finest: Problem
    coarsest: Problem


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
        lambda scope: _proved(scope.finest, (duration,), 0, certificate),
        searched=ranking[0].name == DURATION and _searched(certificate),
    )
    proofs = [shortest]
    for k, part in enumerate(ranking):
        entry = entries[k] if k < len(entries) and isinstance(entries[k], Mapping) else {}

        def value(scope: Scope, k: int = k, entry: Mapping[str, Any] = entry) -> Fraction:
            if ranking[k].name == EDITED:
                return verify_edited(scope.finest, scope.coarsest, entry)
            return _proved(scope.finest, ranking, k, entry)

        proofs.append(_prove(strategy, part, value, searched=_searched(entry), given=ranking[:k]))
    return tuple(proofs)


def _searched(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("complete_search"))


def _prove(
    strategy: Strategy,
    part: Ranked,
    value: Callable[[Scope], Fraction],
    *,
    searched: bool,
    given: tuple[Ranked, ...] = (),
) -> Proof:
    """Find the most decompositions for which the stated bound is proved.

    The finest decomposition is tried first, and the strategy's own last.
    """
    best = Proof(part.name, part.lower_bound, None, "", searched, given)
    for scope in _scopes(strategy.problem, counted=part.name == EDITED):
        try:
            proved = value(scope)
        except InputError:
            continue
        if best.proved is None or proved > best.proved:
            best = Proof(part.name, part.lower_bound, proved, scope.words, searched, given)
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


def _weights(given: object, count: int) -> list[Fraction]:
    """Read the weights of earlier objectives: a number for one, a list for several."""
    several = given if isinstance(given, list) and count > 1 else [given]
    if len(several) != count:
        raise InputError("certificate.weight: must be one for each earlier linear objective")
    return [read_price("weight", one) for one in several]


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


def _scopes(problem: Problem, *, counted: bool) -> Iterator[Scope]:
    """Yield the decompositions that share ever more with the problem's own.

    The coarsest one matters where blocks and operations are counted.
    """
    # More memory than all blocks take changes no strategy; certificates are made for that much.
    problem = problem.within(problem.memory)
    fine, own, coarse = finest(problem.layer), problem.decomposition, coarsest(problem.layer)
    ends = (fine, coarse) if counted else (fine,)
    differ = [p for p in _PARTS if any(getattr(own, p) != getattr(end, p) for end in ends)]
    for count in range(len(differ) + 1):
        for kept in itertools.combinations(differ, count):
            as_own = {part: getattr(own, part) for part in kept}
            yield Scope(
                _words(kept),
                problem.with_decomposition(fine.model_copy(update=as_own)),
                problem.with_decomposition(coarse.model_copy(update=as_own)),
            )


def _words(kept: tuple[str, ...]) -> str:
    if not kept:
        return "every decomposition"
    if len(kept) == len(_PARTS):
        return "this decomposition"
    return f"every decomposition with {' and '.join(_PARTS[part] for part in kept)} of this one"
