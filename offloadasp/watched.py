"""The arithmetic of a statement in ASP: its operations and sums, each with what it depends on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import clingo
import clingo.ast
from clingo.ast import AST, ASTType, BinaryOperator, ComparisonOperator, Sign

# Operators whose results can be larger than what they are computed from.
_SIGNS = {
    BinaryOperator.Plus: "+",
    BinaryOperator.Minus: "-",
    BinaryOperator.Multiplication: "*",
    BinaryOperator.Power: "**",
}
# clingo solves terms such as 2*X + 1 for their variable.
_LINEAR = (BinaryOperator.Plus, BinaryOperator.Minus, BinaryOperator.Multiplication)
_SUMS = (clingo.ast.AggregateFunction.Sum, clingo.ast.AggregateFunction.SumPlus)
_AGGREGATES = (ASTType.BodyAggregate, ASTType.HeadAggregate)
_ELEMENTS = (ASTType.ConditionalLiteral, ASTType.BodyAggregateElement, ASTType.HeadAggregateElement)
# Ends the names of variables that belong to an element of an aggregate alone.
_LOCAL = "_Local"


@dataclass(frozen=True)
class Operation:
    """An operation on two terms.

    Attributes
    ----------
    text, location
        What a reader sees, and where.
    sign, left, right
        ``+``, ``-``, ``*`` or ``**``, and the two terms.
    body
        The literals for whose values it is computed.
    """

    text: str
    location: clingo.ast.Location
    sign: str
    left: str
    right: str
    body: tuple[str, ...]


@dataclass(frozen=True)
class Sum:
    """A sum over the elements of an aggregate.

    Attributes
    ----------
    text, location
        What a reader sees, and where.
    group
        The statement's variables: a sum for each of their values.
    elements
        The terms of each element, the weight first, and the literals for whose values it counts.
    """

    text: str
    location: clingo.ast.Location
    group: tuple[str, ...]
    elements: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def arithmetic(statement: AST) -> Iterator[Operation | Sum]:
    """Yield the operations and sums of a statement."""
    shared = frozenset(_variables(statement, elements=False))
    yield from _Reader(shared).read(statement, tuple(getattr(statement, "body", ())))


@dataclass(frozen=True)
class _Reader:
    """Reads a statement whose ``shared`` variables occur outside of elements.

    The other ones belong to an element alone, whatever else has their name.
    """

    shared: frozenset[str]

    def read(self, node: AST, context: tuple[AST, ...]) -> Iterator[Operation | Sum]:
        """Yield what is in a node, which is evaluated for the values that a context permits."""
        if node in context and not _matches(node):
            # A wrong value could make it false, and so hide itself and what depends on it.
            context = self._safe([one for one in context if one != node], self._names(node))
        if node.ast_type in _ELEMENTS:
            node = _Renamed(self.shared).visit(node)
            context = (*context, *_conditions(node))
        if node.ast_type in _AGGREGATES and node.function in _SUMS:
            yield self._sum(node, context)
        if node.ast_type == ASTType.BinaryOperation and node.operator_type in _SIGNS:
            terms = _SIGNS[node.operator_type], str(node.left), str(node.right)
            yield Operation(_text(node), node.location, *terms, tuple(map(str, context)))
        for child in _children(node):
            yield from self.read(child, context)

    def _sum(self, node: AST, context: tuple[AST, ...]) -> Sum:
        elements = []
        for given in node.elements:
            element = _Renamed(self.shared).visit(given)
            terms = tuple(map(str, element.terms))
            if terms:
                elements.append((terms, tuple(map(str, [*context, *_conditions(element)]))))
        inside = {name for element in node.elements for name in _variables(element)}
        group = tuple(sorted(inside & self.shared))
        return Sum(_text(node), node.location, group, tuple(elements))

    def _names(self, literal: AST) -> set[str]:
        """Return the variables of a literal that are not an element's own."""
        inside = set(_variables(literal)) & self.shared
        return inside.union(_variables(literal, elements=False))

    def _safe(self, literals: Sequence[AST], names: set[str]) -> tuple[AST, ...]:
        """Return the literals that give values to variables, directly or to one another."""
        bound: set[str] = set()
        kept: list[AST] = []
        left = list(literals)
        while ready := [one for one in left if self._needs(one, bound) <= bound]:
            kept += ready
            left = [one for one in left if one not in ready]
            bound.update(name for one in ready for name in self._names(one))
        reached, before = set(names), set[str]()
        while reached != before:
            before = set(reached)
            reached.update(*(found for one in kept if (found := self._names(one)) & reached))
        return tuple(one for one in kept if self._names(one) <= reached)

    def _needs(self, literal: AST, bound: set[str]) -> set[str]:
        """Return the variables to which a literal gives no values if some are bound."""
        names = self._names(literal)
        if literal.ast_type != ASTType.Literal or literal.sign != Sign.NoSign:
            return names
        atom = literal.atom
        if atom.ast_type == ASTType.SymbolicAtom:
            return names - _given(atom.symbol)
        sides = []
        if atom.ast_type == ASTType.Comparison and len(atom.guards) == 1:
            terms = atom.term, atom.guards[0].term
            sides = [(atom.guards[0], *terms), (atom.guards[0], *terms[::-1])]
        elif atom.ast_type == ASTType.BodyAggregate and atom.left_guard is not None:
            sides = [(atom.left_guard, atom.left_guard.term, None)]
        for guard, defined, by in sides:
            others = names - _given(defined) if by is None else set(_variables(by))
            if guard.comparison == ComparisonOperator.Equal and others <= bound:
                return names - _given(defined)
        return names


