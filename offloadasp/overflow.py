"""Arithmetic in users' rules: clingo's integers have 32 bits and wrap silently, so rules watch it.

For every operation and every sum of a statement, a rule of ours with the same body derives an atom
for all values that clingo computes while it grounds the statement. They are then added exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import clingo
import clingo.ast
from clingo.ast import AST, ASTType

from offloadasp.errors import InputError
from offloadasp.problem import CLINGO_LIMIT
from offloadasp.watched import Operation, Sum, arithmetic

# Names that no rule of a user has.
_LEAVES, _WEIGHS = "_leaves_32_bits", "_weighs_32_bits"
_LEFT, _RIGHT = "_Left", "_Right"


@dataclass
class Watch:
    """Rules that watch the arithmetic of statements; clingo calls `fits` while it grounds them."""

    rules: list[AST] = field(default_factory=list)
    _watched: list[Operation | Sum] = field(default_factory=list)

    def add(self, statement: AST) -> None:
        """Watch all arithmetic of a statement."""
        for watched in arithmetic(statement):
            number = len(self._watched)
            self._watched.append(watched)
            if isinstance(watched, Operation):
                self._watch_operation(number, watched)
            else:
                self._watch_sum(number, watched)

    def _watch_operation(self, number: int, watched: Operation) -> None:
        head = f"{_LEAVES}({number}, {_LEFT}, {_RIGHT})"
        values = (f"{_LEFT} = {watched.left}", f"{_RIGHT} = {watched.right}")
        fits = f"@fits({number}, {_LEFT}, {_RIGHT}) = 0"
        self._rule(head, [*watched.body, *values, fits], watched.location)

    def _watch_sum(self, number: int, watched: Sum) -> None:
        for terms, body in watched.elements:
            tuples = (f"({', '.join(part)},)" if part else "()" for part in (watched.group, terms))
            self._rule(f"{_WEIGHS}({number}, {', '.join(tuples)})", body, watched.location)

    def _rule(self, head: str, body: Sequence[str], location: clingo.ast.Location) -> None:
        def place(node: AST) -> None:
            # What clingo has to say of a rule of ours, it then says of the user's at its place.
            if node.ast_type == ASTType.Rule:
                self.rules.append(_Placed(location).visit(node))

        clingo.ast.parse_string(f"{head} :- {'; '.join(body) or '#true'}.", place)

    def fits(
        self, number: clingo.Symbol, left: clingo.Symbol, right: clingo.Symbol
    ) -> clingo.Symbol:
        """Return 1 if the exact result of an operation is within 32 bits, else 0."""
        if not left.type == right.type == clingo.SymbolType.Number:
            return clingo.Number(1)  # no arithmetic, which clingo itself tells
        watched = self._watched[number.number]
        assert isinstance(watched, Operation)
        return clingo.Number(_fits(watched.sign, left.number, right.number))

    def require_fit(self, control: clingo.Control) -> None:
        """Refuse what left 32 bits in a ground program.

        Raises
        ------
        InputError
            Names file, line, operation and values.
        """
        for atom in control.symbolic_atoms.by_signature(_LEAVES, 3):
            number, left, right = (argument.number for argument in atom.symbol.arguments)
            watched = self._watched[number]
            assert isinstance(watched, Operation)
            raise _refusal(watched, f"can be {left} {watched.sign} {right}")
        totals: dict[tuple[int, clingo.Symbol], int] = {}
        for atom in control.symbolic_atoms.by_signature(_WEIGHS, 3):
            number_, group, terms = atom.symbol.arguments
            weight = terms.arguments[0]
            if weight.type == clingo.SymbolType.Number:
                key = number_.number, group
                totals[key] = totals.get(key, 0) + abs(weight.number)
        for (number, _), total in totals.items():
            if total > CLINGO_LIMIT:
                raise _refusal(self._watched[number], f"can reach {total}")


def _refusal(watched: Operation | Sum, what: str) -> InputError:
    begin = watched.location.begin
    return InputError(
        f"{begin.filename}:{begin.line}: {watched.text} {what}; clingo's integers end at "
        f"{CLINGO_LIMIT}: use smaller numbers"
    )


def _fits(sign: str, left: int, right: int) -> bool:
    if sign == "**" and abs(left) > 1:
        # Negative exponents give 0. Large ones are never computed.
        return right < CLINGO_LIMIT.bit_length() and abs(left ** max(right, 0)) <= CLINGO_LIMIT
    results = {"+": left + right, "-": left - right, "*": left * right, "**": 1}
    return abs(results[sign]) <= CLINGO_LIMIT


class _Placed(clingo.ast.Transformer):
    """Gives every node the same place."""

    def __init__(self, location: clingo.ast.Location) -> None:
        self.location = location

    def visit(self, ast: AST) -> AST:
        changes = self.visit_children(ast)
        if "location" in ast.keys():  # noqa: SIM118 (no mapping)
            changes["location"] = self.location
        return ast.update(**changes)
