"""Remarks on a user's rules that clingo takes, and that do not say what their author thinks.

Terms: no strategy has a block ``pixel(R, C)``, so a constraint on one never applies. Which terms
there are is read off the ground definition of a small layer. Counts: without ``step(T)`` outside,
an aggregate counts over all steps together. Names: every number is below every name, so a limit
whose name is misspelt always holds, or never. Tuples: equal ones count once. Places: a variable
that is a block in one atom and a step in another one has its places mixed up.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache

import clingo
import clingo.ast
from clingo.ast import AST, ASTType, ComparisonOperator

from offloadasp.asp.edit_kinds import Edit, Statement, model_names, vocabulary
from offloadasp.asp.overlay import STEP_AT, global_variables
from offloadasp.asp.shipped import shipped_source
from offloadasp.asp.statements import Signature, heads, is_constraint, nodes, signature
from offloadasp.base.files import read_text
from offloadasp.base.resources import encodings_folder

Shapes = Mapping[tuple[Signature, int], frozenset[Signature]]
"""By predicate and place the names and arities of the terms there, where none is a number."""

# Two kernels and two channels in groups of their own: outputs can be partial sums.
_SMALL = """
input(2,1,2). kernels(2). kernel_shape(1,1). strides(1,1). pads(0,0,0,0). dilations(1,1). group(1).
input_bytes(1). weight_bytes(1). output_bytes(1). partial_sum_bytes(1). memory(99). bias.
windows_per_step(9). load_cycles(1). write_cycles(1). compute_cycles(1). load_energy(1).
write_energy(1). compute_energy(1). tile(1,1). kernel_group(0,0,1). kernel_group(1,1,2).
channel_group(0,0,1). channel_group(1,1,2). steps(4).
"""
_NOUNS = {("block", 2): "block", ("result", 3): "block", ("operation", 1): "operation"}


def remarks(edit: Edit) -> list[str]:
    """Return a sentence for every place of the added statements that is probably a mistake."""
    own = edit.derived
    found = []
    for statement in edit.added:
        found += [
            f"{statement.place}: {words}"
            for atom in nodes(statement.node, ASTType.SymbolicAtom)
            if signature(atom) not in own
            for words in _odd_terms(atom, edit.constants)
        ]
        found += _counted_together(statement)
        found += _ordered_by_a_name(statement, edit.constants)
        found += _counted_once(statement)
        found += _misplaced(statement, edit.constants)
        found += _too_few_places(statement, edit)
    return list(dict.fromkeys(found))


def _odd_terms(atom: AST, constants: Container[str]) -> Iterator[str]:
    """Say of each term of an atom that no atom has such a one there."""
    known = signature(atom)
    if known is None or atom.symbol.ast_type != ASTType.Function:
        return
    for place, term in enumerate(atom.symbol.arguments):
        allowed = _shapes().get((known, place))
        shape = _shape(term)
        if allowed is None or shape is None or shape in allowed or shape[0] in constants:
            continue
        there = ", ".join(_forms().get(one, one[0]) for one in sorted(allowed))
        noun = _noun(allowed)
        yield (
            f"no {noun} of {known[0]}/{known[1]} looks like {_spaced(term)}, so nothing ever "
            f"matches {_spaced(atom)}; {noun}s there are {there}"
        )


def _shape(term: AST) -> Signature | None:
    """Return the name and arity of a term; None where it may be anything."""
    if term.ast_type == ASTType.Function and term.name and not term.external:
        return term.name, len(term.arguments)
    if term.ast_type == ASTType.SymbolicTerm and term.symbol.type == clingo.SymbolType.Function:
        return term.symbol.name, len(term.symbol.arguments)
    return None


@cache
def _shapes() -> Shapes:
    """Return which terms there are in the atoms of the definition and of all objectives."""
    control = clingo.Control(logger=lambda *_: None)
    texts = [shipped_source(name).text for name in model_names() if "/" in name]
    control.add("base", [], "\n".join([_SMALL, *map(_without_includes, texts)]))
    control.ground([("base", [])])
    found: dict[tuple[Signature, int], set[Signature]] = defaultdict(set)
    numbers = set()
    for atom in control.symbolic_atoms:
        name = (atom.symbol.name, len(atom.symbol.arguments))
        for place, term in enumerate(atom.symbol.arguments):
            if term.type == clingo.SymbolType.Function:
                found[name, place].add((term.name, len(term.arguments)))
            else:
                numbers.add((name, place))
    return {key: frozenset(shapes) for key, shapes in found.items() if key not in numbers}


def _without_includes(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#include"))


def _noun(shapes: frozenset[Signature]) -> str:
    """Return what terms stand for: all of them blocks, or operations, or anything."""
    kinds: dict[str, set[Signature]] = defaultdict(set)
    for key, noun in _NOUNS.items():
        kinds[noun] |= _shapes()[key, 0]
    return next((noun for noun, known in kinds.items() if shapes <= known), "term")


@cache
def _forms() -> Mapping[Signature, str]:
    """Return terms of blocks and operations as their rules write them first."""
    found: dict[Signature, str] = {}

    def visit(statement: AST) -> None:
        for term in nodes(statement, ASTType.Function):
            found.setdefault((term.name, len(term.arguments)), _spaced(term))

    with suppress(OSError, RuntimeError):
        text = read_text(encodings_folder() / "model" / "decomposition.lp")
        clingo.ast.parse_string(text, visit, logger=lambda *_: None)
    return found


def _spaced(node: AST) -> str:
    return str(node).replace(",", ", ")


# --- Limits that are no numbers ---

_ORDER = {
    ComparisonOperator.LessThan,
    ComparisonOperator.LessEqual,
    ComparisonOperator.GreaterThan,
    ComparisonOperator.GreaterEqual,
}


def _ordered_by_a_name(statement: Statement, constants: Container[str]) -> Iterator[str]:
    """Say of a name that something is compared with, by size, that it is no constant."""
    for term in _compared(statement.node):
        shape = _shape(term)
        if shape is not None and not shape[1] and shape[0] not in constants:
            yield (
                f"{statement.place}: no #const defines {shape[0]}, and every number is below a "
                "name, so what is compared with it is always true or never"
            )


def _compared(node: AST) -> Iterator[AST]:
    """Yield the terms that are compared by size with another term or with an aggregate's value."""
    for guard in nodes(node, ASTType.Guard):
        if guard.comparison in _ORDER:
            yield guard.term
    for comparison in nodes(node, ASTType.Comparison):
        if any(guard.comparison in _ORDER for guard in comparison.guards):
            yield comparison.term


