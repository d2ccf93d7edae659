"""Rules that no strategy obeys, whatever its number of steps and its groups.

Every strategy computes each operation, loads and frees each block that it needs and writes each
output, in steps that nobody knows. Each unknown step is a constant of its own here. From such
actions, rules without ``not`` derive what holds in every strategy; so does a constraint with one
``not``, which asks for something where its other atoms hold. If a constraint is broken by what
holds, no strategy obeys all of these rules.

The argument holds as long as nothing is read off an unknown step: arithmetic of it has no value, so
that clingo leaves the instance out, and what is compared must be a number or a block. It speaks of
blocks and operations that every decomposition has.
"""

from collections.abc import Sequence

import clingo
import clingo.ast
import numpy as np
from clingo.ast import AST, ASTType, Sign

from offloadasp.asp.edit_kinds import Edit, Statement, vocabulary
from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import Meter
from offloadasp.asp.overlay import STATIC
from offloadasp.asp.shipped import shipped_source
from offloadasp.asp.statements import Signature, nodes, signature
from offloadasp.asp.vetting.watched import RESERVED
from offloadasp.base.errors import NoStrategyError
from offloadasp.model.instance import Instance
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import coarsest_in_scope, scope

# What is known of every strategy, with the place of the block or operation among the arguments.
_KNOWN: dict[Signature, int | None] = {
    ("compute", 2): 0,
    ("load", 2): 0,
    ("on_chip", 2): 0,
    ("free", 2): 0,
    ("write", 2): 0,
    ("done", 2): 0,
    ("started", 2): 0,
    ("complete", 2): 0,
    ("moved", 4): 1,
    ("occupies", 3): 0,
    ("computing", 1): None,
    ("step", 1): None,
    ("active", 1): None,
}
_ON, _THING, _COMMON, _FIRST = (f"_{name}{RESERVED}" for name in ("on", "thing", "common", "first"))
_AT = f"_at{RESERVED}"
_CERTAIN = f"""
compute(O, {_AT}(O)) :- {_THING}(O), operation(O).
load(B, {_AT}(load, B)) :- {_THING}(B), block(B, _).
free(B, {_AT}(free, B)) :- {_THING}(B), block(B, _).
write(B, {_AT}(write, B)) :- result(B, _, _).
complete(B, {_AT}(write, B)) :- result(B, _, _).
started(B, {_AT}(write, B)) :- result(B, _, _).
started(B, {_AT}(on, B)) :- result(B, _, _).
on_chip(B, {_AT}(on, B)) :- result(B, _, _).

{_THING}(pixel(R, C, Q)) :- block(pixel(R, C, Q), _).
{_THING}(kernel(N, Q)) :- block(kernel(N, Q), _), {_COMMON}(N, Q).
{_THING}(output(I, J, N)) :- result(output(I, J, N), _, _).
{_THING}(op(I, J, N, Q)) :- operation(op(I, J, N, Q)), {_COMMON}(N, Q).
"""
# What follows of an action, in whatever step it is.
_FOLLOWS = f"""
computing(T) :- compute(_, T).
active(T) :- computing(T).
active(T) :- load(_, T).
active(T) :- free(_, T).
active(T) :- write(_, T).
step(T) :- active(T).
done(O, T) :- compute(O, T).
on_chip(B, T) :- load(B, T).
on_chip(B, T - 1) :- free(B, T).
on_chip(B, T - 1) :- write(B, T).
on_chip(B, T) :- compute(O, T), needs(O, B), {_FIRST}(B).
on_chip(B, T) :- compute(O, T), produces(O, B), {_FIRST}(B).
started(B, T) :- compute(O, T), produces(O, B), {_FIRST}(B).
moved(load, B, T, {_AT}(load, B, T)) :- load(B, T).
moved(write, B, T, {_AT}(write, B, T)) :- write(B, T).
occupies(B, T, {_AT}(B, T)) :- on_chip(B, T).
:- on_chip(B, T), T + 0 < 1.
:- on_chip(B, T), free(B, T).
:- on_chip(B, T), write(B, T).
:- load(B, T), on_chip(B, T - 1).
:- compute(O, T), compute(O, T'), T' - T > 0.
"""
# An operation of a smaller tile needs and produces less: what the first position does is common.
_FIRST_OF_ANY_TILE = f"""
{_FIRST}(pixel(R, C, Q)) :- {_THING}(pixel(R, C, Q)), row_tap(0, R), column_tap(0, C).
{_FIRST}(kernel(N, Q)) :- {_THING}(kernel(N, Q)).
{_FIRST}(output(0, 0, N)) :- {_THING}(output(0, 0, N)).
"""
# Ground rules at most.
_LIMIT = 200_000


