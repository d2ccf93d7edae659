"""The arithmetic of a statement in ASP: its operations and sums, each with what it depends on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import clingo
import clingo.ast
from clingo.ast import AST, ASTType, BinaryOperator, ComparisonOperator, Sign, UnaryOperator

from offloadasp.asp.statements import children

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
_COUNTED = (ASTType.BodyAggregate, ASTType.Aggregate)
_ELEMENTS = (ASTType.ConditionalLiteral, ASTType.BodyAggregateElement, ASTType.HeadAggregateElement)
RESERVED = "_32_bits"
"""Is in all names that rules of ours have beside the user's, whose rules have none with it."""

# Ends the names of variables that belong to an element of an aggregate alone.
LOCAL = f"_local{RESERVED}"

_Context = tuple[AST, ...]


@dataclass(frozen=True)
class Operation:
    """An operation on two terms.

    Attributes
    ----------
    text, location
        What a reader sees, and where.
    sign, left, right
        ``+``, ``-``, ``*`` or ``**``, and the two terms.
    bodies
        The literals for whose values it is computed: all of them at last; before that without some
        that a wrong value could make false, which may leave variables unsafe.
    """

    text: str
    location: clingo.ast.Location
    sign: str
    left: str
    right: str
    bodies: tuple[tuple[str, ...], ...]


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
        The terms of each element, the weight first, and the literals for whose values it counts,
        as for an operation.
    """

    text: str
    location: clingo.ast.Location
    group: tuple[str, ...]
    elements: tuple[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]], ...]


def arithmetic(statement: AST) -> Iterator[Operation | Sum]:
    """Yield the operations and sums of a statement."""
    shared = frozenset(_variables(statement, elements=False)) - {"_"}
    body = list(getattr(statement, "body", ()))
    if statement.ast_type == ASTType.Heuristic:
        # It says something of atoms that there are.
        body.append(clingo.ast.Literal(statement.location, Sign.NoSign, statement.atom))
    yield from _Reader(shared).read(statement, (tuple(_conjuncts(body)),))


@dataclass(frozen=True)
class _Reader:
    """Reads a statement whose ``shared`` variables occur outside of elements.

    The other ones belong to an element alone, whatever else has their name.
    """

    shared: frozenset[str]

    def read(self, node: AST, contexts: tuple[_Context, ...]) -> Iterator[Operation | Sum]:
        """Yield what is in a node, which is evaluated for the values that literals permit.

        Parameters
        ----------
        contexts
            All these literals at last; before that, as for `Operation`, without some.
        """
        if _is_chain(node):
            for part in _conjuncts([node]):
                yield from self.read(part, contexts)
            return
        if node in contexts[-1]:
            contexts = self._apart(node, contexts)
        if _counts_literals(node):
            node = node.update(atom=_conditional(node.atom))
        if node.ast_type in _ELEMENTS:
            node = _Renamed(self.shared).visit(node)
            contexts = _under(contexts, node)
        if node.ast_type in _AGGREGATES and node.function in _SUMS:
            yield self._sum(node, contexts)
        if terms := _operands(node):
            yield Operation(_text(node), node.location, *terms, _texts(contexts))
        for child in children(node):
            yield from self.read(child, contexts)

    def _sum(self, node: AST, contexts: tuple[_Context, ...]) -> Sum:
        elements = []
        for given in node.elements:
            element = _Renamed(self.shared).visit(given)
            terms = tuple(map(str, element.terms))
            if terms:
                elements.append((terms, _texts(_under(contexts, element))))
        inside = {name for element in node.elements for name in _variables(element)}
        group = tuple(sorted(inside & self.shared))
        return Sum(_text(node), node.location, group, tuple(elements))

    def _apart(self, node: AST, contexts: tuple[_Context, ...]) -> tuple[_Context, ...]:
        """Put contexts before, without what a wrong value in a literal of theirs could make false.

        That is the literal, which would hide itself, and what depends on it. A literal that is
        matched with atoms gives values to its own operations; so may a comparison.
        """
        names = self._names(node)
        others = [self._safe([one for one in every if one != node], names) for every in contexts]
        matched = [(node, *safe) for safe in others]
        return (*([] if _matches(node) else others), *matched, *contexts)

    def _names(self, literal: AST) -> set[str]:
        """Return the variables of a literal that are not an element's own."""
        inside = set(_variables(literal)) & self.shared
        return inside.union(_variables(literal, elements=False)) - {"_"}

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
        if atom.ast_type == ASTType.Comparison:
            terms = atom.term, atom.guards[0].term
            sides = [(atom.guards[0], *terms), (atom.guards[0], *terms[::-1])]
        elif atom.ast_type in _COUNTED and atom.left_guard is not None:
            sides = [(atom.left_guard, atom.left_guard.term, None)]
        for guard, defined, by in sides:
            others = names - _given(defined) if by is None else set(_variables(by))
            if guard.comparison == ComparisonOperator.Equal and others <= bound:
                return names - _given(defined)
        return names