# --- Tuples that are all the same ---


def _counted_once(statement: Statement) -> Iterator[str]:
    """Say of a term of an objective that every instance of its condition gives the same tuple."""
    if statement.node.ast_type != ASTType.Minimize:
        return
    node = statement.node
    tuple_ = [node.weight, node.priority, *node.terms]
    bound = list(dict.fromkeys(_variables(node.body)))
    if bound and not list(_variables(tuple_)):
        words = ", ".join(map(_spaced, [node.weight, *node.terms]))
        yield (
            f"{statement.place}: the tuple {words} is the same for every {' and '.join(bound)}, so "
            f"it counts once; to count each, write {', '.join([words, *bound])}"
        )


def _variables(parts: Sequence[AST]) -> Iterator[str]:
    for part in parts:
        yield from (v.name for v in nodes(part, ASTType.Variable) if v.name != "_")


# --- Places mixed up ---

_ORDERS = {
    ("cost", 4): "cost(Kind, T, B, Cycles)",
    ("moved", 4): "moved(Action, B, T, Bytes)",
    ("occupies", 3): "occupies(B, T, Bytes)",
}


def _misplaced(statement: Statement, constants: Container[str]) -> Iterator[str]:
    """Say of a variable or a word that it stands where something else belongs."""
    things: dict[str, str] = {}
    numbers: dict[str, tuple[str, AST]] = {}
    for atom in nodes(statement.node, ASTType.SymbolicAtom):
        known = signature(atom)
        if known not in vocabulary() or atom.symbol.ast_type != ASTType.Function:
            continue
        for place, term in enumerate(atom.symbol.arguments):
            noun, shape = _stands_for(known, place), _shape(term)
            number = noun.startswith("number")
            if term.ast_type == ASTType.Variable and number:
                numbers.setdefault(term.name, (noun, atom))
            elif term.ast_type == ASTType.Variable and noun:
                things.setdefault(term.name, f"the {noun} of {_spaced(atom)}")
            elif number and shape is not None and shape[0] not in constants:
                yield f"{statement.place}: {_spaced(term)} is no {noun}, in {_told(atom)}"
    for name in numbers.keys() & things.keys() - {"_"}:
        noun, atom = numbers[name]
        yield f"{statement.place}: {name} is {things[name]}, and no {noun}, in {_told(atom)}"


