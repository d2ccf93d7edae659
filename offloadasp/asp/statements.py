"""Statements of a program as syntax trees: their predicates, and a text that ignores names."""

from collections.abc import Iterator

import clingo.ast
from clingo.ast import AST, ASTType, Sign

Signature = tuple[str, int]
"""Name and arity of a predicate; the name of a classically negated one begins with ``-``."""

# Heads that are no constraint and may be chosen.
_CHOICES = (ASTType.Aggregate, ASTType.HeadAggregate)
# Statements that change what is shown or how clingo searches, and nothing else.
_SILENT = (
    ASTType.ShowSignature,
    ASTType.ShowTerm,
    ASTType.ProjectAtom,
    ASTType.ProjectSignature,
    ASTType.Heuristic,
    ASTType.Defined,
    ASTType.Program,
)


def canonical(statement: AST) -> str:
    """Return a text that is the same for two statements that differ in names of variables only."""
    return str(_Numbered().visit(statement))


def silent(statement: AST) -> bool:
    """Whether a statement changes no stable model."""
    return statement.ast_type in _SILENT


def signature(atom: AST) -> Signature | None:
    """Return the predicate of a symbolic atom; None where clingo knows it only when it grounds."""
    term = atom.symbol
    sign = ""
    while term.ast_type == ASTType.UnaryOperation:
        sign = "" if sign else "-"
        term = term.argument
    if term.ast_type == ASTType.Function:
        return sign + term.name, len(term.arguments)
    if term.ast_type == ASTType.SymbolicTerm:
        return sign + str(term.symbol), 0
    return None


def heads(statement: AST) -> Iterator[Signature | None]:
    """Yield the predicates that a rule or an external derives; None stands for anything."""
    if statement.ast_type == ASTType.External:
        yield signature(statement.atom)
    elif statement.ast_type == ASTType.Rule:
        for literal in head_literals(statement):
            if literal.ast_type != ASTType.Literal:
                yield None
            elif literal.atom.ast_type == ASTType.SymbolicAtom and literal.sign == Sign.NoSign:
                yield signature(literal.atom)


def head_literals(rule: AST) -> Iterator[AST]:
    """Yield the literals in the head of a rule; what is no literal as it is."""
    head = rule.head
    if head.ast_type in _CHOICES or head.ast_type == ASTType.Disjunction:
        for element in head.elements:
            inner = element.condition if element.ast_type == ASTType.HeadAggregateElement else None
            yield (element if inner is None else inner).literal
    else:
        yield head


def is_constraint(statement: AST) -> bool:
    """Whether a statement derives nothing and only forbids."""
    if statement.ast_type != ASTType.Rule or statement.head.ast_type != ASTType.Literal:
        return False
    atom, sign = statement.head.atom, statement.head.sign
    if atom.ast_type == ASTType.BooleanConstant:
        return bool(bool(atom.value) == (sign == Sign.Negation))
    return not list(heads(statement))


def is_choice(statement: AST) -> bool:
    """Whether a statement is a rule whose head may be chosen."""
    return statement.ast_type == ASTType.Rule and statement.head.ast_type in _CHOICES


def predicates(statement: AST) -> set[Signature]:
    """Return every predicate that occurs in a statement, ``#defined`` ones included."""
    found: set[Signature] = set()
    if statement.ast_type == ASTType.Defined:
        return {("-" * (not statement.positive) + statement.name, statement.arity)}
    for atom in nodes(statement, ASTType.SymbolicAtom):
        known = signature(atom)
        if known is not None:
            found.add(known)
    return found


def constants(statement: AST) -> set[str]:
    """Return the names of all symbols that occur in terms, those of functions included."""
    found = {term.name for term in nodes(statement, ASTType.Function)}
    for term in nodes(statement, ASTType.SymbolicTerm):
        if term.symbol.type == clingo.SymbolType.Function:
            found.add(term.symbol.name)
    return found


def nodes(node: AST, kind: ASTType) -> Iterator[AST]:
    """Yield all nodes of a kind in a syntax tree."""
    if node.ast_type == kind:
        yield node
    for child in children(node):
        yield from nodes(child, kind)


def children(node: AST) -> Iterator[AST]:
    """Yield the parts of a syntax tree, one level down."""
    for key in node.child_keys:
        child = getattr(node, key)
        if isinstance(child, AST):
            yield child
        elif child is not None:
            yield from child


class _Numbered(clingo.ast.Transformer):
    """Gives variables names by the order in which they occur first."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def visit_Variable(self, node: AST) -> AST:  # noqa: N802 (clingo's name)
        if node.name == "_":
            return node
        return node.update(name=self.names.setdefault(node.name, f"V{len(self.names)}"))
