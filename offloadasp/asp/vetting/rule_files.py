"""Files of rules that users edit or add: each is looked through before clingo loads it.

Nothing in it is ever executed, it includes nothing from elsewhere, and what it says counts.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import clingo
import clingo.ast

from offloadasp.asp.vetting.sources import Source, read_source
from offloadasp.asp.vetting.watched import RESERVED
from offloadasp.base.errors import InputError
from offloadasp.base.resources import encodings_folder
from offloadasp.model.problem import CLINGO_LIMIT

MINIMIZE = "#minimize"
"""Stands for minimize statements among the predicates in heads."""


@dataclass(frozen=True)
class Vetted:
    """A file of rules that may be loaded, as it was read.

    Attributes
    ----------
    source
        The file.
    heads
        Predicates in the heads of its rules, and `MINIMIZE`.
    """

    source: Source
    heads: frozenset[str]


def look_through(
    path: Path, allowed: Sequence[Path], trusted: Callable[[Path], bool]
) -> list[Vetted]:
    """Refuse a file that may not be loaded, or includes such a file.

    Parameters
    ----------
    allowed
        Folders that included files may be in, without links.
    trusted
        Whether a file that is included need not be looked through.

    Raises
    ------
    InputError
        See `offloadasp.asp.rules.rules_in_force`.
    """
    if not path.is_file():
        raise InputError(f"{path}: is no file of rules (.lp)")
    return [
        Vetted(source, _heads_of(source))
        for source in _scan(path, allowed, set())
        if source.path == path or not trusted(source.path)
    ]


def _heads_of(source: Source) -> frozenset[str]:
    messages: list[str] = []
    findings: list[str] = []
    heads: set[str] = set()

    def visit(node: clingo.ast.AST) -> None:
        heads.update(_heads(node))
        place = f"{source.path}:{node.location.begin.line}"
        if node.ast_type == clingo.ast.ASTType.Script:
            findings.append(f"{place}: scripts are not allowed in rules")
        elif _holds_external_function(node):
            findings.append(f"{place}: @ terms are not allowed in rules")
        elif complaint := _complaint(node):
            findings.append(f"{place}: {complaint}")

    try:
        source.parse(visit, messages.append)
    except RuntimeError as error:
        raise InputError(one_line(messages[0] if messages else f"{source.path}: {error}")) from None
    if findings:
        raise InputError(findings[0])
    return frozenset(heads)


def resolved(path: Path) -> Path:
    """Return a path without links.

    Raises
    ------
    InputError
        Its links lead nowhere.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # which one depends on the version of Python
        raise InputError(f"{path}: cannot be read: its links lead nowhere") from None


def _scan(path: Path, allowed: Sequence[Path], seen: set[Path]) -> Iterator[Source]:
    """Read a file and what it includes; refuse includes from elsewhere and odd characters.

    clingo ends the process where it has to quote a character outside ASCII byte by byte.
    """
    if resolved(path) in seen:
        return
    seen.add(resolved(path))
    source = read_source(path)
    for number, line in enumerate(source.code.splitlines(), start=1):
        wrong = re.search(r"[^\x00-\x7f]", line)
        if wrong:
            raise InputError(
                f"{path}:{number}: {wrong.group()!a} is allowed in strings and comments only"
            )
        if RESERVED in line:
            raise InputError(f"{path}:{number}: names with {RESERVED} in them are not allowed")
        numbers = re.findall(r"\b(?:0x[\da-fA-F]+|0o[0-7]+|0b[01]+|\d+)\b", line)
        large = next((n for n in numbers if _value(n) > CLINGO_LIMIT), None)
        if large:
            raise InputError(f"{path}:{number}: {large} is too large; at most {CLINGO_LIMIT}")
    yield source
    for name in source.included:
        inner = path.parent / name
        if not any(resolved(inner).is_relative_to(folder) for folder in allowed):
            raise InputError(f"{path}: includes {name}, which is outside the folders given")
        if not inner.is_file():
            raise InputError(f"{path}: includes {name}, which is no file beside it")
        yield from _scan(inner, allowed, seen)


def _value(number: str) -> int:
    """Return a number as clingo reads it: a decimal one may begin with 0."""
    return int(number, 0) if number[1:2].isalpha() else int(number)


def _heads(node: clingo.ast.AST) -> set[str]:
    if node.ast_type == clingo.ast.ASTType.Minimize:
        return {MINIMIZE}
    if node.ast_type != clingo.ast.ASTType.Rule:
        return set()
    # Terms inside an atom are among them; their names are no predicates of objectives.
    return set(re.findall(r"\b[a-z]\w*(?=\()", str(node.head)))


def _complaint(node: clingo.ast.AST) -> str:
    """Return why a statement may not be in rules, or nothing."""
    kinds = clingo.ast.ASTType
    if node.ast_type == kinds.External:
        name = str(node.atom.symbol).split("(", maxsplit=1)[0].lstrip("-")
        if name in _vocabulary():
            return f"#external of {name} is not allowed: the encodings or the instance define it"
    if node.ast_type == kinds.Program and (node.name != "base" or node.parameters):
        return f"#program {node.name} is not allowed: only the base program is solved"
    if node.ast_type in (kinds.TheoryDefinition, kinds.TheoryAtom):
        return "#theory is not allowed: nothing would decide its atoms"
    return ""


@cache
def _vocabulary() -> frozenset[str]:
    """Return the predicates that the shipped encodings define or take as facts."""
    names: set[str] = set()

    class Visitor(clingo.ast.Transformer):
        def visit_SymbolicAtom(self, atom: clingo.ast.AST) -> clingo.ast.AST:  # noqa: N802
            names.add(str(atom.symbol).split("(", maxsplit=1)[0])
            return atom

    def visit(node: clingo.ast.AST) -> None:
        Visitor().visit(node)

    for path in sorted(encodings_folder().rglob("*.lp")):
        read_source(path).parse(visit)
    return frozenset(names)


def _holds_external_function(node: clingo.ast.AST) -> bool:
    found = False

    class Visitor(clingo.ast.Transformer):
        def visit_Function(self, function: clingo.ast.AST) -> clingo.ast.AST:  # noqa: N802 (clingo's name)
            nonlocal found
            found = found or bool(function.external)
            return function.update(**self.visit_children(function))

    Visitor().visit(node)
    return found


def one_line(message: str) -> str:
    """Return a message of clingo in one line."""
    return re.sub(r"\s+", " ", message).strip()