def _stands_for(known: Signature, place: int) -> str:
    """Return what is at a place of a shipped predicate; empty if it is neither of these."""
    if STEP_AT.get(known[0]) == place:
        return "number of a step"
    if known in _ORDERS and place == known[1] - 1:
        return "number of bytes or cycles"
    shapes = _shapes().get((known, place), frozenset()) - {("all", 0)}
    noun = _noun(shapes) if shapes else "term"
    return "" if noun == "term" else noun


def _told(atom: AST) -> str:
    """Return an atom, with the order of its places where that is often mixed up."""
    order = _ORDERS.get(signature(atom) or ("", 0))
    return _spaced(atom) + (f"; write {order}" if order else "")


def _too_few_places(statement: Statement, edit: Edit) -> Iterator[str]:
    """Say where a head has the name of a shipped predicate, and too few places to be read."""
    asked = {
        signature(a)
        for s in edit.added
        for part in getattr(s.node, "body", ())
        for a in nodes(part, ASTType.SymbolicAtom)
    }
    for known in heads(statement.node):
        if known is None or known in vocabulary() or known in asked:
            continue
        order = next((words for key, words in _ORDERS.items() if key[0] == known[0]), "")
        if order:
            yield f"{statement.place}: nothing reads {known[0]}/{known[1]}; write {order}"


# --- Aggregates over all steps ---


def _counted_together(statement: Statement) -> Iterator[str]:
    """Say of an aggregate that no step outside of it is known, and that its step is not counted."""
    if not is_constraint(statement.node):
        return
    outside = set(global_variables(statement.node))
    for aggregate in nodes(statement.node, ASTType.BodyAggregate):
        for element in aggregate.elements:
            steps = set(_steps(element.condition)) - outside
            counted = {v.name for term in element.terms for v in nodes(term, ASTType.Variable)}
            if steps and not steps & counted and not _knows_a_step(statement.node.body):
                step = min(steps)
                yield (
                    f"{statement.place}: {step} is a variable of the aggregate alone, which counts "
                    f"over all steps together; to count in each step, write step({step}) beside it"
                )
                return


def _steps(literals: Sequence[AST]) -> Iterator[str]:
    """Yield the variables that stand for steps in atoms."""
    for literal in literals:
        for atom in nodes(literal, ASTType.SymbolicAtom):
            known = signature(atom)
            if known is not None and known[0] in STEP_AT and known[1] > STEP_AT[known[0]]:
                term = atom.symbol.arguments[STEP_AT[known[0]]]
                if term.ast_type == ASTType.Variable and term.name != "_":
                    yield term.name


def _knows_a_step(body: Sequence[AST]) -> bool:
    """Whether a body speaks of a step outside of its aggregates."""
    plain = [
        literal
        for literal in body
        if literal.ast_type == ASTType.Literal and literal.atom.ast_type == ASTType.SymbolicAtom
    ]
    return any(True for _ in _steps(plain))
