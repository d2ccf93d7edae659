"""Kinds of edits: what the rules in force keep of what is proved for the shipped ones.

The statements in force are compared with those that the package carries, as syntax trees. What is
added or missing decides; docs/rules.md says why each kind keeps what it keeps.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property

from clingo.ast import AST, ASTType

from offloadasp.asp.nonnegative import Signs, number
from offloadasp.asp.shipped import as_recorded, records, shipped_source
from offloadasp.asp.statements import (
    Signature,
    canonical,
    constants,
    heads,
    is_constraint,
    predicates,
    silent,
)
from offloadasp.asp.vetting.sources import Source

DEFINITION = "definition.lp"
"""The entry of the model: added rules are loaded with it."""

COST: Signature = ("cost", 4)
OCCUPIES: Signature = ("occupies", 3)
_PARTS = ("load", "write", "compute")


class Kind(StrEnum):
    """What an edit changes: the more, the less is kept."""

    NONE = "none"
    RESTRICTION = "restriction"
    REPRICING = "repricing"
    BOTH = "both"
    REDEFINITION = "redefinition"

    @property
    def keeps_bounds(self) -> bool:
        """Whether every strategy is one of the shipped rules, so that what they forbid stays so."""
        return self != Kind.REDEFINITION

    @property
    def restricts(self) -> bool:
        """Whether some of the shipped rules' strategies may be forbidden."""
        return self in (Kind.RESTRICTION, Kind.BOTH, Kind.REDEFINITION)

    @property
    def reprices(self) -> bool:
        """Whether something else may be minimised."""
        return self in (Kind.REPRICING, Kind.BOTH, Kind.REDEFINITION)