def _text(node: AST) -> str:
    """Return a node as the user wrote it."""
    text = str(node).replace(_LOCAL, "")
    return text[1:-1] if node.ast_type == ASTType.BinaryOperation else text


def _conditions(element: AST) -> list[AST]:
    """Return the literals of an element that must hold for it to count."""
    if element.ast_type == ASTType.HeadAggregateElement:
        return list(element.condition.condition)
    return list(element.condition)


def _matches(node: AST) -> bool:
    """Whether a node is a literal that is matched with atoms, and so gives values to variables."""
    return bool(
        node.ast_type == ASTType.Literal
        and node.sign == Sign.NoSign
        and node.atom.ast_type == ASTType.SymbolicAtom
    )


def _given(term: AST) -> set[str]:
    """Return the variables to which a term gives values when it is matched."""
    if term.ast_type == ASTType.Variable:
        return {term.name}
    if term.ast_type == ASTType.Function or (
        term.ast_type == ASTType.UnaryOperation and term.argument.ast_type == ASTType.Function
    ):
        return {name for child in _children(term) for name in _given(child)}
    if term.ast_type == ASTType.BinaryOperation:
        names = list(_variables(term))
        return set(names) if len(names) == 1 and term.operator_type in _LINEAR else set()
    return set()


class _Renamed(clingo.ast.Transformer):
    """Marks the variables that belong to an element alone."""

    def __init__(self, shared: frozenset[str]) -> None:
        self.shared = shared

    def visit_Variable(self, node: AST) -> AST:  # noqa: N802 (clingo's name)
        own = node.name != "_" and node.name not in self.shared
        return node.update(name=node.name.removesuffix(_LOCAL) + _LOCAL) if own else node


def _children(node: AST) -> Iterator[AST]:
    for key in node.child_keys:
        child = getattr(node, key)
        if isinstance(child, AST):
            yield child
        elif child is not None:
            yield from child


def _variables(node: AST, *, elements: bool = True) -> Iterator[str]:
    """Yield the names of variables, as often as they occur, those inside of elements or not."""
    if node.ast_type == ASTType.Variable:
        yield node.name
    if elements or node.ast_type not in _ELEMENTS:
        for child in _children(node):
            yield from _variables(child, elements=elements)
