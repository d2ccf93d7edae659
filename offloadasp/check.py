"""A strategy read by the rules: ``encodings/check.lp`` derives what it breaks, and its cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import clingo

from offloadasp.facts import facts, scale_of
from offloadasp.objective import DURATION, PEAK, TRAFFIC
from offloadasp.problem import Problem
from offloadasp.rules import Rules, ground
from offloadasp.strategy import Step, Strategy

# Everything that reads strategies checks them at positions: a tile is a matter of the search.
_POSITION = (1, 1)


@dataclass(frozen=True, order=True)
class Violation:
    """A rule that a strategy breaks, the step in which it does, and the block, if there is one."""

    step: int
    rule: str
    block: str


@dataclass(frozen=True)
class Verdict:
    """What the rules say of a strategy.

    Attributes
    ----------
    violations
        In the order of steps; empty if the strategy is valid.
    duration
        Cycles, by the rules' objective.
    loaded, written
        Bytes, by the rules.
    peak_memory
        Bytes on chip in the fullest step.
    """

    violations: tuple[Violation, ...]
    duration: Fraction
    loaded: int
    written: int
    peak_memory: int

    @property
    def accepted(self) -> bool:
        """Whether no rule is broken."""
        return not self.violations

    def contradicted(self, strategy: Strategy) -> Iterator[tuple[str, Fraction, Fraction]]:
        """Yield what a strategy states of itself and the rules do not: name, theirs, stated."""
        measured = {
            DURATION: self.duration,
            TRAFFIC: Fraction(self.loaded + self.written),
            PEAK: Fraction(self.peak_memory),
        }
        stated = [(DURATION, strategy.duration)]
        stated += [(part.name, part.value) for part in strategy.ranking]
        for name, value in dict.fromkeys(stated):
            if name in measured and measured[name] != value:
                yield name, measured[name], value


def check(strategy: Strategy, rules: Rules) -> Verdict:
    """Replay a strategy by the rules.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    problem = strategy.problem
    resolved = problem.decomposition.model_copy(update={"tile": _POSITION})
    problem = problem.with_decomposition(resolved)
    program = facts(problem, len(strategy.steps)) + "\n".join(box_facts(strategy.steps))
    entry = ["layer.lp", "decomposition.lp", "check.lp", "objective/duration.lp"]
    control = ground(rules, entry, program)
    return _verdict(control, problem)


def box_facts(steps: tuple[Step, ...]) -> Iterator[str]:
    """Yield one fact ``box(Step, Action, Number, Cells)`` for every box of a strategy."""
    for t, step in enumerate(steps, start=1):
        lists = (
            ("free", "pixels", step.free.pixels),
            ("free", "kernel", step.free.kernels),
            ("write", "outputs", step.write.outputs),
            ("write", "partial_sums", step.write.partial_sums),
            ("load", "pixels", step.load.pixels),
            ("load", "kernel", step.load.kernels),
            ("load", "partial_sums", step.load.partial_sums),
            ("compute", "operations", step.compute),
        )
        for action, kind, entries in lists:
            for number, entry in enumerate(entries):
                yield f"box({t},{action},{number},{kind}({','.join(map(str, entry))}))."


def _verdict(control: clingo.Control, problem: Problem) -> Verdict:
    atoms = control.symbolic_atoms
    violations = sorted(
        Violation(step.number, rule.name, "" if str(block) == "none" else str(block))
        for rule, step, block in (
            atom.symbol.arguments for atom in atoms.by_signature("violation", 3)
        )
    )
    moved = {"load": 0, "write": 0}
    for atom in atoms.by_signature("moved", 4):
        action, _, _, size = atom.symbol.arguments
        moved[action.name] += size.number
    scale = scale_of(problem)
    computing = sum(1 for _ in atoms.by_signature("computing", 1))
    cost = moved["load"] * scale.load + moved["write"] * scale.write + computing * scale.compute
    peaks = (atom.symbol.arguments[1].number for atom in atoms.by_signature("peak", 2))
    return Verdict(
        tuple(violations),
        cost * scale.unit,
        moved["load"],
        moved["write"],
        max(peaks, default=0),
    )
