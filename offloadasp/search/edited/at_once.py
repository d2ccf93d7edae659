"""Rules that ask for more on chip at once than the memory holds, whatever the number of steps.

Look at the last step that computes, called 0 here. Every pixel and kernel block was loaded by then;
it is on chip, or some earlier step or this one freed it. Every output is on chip, or was written.
Or look at the first step that computes: every pixel and kernel block is on chip, or some later step
loads it. Of the other steps only this order to step 0 is known: they are −1, 0 or 1. So a
constraint is asked about with all of its steps at 0 but for one. What it forbids so, it forbids in
every strategy, and if no choice of what is on chip remains that fits, no strategy does.

The argument holds for every decomposition although it speaks of the coarsest one: a constraint
whose block terms name nothing and share no variable forbids a block wherever it forbids a part of
it, and a block counts as on chip where all of its parts are.
"""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import clingo
import clingo.ast
from clingo.ast import AST, ASTType, Sign

from offloadasp.asp.edit_kinds import Edit, Statement
from offloadasp.asp.facts import facts
from offloadasp.asp.overlay import STATIC, STEP_AT
from offloadasp.asp.shipped import shipped_source
from offloadasp.asp.statements import is_constraint, nodes, signature
from offloadasp.model.instance import Instance
from offloadasp.model.problem import CLINGO_LIMIT, Problem, problem_of
from offloadasp.search.construct.decompose import coarsest_in_scope

# What is known of a step that computes, and of the bytes that are on chip in it.
_ALWAYS = """
computing(0). active(0). step(0).
:- memory(M), M < #sum { Bytes, B : on_chip(B, 0), size(B, Bytes) }.
size(B, Bytes) :- block(B, Bytes).
size(B, Bytes) :- result(B, Bytes, _).
read(B) :- needs(_, B).
"""
_LAST = """
complete(B, 0) :- result(B, _, _).
started(B, 0) :- result(B, _, _).
done(O, 0) :- operation(O).
{ gone(B, -1); gone(B, 0) } 1 :- size(B, _).
on_chip(B, 0) :- read(B), not gone(B, -1), not gone(B, 0).
on_chip(B, 0) :- result(B, _, _), not gone(B, -1), not gone(B, 0).
free(B, T) :- gone(B, T), read(B).
write(B, T) :- gone(B, T), result(B, _, _).
free(B, 1) :- on_chip(B, 0), read(B).
write(B, 1) :- on_chip(B, 0), result(B, _, _).
{ load(B, -1); load(B, 0) } = 1 :- read(B).
"""
_FIRST = """
{ load(B, 1) } :- read(B).
on_chip(B, 0) :- read(B), not load(B, 1).
free(B, 1) :- read(B).
write(B, 1) :- result(B, _, _).
"""
_ATOMS = ("computing", "active", "step", "complete", "started", "done", "on_chip", "free", "write")
_KNOWN = frozenset((*_ATOMS, "load"))


@dataclass(frozen=True)
class AtOnce:
    """Constraints that no strategy can obey together, as memory has no room for what they ask.

    Attributes
    ----------
    statements
        None of them can be left out of the argument.
    which
        The compute action: ``first`` or ``last``.
    """

    statements: tuple[Statement, ...]
    which: str


def at_once(instance: Instance, edit: Edit) -> AtOnce | None:
    """Return constraints that ask for more on chip than the memory holds; None if none is known."""
    copies = {
        number: found
        for number, one in enumerate(edit.added)
        if is_constraint(one.node) and (found := list(_copies(one.node)))
    }
    problem = problem_of(instance, coarsest_in_scope(instance))
    if not copies or problem.all_bytes > CLINGO_LIMIT:
        return None
    for which, known in (("first", _FIRST), ("last", _LAST)):
        needed = _needed(problem, known, copies)
        if needed:
            return AtOnce(tuple(edit.added[number] for number in needed), which)
    return None


def _needed(problem: Problem, known: str, copies: dict[int, list[AST]]) -> list[int]:
    """Return a minimal set of constraints that leave nothing; empty if all together leave some."""
    needed = list(copies)
    if _fits(problem, known, [node for number in needed for node in copies[number]]):
        return []
    for number in list(needed):
        others = [other for other in needed if other != number]
        if not _fits(problem, known, [node for other in others for node in copies[other]]):
            needed = others
    return needed


def _fits(problem: Problem, known: str, constraints: Sequence[AST]) -> bool:
    control = clingo.Control(logger=lambda *_: None)
    texts = [shipped_source(name).text for name in STATIC]
    control.add("base", [], "\n".join([facts(problem, 1, exact=True), *texts, _ALWAYS, known]))
    with clingo.ast.ProgramBuilder(control) as builder:
        for node in constraints:
            builder.add(node)
    control.ground([("base", [])])
    return bool(control.solve().satisfiable)


def _copies(constraint: AST) -> Iterator[AST]:
    """Yield a constraint with all steps but one at 0; nothing where it says more of steps."""
    if constraint.head.atom.ast_type != ASTType.BooleanConstant:
        return
    if any(one.ast_type != ASTType.Literal or one.sign != Sign.NoSign for one in constraint.body):
        return
    atoms = [one for one in constraint.body if one.atom.ast_type == ASTType.SymbolicAtom]
    others = [one for one in constraint.body if one.atom.ast_type != ASTType.SymbolicAtom]
    if not all(map(_simple, atoms)):
        return
    steps = Counter(_step(one).name for one in atoms)
    named = Counter(node.name for one in atoms for node in nodes(one, ASTType.Variable))
    del named["_"]
    if any(count > max(1, steps[name]) for name, count in named.items()):
        return
    if not all(_compares(one, steps) for one in others):
        return
    # A step of which two atoms speak is known to be the same one only if it is step 0.
    for apart in [name for name in steps if steps[name] == 1] or [""]:
        at_0 = [_is_0(constraint.location, name) for name in steps if name != apart]
        yield constraint.update(body=[*constraint.body, *at_0])


def _simple(literal: AST) -> bool:
    """Whether an atom speaks of some step and, with variables alone, of some block or operation."""
    known = signature(literal.atom)
    if known is None or known[0] not in _KNOWN or known[1] <= STEP_AT[known[0]]:
        return False
    step = _step(literal)
    if step.ast_type != ASTType.Variable or step.name == "_":
        return False
    return all(map(_pattern, literal.atom.symbol.arguments))


def _pattern(term: AST) -> bool:
    """Whether a term is a variable, or a block or an operation with variables inside."""
    if term.ast_type == ASTType.Function:
        return all(inner.ast_type == ASTType.Variable for inner in term.arguments)
    return bool(term.ast_type == ASTType.Variable)


def _step(literal: AST) -> AST:
    symbol = literal.atom.symbol
    step: AST = symbol.arguments[STEP_AT[symbol.name]]
    return step


def _compares(literal: AST, steps: Container[str]) -> bool:
    """Whether a literal compares two steps that atoms speak of."""
    if literal.atom.ast_type != ASTType.Comparison:
        return False
    terms = [literal.atom.term, *(guard.term for guard in literal.atom.guards)]
    return all(term.ast_type == ASTType.Variable and term.name in steps for term in terms)


def _is_0(location: clingo.ast.Location, name: str) -> AST:
    zero = clingo.ast.SymbolicTerm(location, clingo.Number(0))
    guard = clingo.ast.Guard(clingo.ast.ComparisonOperator.Equal, zero)
    compared = clingo.ast.Comparison(clingo.ast.Variable(location, name), [guard])
    return clingo.ast.Literal(location, Sign.NoSign, compared)
