"""Plans under rules that redefine a step: whether a plan is a stable model, and what it costs.

The whole program would be too large to ground. So each choice of ``compute/2`` and ``on_chip/2``
gets one more condition in the syntax tree: it may choose an atom only if the plan has it. Where
choices alone derive these two predicates, every stable model of the program with this condition is
also one of the program without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import clingo
import clingo.ast
from clingo.ast import AST, ASTType

from offloadasp.asp.atoms import Atoms
from offloadasp.asp.edit_kinds import DEFINITION
from offloadasp.asp.facts import facts
from offloadasp.asp.levels import priority_options
from offloadasp.asp.overlay import late
from offloadasp.asp.rules import Rules
from offloadasp.asp.solving import Solving, minimise
from offloadasp.asp.statements import heads, is_choice, signature
from offloadasp.asp.vetting.sources import unfold
from offloadasp.asp.vetting.watched import RESERVED
from offloadasp.limits.abandonable import LeftAloneError, aside
from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan

OPEN = f"_open{RESERVED}"
"""``OPEN(A)``: the atom A may be chosen."""

_CHOSEN = (("compute", 2), ("on_chip", 2))
# The rules may choose more than a plan says; so many conflicts are enough to find the best of it.
_CONFLICTS = 20_000


@dataclass(frozen=True)
class StableModels:
    """The program in force, prepared to read plans.

    Attributes
    ----------
    names
        The objectives, the one that matters most first.
    """

    rules: Rules
    names: Sequence[str]

    @cached_property
    def _statements(self) -> list[AST]:
        entry = [self.rules.path(name) for name in (DEFINITION, *map(_objective, self.names))]
        found: list[AST] = []
        for source in unfold([*entry, *self.rules.added], self.rules.read):
            source.parse(found.append)
        return found

    @cached_property
    def readable(self) -> bool:
        """Whether plans can be read: the rules do not derive what a plan chooses."""
        return not any(map(_derived, self._statements))

    def cost(self, plan: Plan, clock: Clock) -> dict[int, int] | None:
        """Return what a plan costs, by priority; None if it is no stable model.

        None as well where that cannot be told, or not within the limit.
        """
        control = self._grounded(plan, clock) if self.readable else None
        if control is None:
            return None
        found = minimise(control, clock, Solving(conflicts=_CONFLICTS))
        if found.symbols is None:
            return None
        return dict(zip(found.priorities, found.costs or (), strict=False))

    def permits(self, plan: Plan) -> bool | None:
        """Whether a plan is a stable model, however long that takes; None if it cannot be told."""
        control = self._grounded(plan, Clock()) if self.readable else None
        return None if control is None else bool(control.solve().satisfiable)

    def _grounded(self, plan: Plan, clock: Clock) -> clingo.Control | None:
        """Return the program in force, limited to a plan; None if it does not ground in time."""
        control = clingo.Control(priority_options(self.names), _quiet)
        given = Atoms(plan).text(("compute", "on_chip"))
        opened = [f"{OPEN}({line[:-1]})." for line in given.split("\n")]
        # The plan's own atoms are wanted all: without one of them it would be another plan.
        texts = [facts(plan.problem, plan.steps, exact=True), *opened]
        texts += [f":- {OPEN}(compute(O, T)), not compute(O, T)."]
        texts += [f":- {OPEN}(on_chip(B, T)), not on_chip(B, T)."]
        control.add("base", [], "\n".join(texts))
        with clingo.ast.ProgramBuilder(control) as builder:
            for node in self._statements:
                builder.add(_limited(node))
        try:
            aside(lambda: control.ground([("base", [])]), lambda: late(clock))
        except LeftAloneError:
            return None
        return control


def permitted(rules: Rules, names: Sequence[str], plan: Plan) -> bool | None:
    """Whether the rules in force have a plan as a stable model; None where that cannot be told.

    Parameters
    ----------
    names
        The objectives that are loaded.
    """
    return StableModels(rules, names).permits(plan)


def _objective(name: str) -> str:
    return f"model/objective/{name}.lp"


def _quiet(*_: object) -> None:
    """Say nothing: what clingo notes of the rules was said when they were vetted."""


def _derived(node: AST) -> bool:
    return not is_choice(node) and any(one in _CHOSEN for one in heads(node))


def _limited(node: AST) -> AST:
    """Return a statement whose choices of `_CHOSEN` are limited to `OPEN` atoms."""
    if not is_choice(node) or node.head.ast_type != ASTType.Aggregate:
        return node
    elements = []
    for element in node.head.elements:
        atom = element.literal.atom
        if atom.ast_type == ASTType.SymbolicAtom and signature(atom) in _CHOSEN:
            opened = clingo.ast.Function(element.location, OPEN, [atom.symbol], 0)
            condition = clingo.ast.Literal(element.location, 0, clingo.ast.SymbolicAtom(opened))
            element = element.update(condition=[*element.condition, condition])
        elements.append(element)
    return node.update(head=node.head.update(elements=elements))
