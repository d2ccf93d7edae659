"""Rules that forbid what every strategy does, whatever its number of steps.

Every strategy computes each operation, loads each block that it needs and writes each output, in
some step that nobody knows. So a constraint forbids all strategies if its body asks for such
actions alone, and for nothing of their steps: each step variable occurs once. Each unknown step is
a constant of its own here, which nothing can compare with another one.
"""

from collections.abc import Iterable, Iterator

import clingo
import clingo.ast
from clingo.ast import AST, ASTType, Sign

from offloadasp.asp.edit_kinds import Edit, Statement
from offloadasp.asp.facts import facts
from offloadasp.asp.overlay import BROKEN, STATIC, soften
from offloadasp.asp.shipped import shipped_source
from offloadasp.asp.statements import is_constraint, nodes, signature
from offloadasp.model.instance import Instance
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import coarsest_in_scope

# What is done to every block or operation, with the place of the step among its arguments.
_CERTAIN = {
    ("compute", 2): 1,
    ("load", 2): 1,
    ("on_chip", 2): 1,
    ("free", 2): 1,
    ("write", 2): 1,
    ("done", 2): 1,
    ("started", 2): 1,
    ("complete", 2): 1,
    ("computing", 1): 0,
    ("step", 1): 0,
    ("active", 1): 0,
}
_ACTIONS = """
compute(O, s(O)) :- operation(O).
done(O, s(done, O)) :- operation(O).
computing(s).
step(s(step)).
active(s(active)).
load(B, s(load, B)) :- block(B, _).
free(B, s(free, B)) :- block(B, _).
on_chip(B, s(on, B)) :- block(B, _).
on_chip(B, s(on, B)) :- result(B, _, _).
started(B, s(started, B)) :- result(B, _, _).
complete(B, s(complete, B)) :- result(B, _, _).
write(B, s(write, B)) :- result(B, _, _).
"""


def impossible(instance: Instance, edit: Edit) -> Statement | None:
    """Return a constraint that no strategy obeys, whatever its steps and groups; None if none."""
    wanted = [one for one in edit.added if is_constraint(one.node) and _steps_apart(one.node)]
    if not wanted:
        return None
    control = clingo.Control(logger=lambda *_: None)
    problem = problem_of(instance, coarsest_in_scope(instance))
    texts = [shipped_source(name).text for name in STATIC]
    control.add("base", [], "\n".join([facts(problem, 1, exact=True), *texts, _ACTIONS]))
    with clingo.ast.ProgramBuilder(control) as builder:
        for number, one in enumerate(wanted):
            builder.add(soften(one.node, number))
    try:
        control.ground([("base", [])])
    except RuntimeError:
        return None
    broken = [atom.symbol for atom in control.symbolic_atoms.by_signature(BROKEN, 2)]
    return wanted[broken[0].arguments[0].number] if broken else None


def _steps_apart(constraint: AST) -> bool:
    """Whether a body asks for certain actions alone, each in a step of which it says no more."""
    if constraint.head.atom.ast_type != ASTType.BooleanConstant:
        return False
    steps = []
    for literal in constraint.body:
        if literal.ast_type != ASTType.Literal or literal.sign != Sign.NoSign:
            return False
        if literal.atom.ast_type == ASTType.Comparison:
            continue
        if literal.atom.ast_type != ASTType.SymbolicAtom:
            return False
        known = signature(literal.atom)
        place = _CERTAIN.get(known) if known is not None else None
        if place is None:
            return False
        step = literal.atom.symbol.arguments[place]
        if step.ast_type != ASTType.Variable:
            return False
        steps.append(step.name)
    every = list(_variables(constraint.body))
    return all(name == "_" or every.count(name) == 1 for name in steps) and bool(steps)


def _variables(body: Iterable[AST]) -> Iterator[str]:
    for literal in body:
        yield from (node.name for node in nodes(literal, ASTType.Variable))
