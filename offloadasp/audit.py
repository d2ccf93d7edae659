"""A strategy file on trial: both readings of its steps, and what its certificate proves."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.bounds import verify_certificate
from offloadasp.check import Verdict, check
from offloadasp.errors import InputError
from offloadasp.instance import Resolved
from offloadasp.problem import Problem, finest
from offloadasp.rules import Rules
from offloadasp.simulate import Replay, simulate
from offloadasp.strategy import Strategy

_PARTS = {
    "tile": "the tile",
    "kernel_groups": "the kernel groups",
    "channel_groups": "the channel groups",
}


@dataclass(frozen=True, order=True)
class Finding:
    """A broken rule, and the readings that named it.

    Attributes
    ----------
    step
        Counted from 1; 0 for what the file states of the whole strategy.
    rule
        As in `offloadasp.simulate.RULES`.
    block
        The block or operation, or empty.
    readings
        ``check.lp``, ``simulator`` or ``certificate``.
    """

    step: int
    rule: str
    block: str
    readings: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """What is known of the lower bound that a strategy states.

    Attributes
    ----------
    stated
        In cycles.
    proved
        What the certificate proves when it is verified anew, in cycles; None if it proves nothing.
    scope
        The decompositions for which it does.
    complete_search
        Whether the certificate names a complete search for what it does not prove. That is not
        repeated here.
    """

    stated: Fraction
    proved: Fraction | None
    scope: str
    complete_search: bool

    @property
    def verified(self) -> bool:
        """Whether the bound stands without any search. A bound of 0 needs no proof."""
        return self.stated <= (self.proved or 0)

    @property
    def accepted(self) -> bool:
        """Whether the bound stands, possibly on a complete search."""
        return self.verified or self.complete_search


@dataclass(frozen=True)
class Audit:
    """The verdict of both readings, and the bound's."""

    verdict: Verdict
    replay: Replay
    proof: Proof
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Whether nothing was found, and the output is the convolution's."""
        return not self.findings and self.replay.verified and self.verdict.accepted


def audit(strategy: Strategy, rules: Rules) -> Audit:
    """Read a strategy by the rules and by the simulator, and verify its bound.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    verdict = check(strategy, rules)
    replay = simulate(strategy, seed=strategy.instance.search.seed)
    proof = prove(strategy)
    named: dict[tuple[int, str, str], list[str]] = {}
    for entry in verdict.violations:
        named.setdefault((entry.step, entry.rule, entry.block), []).append("check.lp")
    if verdict.duration != strategy.duration:
        named.setdefault((0, "duration", ""), []).append("check.lp")
    for violation in replay.violations:
        place = (violation.step, violation.rule, violation.block)
        named.setdefault(place, []).append("simulator")
    if not proof.accepted:
        named.setdefault((0, "bound", ""), []).append("certificate")
    findings = sorted(Finding(*place, tuple(readings)) for place, readings in named.items())
    return Audit(verdict, replay, proof, tuple(findings))


def prove(strategy: Strategy) -> Proof:
    """Find the most decompositions for which the certificate proves the stated bound.

    A strategy file does not say what its instance left open. A bound for a decomposition holds
    for all coarser ones, so the finest is tried first, and the strategy's own last.
    """
    best: Proof | None = None
    searched = bool(strategy.certificate.get("complete_search"))
    for scope, problem in _levels(strategy.problem):
        try:
            proved = verify_certificate(problem, strategy.certificate)
        except InputError:
            continue
        if best is None or best.proved is None or proved > best.proved:
            best = Proof(strategy.lower_bound, proved, scope, searched)
        if best.verified:
            break
    return best or Proof(strategy.lower_bound, None, "", searched)


def _levels(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield the decompositions between the finest and the problem's own, with words for each."""
    # More memory than all blocks take changes no strategy; certificates are made for that much.
    problem = problem.with_memory(problem.memory)
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
