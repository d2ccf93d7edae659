"""Limits of a user that are below what every strategy takes, whatever its number of steps.

Such as ``:- #count { B, T : load(B, T) } > 20.``, or a deadline on the sum of all costs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import clingo.ast
from clingo.ast import AST, AggregateFunction, ASTType, ComparisonOperator, Sign

from offloadasp.asp.edit_kinds import COST, Edit, Statement
from offloadasp.asp.facts import scale_of, scaled_times
from offloadasp.asp.nonnegative import number
from offloadasp.asp.priced import prices_of_all
from offloadasp.asp.statements import is_constraint, signature
from offloadasp.bounds.edited import verify_edited
from offloadasp.model.instance import Instance, exact_number
from offloadasp.model.objectives import DURATION, FREE, prices_of
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.construct.decompose import coarsest_in_scope
from offloadasp.search.question import whole_of


@dataclass(frozen=True)
class Unaffordable:
    """A constraint whose sum every strategy takes above its limit.

    Attributes
    ----------
    most, least
        What the sum may be, and a lower bound on what it is.
    """

    statement: Statement
    most: int
    least: Fraction


def unaffordable(
    instance: Instance, edit: Edit, certificate: Callable[[], Mapping[str, Any]]
) -> Unaffordable | None:
    """Return a constraint with a limit that no strategy keeps; None if none is known.

    Parameters
    ----------
    certificate
        Returns what proves the lower bounds of bytes moved and compute actions; that may take time.
    """
    whole = whole_of(instance, FREE, instance.accelerator.memory)
    whole = whole.within(whole.memory)
    for one in edit.added:
        found = _limit(edit, one)
        if found is None:
            continue
        most, aggregate = found
        prices = _of_costs(edit, whole, aggregate) or _prices(edit, aggregate)
        if prices:
            coarse = problem_of(instance, coarsest_in_scope(instance))
            least = verify_edited(whole, coarse, {**certificate(), "priced": prices})
            if least > most:
                return Unaffordable(one, most, least)
    return None


def _limit(edit: Edit, one: Statement) -> tuple[int, AST] | None:
    """Return the most that a constraint allows of a sum, and the sum; None if it is another."""
    if not is_constraint(one.node) or len(one.node.body) != 1:
        return None
    (literal,), head = one.node.body, one.node.head
    aggregate = literal.atom if literal.ast_type == ASTType.Literal else None
    if head.atom.ast_type != ASTType.BooleanConstant or literal.sign != Sign.NoSign:
        return None
    if aggregate is None or aggregate.ast_type != ASTType.BodyAggregate or aggregate.right_guard:
        return None
    limit = number(aggregate.left_guard.term, edit.constants)
    below = {ComparisonOperator.LessThan: 0, ComparisonOperator.LessEqual: 1}
    less = below.get(aggregate.left_guard.comparison)
    return None if limit is None or less is None else (limit - less, aggregate)


def _prices(edit: Edit, aggregate: AST) -> dict[str, int]:
    """Return the prices that a sum puts on what every strategy does; empty if it may pay."""
    counts = aggregate.function == AggregateFunction.Count
    if not counts and aggregate.function not in (AggregateFunction.Sum, AggregateFunction.SumPlus):
        return {}
    terms = []
    for element in aggregate.elements:
        one = clingo.ast.SymbolicTerm(aggregate.location, clingo.Number(1))
        term = [one, *element.terms] if counts else list(element.terms)
        if not term or not edit.signs.term(term[0], element.condition):
            return {}
        terms.append((term, element.condition, ()))
    return prices_of_all(edit, terms)


def _of_costs(edit: Edit, whole: Problem, aggregate: AST) -> dict[str, int | str]:
    """Return the prices of the sum of all costs; empty if the sum is another."""
    if aggregate.function == AggregateFunction.Count or len(aggregate.elements) != 1:
        return {}
    (element,) = aggregate.elements
    if len(element.condition) != 1 or element.condition[0].sign != Sign.NoSign:
        return {}
    atom = element.condition[0].atom
    if atom.ast_type != ASTType.SymbolicAtom or signature(atom) != COST:
        return {}
    names, weight, *others = [*map(str, atom.symbol.arguments)], *map(str, element.terms)
    variables = all(one.ast_type == ASTType.Variable for one in atom.symbol.arguments)
    if not variables or len({*names}) < 4 or weight != names[3] or not {*names[:3]} <= {*others}:
        return {}
    if not edit.signs.term(element.terms[0], element.condition):
        return {}
    kept = edit.kept(DURATION) or frozenset()
    own = whole.at(prices_of(DURATION, whole.instance))
    cycles = scaled_times(own) if whole.semantics.overlaps else scale_of(own)
    return {part: exact_number(Fraction(getattr(cycles, part))) for part in sorted(kept)}
