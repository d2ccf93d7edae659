"""Arithmetic in users' rules: clingo's integers have 32 bits and wrap silently, so rules watch it.

For every operation and every sum of a statement, statements of ours with the same body collect the
values that clingo computes while it grounds the statement. They are then added exactly. Ours are
`#external`: whatever the solver decides, all values count, and nothing of it reaches the solver.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import clingo
import clingo.ast
from clingo.ast import AST, ASTType

from offloadasp.asp.vetting.watched import RESERVED, Operation, Sum, arithmetic
from offloadasp.base.errors import InputError
from offloadasp.model.problem import CLINGO_LIMIT

_COMPUTES, _WEIGHS = f"_computes{RESERVED}", f"_weighs{RESERVED}"
_LEFT, _RIGHT = f"_Left{RESERVED}", f"_Right{RESERVED}"

# Two numbers up to these have a result within 32 bits. Those of powers are always looked at.
_HARMLESS = {"+": 2**30 - 1, "-": 2**30 - 1, "*": 2**15 - 1}


@dataclass
class Watch:
    """Statements that watch the arithmetic of others, to be grounded with them."""

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
        atom = f"{_COMPUTES}({number}, {_LEFT}, {_RIGHT})"
        values = (f"{_LEFT} = {watched.left}", f"{_RIGHT} = {watched.right}")
        body = _first_safe(atom, [(*body, *values) for body in watched.bodies])
        most = _HARMLESS.get(watched.sign)
        large = [f"{term} {end}" for term in (_LEFT, _RIGHT) for end in (f"> {most}", f"< -{most}")]
        for filters in [()] if most is None else [(one,) for one in large]:
            self._add(_collecting(atom, (*body, *filters)), watched.location)

    def _watch_sum(self, number: int, watched: Sum) -> None:
        for terms, bodies in watched.elements:
            tuples = (f"({', '.join(part)},)" if part else "()" for part in (watched.group, terms))
            atom = f"{_WEIGHS}({number}, {', '.join(tuples)})"
            self._add(_collecting(atom, _first_safe(atom, bodies)), watched.location)

    def _add(self, statement: str, location: clingo.ast.Location) -> None:
        def place(node: AST) -> None:
            # What clingo has to say of ours, it then says of the user's statement at its place.
            if node.ast_type == ASTType.External:
                self.rules.append(_Placed(location).visit(node))

        clingo.ast.parse_string(statement, place)

    def require_fit(self, control: clingo.Control) -> None:
        """Refuse what left 32 bits in a ground program.

        Raises
        ------
        InputError
            Names file, line, operation and values.
        """
        for atom in control.symbolic_atoms.by_signature(_COMPUTES, 3):
            index, left, right = atom.symbol.arguments
            watched = self._watched[index.number]
            assert isinstance(watched, Operation)
            # What is no number is no arithmetic, which clingo itself tells.
            if left.type == right.type == clingo.SymbolType.Number:
                operands = left.number, right.number
                if not _fits(watched.sign, *operands):
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


def _collecting(atom: str, body: Sequence[str]) -> str:
    return f"#external {atom} : {'; '.join(body) or '#true'}."


def _first_safe(atom: str, bodies: Sequence[Sequence[str]]) -> Sequence[str]:
    """Return the first body in which every variable gets its values from a literal, or the last."""
    for body in bodies[:-1]:
        # clingo looks through parts that it does not ground.
        control = clingo.Control(logger=lambda *_: None)
        control.add("apart", [], _collecting(atom, body))
        with contextlib.suppress(RuntimeError):
            control.ground([("base", [])])
            return body
    return bodies[-1]


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
