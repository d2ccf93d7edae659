"""Prices of a user on what every strategy does: on blocks, operations, bytes, compute actions.

Such a price counts in a lower bound where the syntax tree shows that each of them pays it: the
weight is a number above 0, the body asks for one action and for nothing else, and the tuple tells
each thing from the next one. Equal tuples pay once, so of two statements whose tuples may be equal
only the first one counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from clingo.ast import AST, ASTType, BinaryOperator, Sign

from offloadasp.asp.edit_kinds import COST, Edit, Statement, shipped_statements
from offloadasp.asp.nonnegative import direct, number
from offloadasp.asp.statements import Signature, heads, nodes, signature
from offloadasp.model.objectives import DURATION

_LOADED, _WRITTEN = ("pixels", "kernels"), ("outputs",)
# What each action is done to, each of them at least once.
_DONE_TO: dict[Signature, tuple[str, ...]] = {
    ("load", 2): _LOADED,
    ("free", 2): _LOADED,
    ("write", 2): _WRITTEN,
    ("compute", 2): ("operations",),
}
_MOVED = {"load": _LOADED, "write": _WRITTEN}
# There is one for every compute action, and its step tells it from the others.
_STEPS = {("computing", 1), ("active", 1)}
_TERMS: dict[Signature, str] = {
    ("pixel", 3): "pixels",
    ("kernel", 2): "kernels",
    ("output", 3): "outputs",
    ("op", 4): "operations",
}
# The words of duration.lp for its own costs and waits.
_SHIPPED_COSTS = {"load", "write", "compute", "wait"}


def priced(
    edit: Edit, objective: str | None, priority: int, chosen: Mapping[str, int]
) -> dict[str, int]:
    """Return what the user's prices at a priority add to the cost of every strategy.

    Parameters
    ----------
    objective
        The one that is minimised at the priority, if any.
    chosen
        The priorities of all objectives, by name.

    Returns
    -------
    dict
        The price of each of the ``pixels``, ``kernels``, ``outputs`` and ``operations``, of each
        byte loaded (``load``) or written (``write``), and of each compute action (``compute``), in
        units of the rules; what has no price is left out.
    """
    statements = shipped_statements(f"model/objective/{objective}.lp") if objective else []
    shipped = [[one.weight, *one.terms] for one in statements if one.ast_type == ASTType.Minimize]
    terms = []
    for one in edit.added:
        term = _term(edit, one, objective, priority, chosen)
        if term is not None:
            # A cost of a kind of its own is equal to no tuple of the shipped objective.
            others = shipped if one.node.ast_type == ASTType.Minimize else []
            terms.append((term, one.node.body, others))
    return prices_of_all(edit, terms)


def prices_of_all(
    edit: Edit, terms: Iterable[tuple[Sequence[AST], Sequence[AST], Sequence[Sequence[AST]]]]
) -> dict[str, int]:
    """Return the prices that terms of a sum put on what every strategy does, see `priced`.

    Parameters
    ----------
    terms
        Of each its tuple, weight first; its body; and tuples that pay in its place if equal.
    """
    taken: list[Sequence[AST]] = []
    found: Counter[str] = Counter()
    for term, body, others in terms:
        prices = _prices(edit, term, body)
        if prices and all(_differ(edit, term, other) for other in (*taken, *others)):
            taken.append(term)
            found.update(prices)
    return dict(found)


def _term(
    edit: Edit, one: Statement, objective: str | None, priority: int, chosen: Mapping[str, int]
) -> Sequence[AST] | None:
    """Return weight and tuple of a statement that surely counts at a priority; else None."""
    node = one.node
    if node.ast_type == ASTType.Minimize:
        folder, _, file = one.file.rpartition("/")
        idle = folder == "model/objective" and file.removesuffix(".lp") not in chosen
        counts = edit.priority_of(node, chosen) == priority and not idle
        return [node.weight, *node.terms] if counts else None
    if objective != DURATION or set(heads(node)) != {COST} or edit.kept(DURATION) is None:
        return None
    kind, step, block, cycles = node.head.atom.symbol.arguments
    word = _word(edit, kind)
    return [cycles, kind, step, block] if word and word not in _SHIPPED_COSTS else None


def _prices(edit: Edit, term: Sequence[AST], body: Sequence[AST]) -> dict[str, int]:
    """Return the prices that a tuple puts on what a body asks for; empty where that is not sure."""
    weight, *terms = term
    told = {name for one in terms for name in direct(one)}
    atom = _only_atom(body)
    if atom is None:
        return {}
    predicate, arguments = signature(atom), atom.symbol.arguments
    assert predicate is not None
    price = number(weight, edit.constants) or 0
    if predicate in _STEPS:
        return {"compute": price} if price > 0 and str(arguments[0]) in told else {}
    if predicate == ("moved", 4):
        action, block, step, size = arguments
        actions = [*_MOVED] if action.ast_type == ASTType.Variable else [_word(edit, action)]
        times = _times(edit, weight, size)
        if times > 0 and {str(block), str(step)} <= told:
            return {one: times for one in actions if one in _MOVED}
        kinds = [kind for one in actions for kind in _MOVED.get(one, ())]
    else:
        block, kinds = arguments[0], [*_DONE_TO.get(predicate, ())]
    return {kind: price for kind in kinds if price > 0 and _tells(block, kind, told)}


def _only_atom(body: Sequence[AST]) -> AST | None:
    """Return the one action that a body asks for, if it is any action of its kind; else None."""
    asked = None
    for literal in body:
        atom = literal.atom if literal.ast_type == ASTType.Literal else None
        if atom is None or literal.sign != Sign.NoSign or atom.ast_type != ASTType.SymbolicAtom:
            return None
        # That a step is one says nothing.
        if signature(atom) == ("step", 1):
            continue
        if asked is not None or signature(atom) not in {*_DONE_TO, *_STEPS, ("moved", 4)}:
            return None
        asked = atom
    if asked is None:
        return None
    names = [one.name for one in nodes(asked, ASTType.Variable) if one.name != "_"]
    step = asked.symbol.arguments[2 if asked.symbol.name == "moved" else -1]
    steps = {str(one.atom.symbol.arguments[0]) for one in body if one.atom != asked}
    free = step.ast_type == ASTType.Variable and len(set(names)) == len(names)
    return asked if free and steps <= {str(step)} else None


def _tells(block: AST, kind: str, told: set[str]) -> bool:
    """Whether a term stands for every block of a kind, and a tuple tells one from another."""
    if block.ast_type == ASTType.Variable:
        return block.name in told
    if block.ast_type != ASTType.Function:
        return False
    variables = {one.name for one in block.arguments if one.ast_type == ASTType.Variable}
    whole = _TERMS.get((block.name, len(block.arguments))) == kind
    return whole and len(variables) == len(block.arguments) and variables <= told


def _times(edit: Edit, weight: AST, size: AST) -> int:
    """Return how many times a size a weight is; 0 if it is anything else."""
    if size.ast_type != ASTType.Variable:
        return 0
    if weight.ast_type == ASTType.BinaryOperation:
        if weight.operator_type != BinaryOperator.Multiplication:
            return 0
        factors = weight.left, weight.right
        others = [one for one in factors if one != size]
        return number(others[0], edit.constants) or 0 if len(others) == 1 else 0
    return int(weight == size)


def _word(edit: Edit, term: AST) -> str:
    """Return a word that stands for itself; else an empty one."""
    plain = term.ast_type == ASTType.SymbolicTerm and str(term).isidentifier()
    return str(term) if plain and str(term) not in edit.constants else ""


def _differ(edit: Edit, one: Sequence[AST], other: Sequence[AST]) -> bool:
    """Whether no instance of a tuple is one of another tuple."""
    return len(one) != len(other) or any(
        _unequal(edit, left, right) for left, right in zip(one, other, strict=True)
    )


def _unequal(edit: Edit, one: AST, other: AST) -> bool:
    numbers = number(one, edit.constants), number(other, edit.constants)
    words = _word(edit, one), _word(edit, other)
    known = None not in numbers or all(words)
    return known and (numbers, words) != (numbers[::-1], words[::-1])