def _text(node: AST) -> str:
    """Return a node as the user wrote it."""
    text = str(node).replace(LOCAL, "")
    return text[1:-1] if node.ast_type == ASTType.BinaryOperation else text


def _operands(node: AST) -> tuple[str, str, str] | None:
    """Return sign, left and right term of an operation that can leave 32 bits, or None."""
    if node.ast_type == ASTType.BinaryOperation and node.operator_type in _SIGNS:
        return _SIGNS[node.operator_type], str(node.left), str(node.right)
    if node.ast_type == ASTType.UnaryOperation and node.operator_type != UnaryOperator.Negation:
        # Only the smallest integer has no opposite. Functions may have a sign, too.
        argument = node.argument
        number = argument.ast_type == ASTType.SymbolicTerm and (
            argument.symbol.type == clingo.SymbolType.Number
        )
        if not number and argument.ast_type != ASTType.Function:
            return "-", "0", str(argument)
    return None


def _texts(contexts: Sequence[_Context]) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(tuple(map(str, context)) for context in contexts))


def _under(contexts: Sequence[_Context], element: AST) -> tuple[_Context, ...]:
    """Return contexts with the literals of an element that must hold for it to count."""
    given = element.condition
    if element.ast_type == ASTType.HeadAggregateElement:
        given = given.condition
    conditions = tuple(_conjuncts(given))
    return tuple((*context, *conditions) for context in contexts)


def _is_chain(node: AST) -> bool:
    """Whether a node is a comparison of more than two terms, as in ``1 < X < 5``."""
    return bool(
        node.ast_type == ASTType.Literal
        and node.sign == Sign.NoSign
        and node.atom.ast_type == ASTType.Comparison
        and len(node.atom.guards) > 1
    )


def _conjuncts(literals: Sequence[AST]) -> Iterator[AST]:
    """Yield literals, and of a chain of comparisons each one by itself."""
    for literal in literals:
        if not _is_chain(literal):
            yield literal
            continue
        left = literal.atom.term
        for guard in literal.atom.guards:
            yield literal.update(atom=clingo.ast.Comparison(left, [guard]))
            left = guard.term


def _counts_literals(node: AST) -> bool:
    return bool(node.ast_type == ASTType.Literal and node.atom.ast_type == ASTType.Aggregate)


def _conditional(aggregate: AST) -> AST:
    """Return an aggregate of a body, in which literals that count are conditions like others."""
    elements = []
    for element in aggregate.elements:
        true = element.literal.update(sign=Sign.NoSign, atom=clingo.ast.BooleanConstant(1))
        condition = [element.literal, *element.condition]
        elements.append(element.update(literal=true, condition=condition))
    return aggregate.update(elements=elements)


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
        term.ast_type == ASTType.UnaryOperation and term.operator_type == UnaryOperator.Minus
    ):
        return {name for child in children(term) for name in _given(child)}
    if term.ast_type == ASTType.Pool:
        return set.intersection(*map(_given, term.arguments))
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
        return node.update(name=node.name.removesuffix(LOCAL) + LOCAL) if own else node


def _variables(node: AST, *, elements: bool = True) -> Iterator[str]:
    """Yield the names of variables, as often as they occur, those inside of elements or not."""
    if node.ast_type == ASTType.Variable:
        yield node.name
    if elements or node.ast_type not in _ELEMENTS:
        for child in children(node):
            yield from _variables(child, elements=elements)
