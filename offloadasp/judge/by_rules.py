"""A strategy read by the rules: ``encodings/check`` derives what it breaks, and its cost."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import clingo

from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import ground
from offloadasp.asp.rules import Rules
from offloadasp.model.instance import ResolvedInstance
from offloadasp.model.objectives import DURATION, Counts, measured
from offloadasp.model.problem import Problem
from offloadasp.model.semantics import semantics_of
from offloadasp.model.strategy import Step, Strategy

_GROUPS = ("model/layer.lp", "model/groups.lp")
_BY_LINES = (*_GROUPS, "check/boxes.lp", "check/lines.lp", "check/replay.lp")
_BY_POSITIONS = (
    *_GROUPS,
    "model/decomposition.lp",
    "check/boxes.lp",
    "check/unpack.lp",
    "check/replay.lp",
)


@dataclass(frozen=True, order=True)
class Violation:
    """A rule that a strategy breaks, the step in which it does, and the block, if there is one."""

    step: int
    rule: str
    block: str


@dataclass(frozen=True)
class RuleReading:
    """What the rules say of a strategy.

    Attributes
    ----------
    violations
        In the order of steps; empty if the strategy is valid.
    instance
        Of the strategy.
    counts
        What the strategy uses, by the rules.
    """

    violations: tuple[Violation, ...]
    instance: ResolvedInstance
    counts: Counts

    @property
    def accepted(self) -> bool:
        """Whether no rule is broken."""
        return not self.violations

    @property
    def measured(self) -> dict[str, Fraction]:
        """The value of every objective, by the rules."""
        return measured(self.instance, self.counts)

    @property
    def duration(self) -> Fraction:
        """Cycles, by the rules."""
        return self.measured[DURATION]

    def contradicted(self, strategy: Strategy) -> Iterator[tuple[str, Fraction, Fraction]]:
        """Yield what a strategy states of itself and the rules do not: name, theirs, stated."""
        measured = self.measured
        stated = [(DURATION, strategy.duration)]
        stated += [(part.name, part.value) for part in strategy.ranking]
        for name, value in dict.fromkeys(stated):
            if name in measured and measured[name] != value:
                yield name, measured[name], value


def read_by_rules(strategy: Strategy, rules: Rules) -> RuleReading:
    """Replay a strategy by the rules: by lines, and by positions where that leaves doubts.

    Edited rules may say anything of a position: then all is by positions.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    reading = None if rules.edited else read_by_lines(strategy, rules)
    return read_by_positions(strategy, rules) if reading is None else reading


def read_by_lines(strategy: Strategy, rules: Rules) -> RuleReading | None:
    """Replay a strategy cell by cell, as ``check/lines.lp`` cuts its boxes.

    Returns
    -------
    RuleReading or None
        The reading of `read_by_positions`, at a fraction of the effort, for strategies that break
        no rule. None: something may be wrong, and only `read_by_positions` says what.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    control = ground(rules, _BY_LINES, _given(strategy))
    atoms = control.symbolic_atoms
    doubts = itertools.chain(atoms.by_signature("doubt", 2), atoms.by_signature("violation", 3))
    return None if any(True for _ in doubts) else _verdict(control, strategy.instance)


def read_by_positions(strategy: Strategy, rules: Rules) -> RuleReading:
    """Replay a strategy position by position; this names everything that is wrong.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    return _verdict(ground(rules, _BY_POSITIONS, _given(strategy)), strategy.instance)


def _given(strategy: Strategy) -> str:
    problem = _at_positions(strategy.problem)
    return facts(problem, len(strategy.steps)) + "\n".join(box_facts(strategy.steps))


def _at_positions(problem: Problem) -> Problem:
    """Return the problem without tiles: they are a matter of the search, not of strategies."""
    return problem.with_decomposition(problem.decomposition.model_copy(update={"tile": (1, 1)}))


def box_facts(steps: tuple[Step, ...]) -> Iterator[str]:
    """Yield a fact ``box/8`` for every box of a strategy, ``entry/4`` for every kernel moved."""
    for t, step in enumerate(steps, start=1):
        lists = (
            ("free,pixels", step.free.pixels, 1),
            ("write,outputs", step.write.outputs, 1),
            ("write,partial_sums", step.write.partial_sums, 1),
            ("load,pixels", step.load.pixels, 1),
            ("load,partial_sums", step.load.partial_sums, 1),
            ("compute,operations", step.compute, 2),
        )
        for kind, entries, keys in lists:
            for number, entry in enumerate(entries):
                key, place = ",".join(map(str, entry[:keys])), ",".join(map(str, entry[keys:]))
                yield f"box({t},{kind}({key}),{number},{place})."
        for action, pairs in (("free", step.free.kernels), ("load", step.load.kernels)):
            for number, (n, q) in enumerate(pairs):
                yield f"entry({t},{action},{number},kernel({n},{q}))."


def _verdict(control: clingo.Control, instance: ResolvedInstance) -> RuleReading:
    atoms = control.symbolic_atoms
    violations = sorted(
        Violation(step.number, rule.name, "" if str(block) == "none" else str(block))
        for rule, step, block in (
            atom.symbol.arguments for atom in atoms.by_signature("violation", 3)
        )
    )
    loaded = written = peak = 0
    waiting = Fraction(0)
    worked = {row[0]: row[1] for row in _numbers(atoms, "worked", 2)}
    for step, read, wrote, held in _numbers(atoms, "account", 4):
        loaded, written, peak = loaded + read, written + wrote, max(peak, held)
        waiting += _wait(instance, read, wrote, worked.get(step, 0))
    computing = sum(1 for _ in atoms.by_signature("computing", 1))
    counts = Counts(loaded, written, computing, peak, waiting)
    return RuleReading(tuple(violations), instance, counts)


def _numbers(atoms: clingo.SymbolicAtoms, name: str, arity: int) -> Iterator[tuple[int, ...]]:
    """Yield the arguments of all atoms of a predicate over integers."""
    for atom in atoms.by_signature(name, arity):
        yield tuple(argument.number for argument in atom.symbol.arguments)


def _wait(instance: ResolvedInstance, loaded: int, written: int, windows: int) -> Fraction:
    """Return how long a step goes on after its compute action, if transfers go on beside it."""
    rates, semantics = instance.accelerator, semantics_of(instance.accelerator.overlap)
    if not semantics.overlaps:
        return Fraction(0)
    height, width = instance.layer.kernel_shape
    compute = rates.compute_time(windows * height * width)
    transfer = semantics.longest_transfer(rates.load_cycles * loaded, rates.write_cycles * written)
    return max(transfer - compute, Fraction(0))
