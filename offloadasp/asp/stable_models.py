"""Plans under rules that redefine a step: whether one is a stable model of the program in force.

Every choice of ``compute/2`` and ``on_chip/2`` is limited to the atoms of the plan, by one more
condition in the syntax tree. If these predicates occur in heads of choices only, every stable model
of the limited program is one of the whole program.
"""

from collections.abc import Sequence

import clingo
import clingo.ast
from clingo.ast import AST, ASTType

from offloadasp.asp.atoms import Atoms
from offloadasp.asp.edit_kinds import DEFINITION
from offloadasp.asp.facts import facts
from offloadasp.asp.rules import Rules
from offloadasp.asp.statements import heads, is_choice, signature
from offloadasp.asp.vetting.sources import unfold
from offloadasp.asp.vetting.watched import RESERVED
from offloadasp.model.plan import Plan

OPEN = f"_open{RESERVED}"
"""``OPEN(A)``: the atom A may be chosen."""

_CHOSEN = (("compute", 2), ("on_chip", 2))


def permitted(rules: Rules, names: Sequence[str], plan: Plan) -> bool | None:
    """Whether the rules in force have a plan as a stable model; None where that cannot be told.

    Parameters
    ----------
    names
        The objectives that are loaded.
    """
    entry = [rules.path(name) for name in (DEFINITION, *(_objective(name) for name in names))]
    statements: list[AST] = []
    for source in unfold([*entry, *rules.added], rules.read):
        source.parse(statements.append)
    if any(_derived(node) for node in statements):
        return None
    control = clingo.Control([f"-c {n}_priority={-k}" for k, n in enumerate(names)], _quiet)
    given = Atoms(plan).text(("compute", "on_chip"))
    opened = [f"{OPEN}({line[:-1]})." for line in given.split("\n")]
    # The plan's own atoms are wanted all: without one of them it would be another plan.
    texts = [facts(plan.problem, plan.steps, exact=True), *opened]
    texts += [f":- {OPEN}(compute(O, T)), not compute(O, T)."]
    texts += [f":- {OPEN}(on_chip(B, T)), not on_chip(B, T)."]
    control.add("base", [], "\n".join(texts))
    with clingo.ast.ProgramBuilder(control) as builder:
        for node in statements:
            builder.add(_limited(node))
    control.ground([("base", [])])
    return bool(control.solve().satisfiable)


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
