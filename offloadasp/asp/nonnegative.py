"""Which terms of a user's rules cannot be negative, whatever the instance and the horizon.

Integers in atoms of the shipped rules are counts, bytes, indices, steps and cycles: none is
negative. A term that is no integer counts for nothing in a sum, so it is of no harm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import clingo
from clingo.ast import (
    AST,
    AggregateFunction,
    ASTType,
    BinaryOperator,
    ComparisonOperator,
    Sign,
    UnaryOperator,
)

from offloadasp.asp.statements import Signature, head_literals, is_constraint, signature

_CLOSED = (
    BinaryOperator.Plus,
    BinaryOperator.Multiplication,
    BinaryOperator.Division,
    BinaryOperator.Modulo,
    BinaryOperator.Power,
    BinaryOperator.And,
    BinaryOperator.Or,
    BinaryOperator.XOr,
)
_ABOVE = {
    ComparisonOperator.GreaterThan: -1,
    ComparisonOperator.GreaterEqual: 0,
    ComparisonOperator.Equal: 0,
}
_MIRRORED = {
    ComparisonOperator.LessThan: ComparisonOperator.GreaterThan,
    ComparisonOperator.LessEqual: ComparisonOperator.GreaterEqual,
    ComparisonOperator.Equal: ComparisonOperator.Equal,
}
_TOTALS = (AggregateFunction.Count, AggregateFunction.SumPlus)
_ELEMENTWISE = (AggregateFunction.Sum, AggregateFunction.Min, AggregateFunction.Max)


@dataclass
class Signs:
    """Tells which terms of some rules cannot be negative.

    Attributes
    ----------
    rules
        The user's rules: what they derive may be negative.
    shipped
        Predicates whose atoms are those of the shipped rules, or of the rules here too.
    constants
        The values of the user's constants.
    """

    rules: Sequence[AST]
    shipped: frozenset[Signature]
    constants: Mapping[str, AST]
    _doubtful: set[tuple[Signature, int]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Find the arguments of derived predicates that may be negative, until nothing changes."""
        before = -1
        while before < len(self._doubtful):
            before = len(self._doubtful)
            for rule in self.rules:
                self._derive(rule)

    def _derive(self, rule: AST) -> None:
        if rule.ast_type == ASTType.External:
            self._doubt(rule.atom, rule.body)
        elif rule.ast_type == ASTType.Rule and not is_constraint(rule):
            conditions = [*rule.body, *_conditions(rule.head)]
            for literal in head_literals(rule):
                if literal.ast_type == ASTType.Literal and literal.sign == Sign.NoSign:
                    self._doubt(literal.atom, conditions)

    def _doubt(self, atom: AST, body: Iterable[AST]) -> None:
        if atom.ast_type != ASTType.SymbolicAtom:
            return
        known = signature(atom)
        term = atom.symbol
        if known is None or term.ast_type != ASTType.Function:
            return
        safe = self.variables(body)
        for place, argument in enumerate(term.arguments):
            if not self.holds(argument, safe):
                self._doubtful.add((known, place))

    @property
    def never_negative(self) -> bool:
        """Whether no argument of what the user's rules derive may be negative."""
        return not self._doubtful

    def term(self, term: AST, body: Iterable[AST]) -> bool:
        """Whether a term cannot be negative where a body holds."""
        return self.holds(term, self.variables(body))

    def variables(self, body: Iterable[AST]) -> set[str]:
        """Return the variables that a body keeps from being negative."""
        literals = list(body)
        safe: set[str] = set()
        before = -1
        while before < len(safe):
            before = len(safe)
            for literal in literals:
                safe |= self._of_literal(literal, safe)
        return safe

    def _of_literal(self, literal: AST, safe: set[str]) -> set[str]:
        if literal.ast_type != ASTType.Literal or literal.sign != Sign.NoSign:
            return set()
        atom = literal.atom
        if atom.ast_type == ASTType.SymbolicAtom:
            return self._of_atom(atom)
        if atom.ast_type == ASTType.Comparison:
            return self._of_comparison(atom, safe)
        guard = getattr(atom, "left_guard", None)
        if guard is not None and guard.comparison == ComparisonOperator.Equal:
            total = atom.ast_type == ASTType.Aggregate or atom.function in _TOTALS
            if total or (atom.function in _ELEMENTWISE and self._elements(atom, safe)):
                return direct(guard.term)
        return set()

    def _elements(self, aggregate: AST, safe: set[str]) -> bool:
        return all(
            self.holds(element.terms[0], safe | self.variables(element.condition))
            for element in aggregate.elements
            if element.terms
        )

    def _of_atom(self, atom: AST) -> set[str]:
        known, term = signature(atom), atom.symbol
        if known is None or term.ast_type != ASTType.Function:
            return set()
        derived = known not in self.shipped
        found: set[str] = set()
        for place, argument in enumerate(term.arguments):
            if (known, place) not in self._doubtful:
                # What a user's rules put inside of terms is not looked at.
                nested = argument.ast_type != ASTType.Variable
                found |= set() if derived and nested else direct(argument)
        return found

    def _of_comparison(self, comparison: AST, safe: set[str]) -> set[str]:
        found: set[str] = set()
        left = comparison.term
        for guard in comparison.guards:
            sides = [(left, guard.comparison, guard.term)]
            if guard.comparison in _MIRRORED:
                sides.append((guard.term, _MIRRORED[guard.comparison], left))
            for term, operator, other in sides:
                least = _ABOVE.get(operator)
                if least is not None and self._at_least(other, least, safe):
                    found |= {term.name} if term.ast_type == ASTType.Variable else set()
            left = guard.term
        return found

    def _at_least(self, term: AST, least: int, safe: set[str]) -> bool:
        value = _number(term)
        return value >= least if value is not None else self.holds(term, safe)

    def holds(self, term: AST, safe: set[str]) -> bool:
        """Whether a term cannot be negative, given variables that are not."""
        value = _number(term)
        if value is not None:
            return value >= 0
        kind = term.ast_type
        if kind == ASTType.SymbolicTerm:
            return self._constant(str(term.symbol), safe)
        if kind == ASTType.Variable:
            return term.name in safe
        if kind == ASTType.BinaryOperation and term.operator_type in _CLOSED:
            return self.holds(term.left, safe) and self.holds(term.right, safe)
        if kind == ASTType.UnaryOperation:
            return bool(term.operator_type == UnaryOperator.Absolute)
        if kind == ASTType.Interval:
            return self.holds(term.left, safe)
        if kind == ASTType.Pool:
            return all(self.holds(one, safe) for one in term.arguments)
        if kind == ASTType.Function and not term.external:
            return bool(term.arguments) or self._constant(term.name, safe)
        return False

    def _constant(self, name: str, safe: set[str]) -> bool:
        given = self.constants.get(name)
        if given is None:
            return not name.endswith("_priority")
        return str(given) != name and self.holds(given, safe)


def _number(term: AST) -> int | None:
    """Return the value of a number, one with a sign included; None of anything else."""
    if term.ast_type == ASTType.SymbolicTerm and term.symbol.type == clingo.SymbolType.Number:
        return int(term.symbol.number)
    if term.ast_type == ASTType.UnaryOperation and term.operator_type == UnaryOperator.Minus:
        inner = _number(term.argument)
        return None if inner is None else -inner
    return None


def number(term: AST, constants: Mapping[str, AST]) -> int | None:
    """Return the value of a number or of a user's constant that stands for one, or None."""
    name = str(term)
    if name in constants and str(constants[name]) != name:
        return number(constants[name], {k: v for k, v in constants.items() if k != name})
    return _number(term)


def direct(term: AST) -> set[str]:
    """Return variables that are a term or arguments of it, arithmetic left out."""
    if term.ast_type == ASTType.Variable:
        return {term.name}
    if term.ast_type == ASTType.Function:
        return {name for argument in term.arguments for name in direct(argument)}
    return set()


def _conditions(head: AST) -> list[AST]:
    found: list[AST] = []
    for element in getattr(head, "elements", ()):
        inner = element.condition
        found += list(inner.condition if isinstance(inner, AST) else inner)
    return found