def impossible(instance: Instance, edit: Edit) -> tuple[Statement, ...]:
    """Return statements that no strategy obeys together, none of them in vain; empty if none are.

    Whatever the number of steps and the decomposition.
    """
    horn = {k: node for k, one in enumerate(edit.added) if (node := _horn(one.node, k)) is not None}
    if not any(_forbids(node) for node in horn.values()):
        return ()
    control = _grounded(instance, edit, list(horn.values()))
    if control is None or _consistent(control, list(horn)):
        return ()
    needed = list(horn)
    for number in horn:
        others = [other for other in needed if other != number]
        if not _consistent(control, others):
            needed = others
    return tuple(edit.added[number] for number in needed)


def _grounded(instance: Instance, edit: Edit, horn: Sequence[AST]) -> clingo.Control | None:
    """Ground what holds in every strategy that obeys rules; None if that is too much."""
    problem = problem_of(instance, coarsest_in_scope(instance))
    # Groups that two other groups divide may share no channels with what is left of each other.
    n, q = map(np.ravel, np.indices(problem.exists.shape))
    pairs = np.nonzero(problem_of(instance, scope(instance)).exists[n, q])[0]
    common = " ".join(f"{_COMMON}({n[k]}, {q[k]})." for k in pairs)
    first = f"{_FIRST}(B) :- {_THING}(B)."
    tiles = _FIRST_OF_ANY_TILE if instance.choice.tile == "auto" else first
    texts = [facts(problem, 1, exact=True), *(shipped_source(name).text for name in STATIC)]
    texts += [common, tiles, _CERTAIN, _FOLLOWS, f"{{ {_ON}(0..{len(edit.added)}) }}."]
    control = clingo.Control(logger=lambda *_: None)
    control.register_observer(Meter(_LIMIT, lambda: False))
    control.add("base", [], "\n".join(texts))
    constants = [one.node for one in edit.added if one.node.ast_type == ASTType.Definition]
    with clingo.ast.ProgramBuilder(control) as builder:
        for node in [*constants, *horn]:
            builder.add(node)
    try:
        control.ground([("base", [])])
    except (RuntimeError, NoStrategyError):
        return None
    return control


def _consistent(control: clingo.Control, numbers: Sequence[int]) -> bool:
    taken = [(clingo.Function(_ON, [clingo.Number(number)]), True) for number in numbers]
    return bool(control.solve(assumptions=taken).satisfiable)


def _forbids(node: AST) -> bool:
    return bool(node.head.atom.ast_type == ASTType.BooleanConstant) or (
        signature(node.head.atom) in _KNOWN
    )


def _horn(node: AST, number: int) -> AST | None:
    """Return a statement as a rule without ``not``, for where it is taken; None if it is none.

    What it compares is a number, a block or an operation.
    """
    if node.ast_type != ASTType.Rule or node.head.ast_type != ASTType.Literal:
        return None
    if any(one.ast_type != ASTType.Literal for one in node.body):
        return None
    atoms = [one for one in node.body if one.atom.ast_type == ASTType.SymbolicAtom]
    compared = [one for one in node.body if one.atom.ast_type == ASTType.Comparison]
    asked = [one for one in atoms if one.sign == Sign.NoSign]
    denied = [one for one in atoms if one.sign == Sign.Negation]
    if len(asked) + len(denied) + len(compared) < len(node.body) or not all(map(_known, atoms)):
        return None
    head = _head(node.head, denied)
    if head is None or any(one.name == "_" for one in nodes(head, ASTType.Variable)):
        return None
    return node.update(head=head, body=[*asked, *compared, *_guards(asked, compared, number)])


def _head(head: AST, denied: Sequence[AST]) -> AST | None:
    """Return what follows from the other atoms of a rule; None if it is not one thing."""
    if head.sign != Sign.NoSign:
        return None
    if head.atom.ast_type == ASTType.BooleanConstant and not head.atom.value and len(denied) < 2:
        return denied[0].update(sign=Sign.NoSign) if denied else head
    own = head.atom.ast_type == ASTType.SymbolicAtom and signature(head.atom) not in {
        None,
        *vocabulary(),
    }
    return head if own and not denied else None


def _known(literal: AST) -> bool:
    """Whether an atom is one of an action, or of the user's own words."""
    known = signature(literal.atom)
    return known in _KNOWN or known not in {None, *vocabulary()}


def _guards(asked: Sequence[AST], compared: Sequence[AST], number: int) -> Sequence[AST]:
    """Return literals: that a statement is taken, and that what it compares is known."""
    things = {
        str(one.atom.symbol.arguments[place])
        for one in asked
        if (place := _KNOWN.get(signature(one.atom) or ("", 0))) is not None
    }
    names = {node.name for one in compared for node in nodes(one, ASTType.Variable)}
    said = [f"{_THING}({name})" if name in things else f"{name} + 0 = {name}" for name in names]
    parsed: list[AST] = []
    clingo.ast.parse_string(f":- {'; '.join([f'{_ON}({number})', *sorted(said)])}.", parsed.append)
    return list(parsed[-1].body)