@dataclass(frozen=True)
class Statement:
    """A statement that the shipped rules do not have, or one of theirs that is missing.

    Attributes
    ----------
    file, line
        Where it is; of a missing one where it was.
    node
        The syntax tree.
    missing
        Whether it is one of the shipped rules'.
    """

    file: str
    line: int
    node: AST
    missing: bool = False

    @property
    def place(self) -> str:
        """File and line in one word."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Edit:
    """What differs from the shipped rules.

    Attributes
    ----------
    added, missing
        Statements, those that change no stable model left out.
    outside
        Statements of ``proof/`` and ``check/`` that differ.
    """

    added: tuple[Statement, ...] = ()
    missing: tuple[Statement, ...] = ()
    outside: tuple[Statement, ...] = ()

    @cached_property
    def kinds(self) -> list[tuple[Statement, Kind]]:
        """The kind of each statement that differs."""
        found = [(one, self._kind(one)) for one in (*self.added, *self.missing)]
        return found + [(one, Kind.REDEFINITION) for one in self.outside]

    @cached_property
    def kind(self) -> Kind:
        """The kind of all together."""
        there = {kind for _, kind in self.kinds} - {Kind.NONE}
        if Kind.REDEFINITION in there or len(there) < 2:
            return Kind.REDEFINITION if Kind.REDEFINITION in there else next(iter(there), Kind.NONE)
        return Kind.BOTH

    @property
    def deciding(self) -> tuple[Statement, ...]:
        """The statements that decided the kind."""
        wanted = {Kind.RESTRICTION, Kind.REPRICING} if self.kind == Kind.BOTH else {self.kind}
        return tuple(one for one, kind in self.kinds if kind in wanted - {Kind.NONE})

    @property
    def derived(self) -> frozenset[Signature]:
        """The predicates that the added statements derive."""
        found = {one for statement in self.added for one in heads(statement.node)}
        return frozenset(one for one in found if one is not None)

    @cached_property
    def constants(self) -> Mapping[str, AST]:
        """The values of the constants that the added statements define."""
        return {
            one.node.name: one.node.value
            for one in self.added
            if one.node.ast_type == ASTType.Definition
        }

    @cached_property
    def signs(self) -> Signs:
        """Which terms of the added statements cannot be negative."""
        return Signs([one.node for one in self.added], vocabulary(), self.constants)

    def _kind(self, statement: Statement) -> Kind:
        node = statement.node
        if silent(node):
            return Kind.NONE
        if node.ast_type == ASTType.Minimize:
            return Kind.REPRICING
        if node.ast_type == ASTType.Definition:
            fresh = not statement.missing and node.name not in _symbols()
            return Kind.NONE if fresh else Kind.REDEFINITION
        derived = set(heads(node))
        if derived == {COST} and _plain(node):
            return Kind.REPRICING
        if statement.missing:
            return Kind.REDEFINITION
        if node.ast_type == ASTType.Edge or is_constraint(node):
            return Kind.RESTRICTION
        if node.ast_type in (ASTType.Rule, ASTType.External) and all(
            self._free(one, node) for one in derived
        ):
            return Kind.RESTRICTION
        return Kind.REDEFINITION

    def _free(self, predicate: Signature | None, node: AST) -> bool:
        """Whether rules may derive a predicate and leave the shipped atoms as they are."""
        if predicate == OCCUPIES and _plain(node):
            return self.signs.term(node.head.atom.symbol.arguments[2], node.body)
        return predicate is not None and predicate not in vocabulary()

    @cached_property
    def more_room(self) -> bool:
        """Whether blocks take more room than under the shipped rules."""
        return any(OCCUPIES in heads(one.node) for one in self.added)

    def kept(self, objective: str) -> frozenset[str] | None:
        """Return what is left of what an objective counts: ``load``, ``write``, ``compute``.

        Returns
        -------
        frozenset or None
            None: nothing, as its own statement is gone.
        """
        file = f"model/objective/{objective}.lp"
        gone = [one for one in self.missing if one.file == file]
        lost = set()
        for one in gone:
            part = str(one.node.head.atom.symbol.arguments[0]) if _plain(one.node) else ""
            if part not in _PARTS:
                return None
            lost.add(part)
        return frozenset(_PARTS) - lost

    def pays(self, objective: str | None, priority: int, chosen: Mapping[str, int]) -> bool:
        """Whether a term that is added at a priority may be negative.

        Parameters
        ----------
        objective
            The one that is minimised at the priority, if any.
        chosen
            The priorities of all objectives, by name.
        """
        return any(
            not self.signs.term(weight, node.body)
            for node, weight in self._terms(objective, priority, chosen)
        )

    def prices_at(self, objective: str | None, priority: int, chosen: Mapping[str, int]) -> bool:
        """Whether a term is added at a priority."""
        return any(True for _ in self._terms(objective, priority, chosen))

    def _terms(
        self, objective: str | None, priority: int, chosen: Mapping[str, int]
    ) -> Iterator[tuple[AST, AST]]:
        for one in self.added:
            node = one.node
            if node.ast_type == ASTType.Minimize:
                if self.priority_of(node, chosen) in (None, priority):
                    yield node, node.weight
            elif set(heads(node)) == {COST} and objective == "duration":
                yield node, node.head.atom.symbol.arguments[3]

    def priority_of(self, node: AST, chosen: Mapping[str, int]) -> int | None:
        """Return the priority of a statement that minimises; None if it is not known."""
        by_name = {f"{name}_priority": at for name, at in chosen.items()}
        return by_name.get(str(node.priority), number(node.priority, self.constants))


def edit_of(program: Iterable[tuple[str, Source]], outside: Iterable[tuple[str, Source]]) -> Edit:
    """Compare the statements in force with the shipped ones.

    Parameters
    ----------
    program
        All files of the definition, of every objective, and those that are added, with names.
    outside
        Files of ``proof/`` and ``check/`` that differ, with names.
    """
    added, missing = _compared(program, model_names())
    others: list[Statement] = []
    for name, source in outside:
        more, less = _compared([(name, source)], [name])
        others += [*more, *less]
    return Edit(added, missing, tuple(others))


def _compared(
    given: Iterable[tuple[str, Source]], names: Sequence[str]
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    left = Counter(text for name in names for _, text in records()[name]["statements"])
    added = []
    for file, source in given:
        for text, node in _told(file, source):
            if left[text] > 0:
                left[text] -= 1
            elif not silent(node):
                added.append(Statement(file, node.location.begin.line, node))
    missing = []
    for name in names:
        for (line, text), node in zip(
            records()[name]["statements"], shipped_statements(name), strict=True
        ):
            if left[text] > 0:
                left[text] -= 1
                if not silent(node):
                    missing.append(Statement(name, line, node, missing=True))
    return tuple(added), tuple(missing)


def _told(file: str, source: Source) -> Iterable[tuple[str, AST]]:
    """Return the statements of a file and their canonical texts: known, if it is as shipped."""
    if not as_recorded(file, source.whole):
        return ((canonical(node), node) for node in statements(source))
    texts = (text for _, text in records()[file]["statements"])
    return zip(texts, shipped_statements(file), strict=True)


def model_names() -> list[str]:
    """Return the names of the files that hold the definition and the objectives."""
    return [name for name in records() if name.startswith("model/") or name == DEFINITION]


def statements(source: Source) -> list[AST]:
    """Return the statements of a file."""
    found: list[AST] = []
    source.parse(found.append)
    return found


@cache
def shipped_statements(name: str) -> list[AST]:
    """Return the statements of a shipped file."""
    return statements(shipped_source(name))


def _model() -> Iterator[AST]:
    for name in model_names():
        yield from shipped_statements(name)


@cache
def vocabulary() -> frozenset[Signature]:
    """Return the predicates of the definition, of all objectives and of the instances' facts."""
    found = {one for node in _model() for one in predicates(node)}
    return frozenset(found | {("bias", 0)})


@cache
def _symbols() -> frozenset[str]:
    """Return the names of constants and predicates of the shipped rules and the facts."""
    found = {name for node in _model() for name in constants(node)}
    found |= {node.name for node in _model() if node.ast_type == ASTType.Definition}
    return frozenset(found | {name.lstrip("-") for name, _ in vocabulary()})


def _plain(node: AST) -> bool:
    """Whether a statement is a rule whose head is an atom."""
    return (
        node.ast_type == ASTType.Rule
        and node.head.ast_type == ASTType.Literal
        and node.head.atom.ast_type == ASTType.SymbolicAtom
    )
