"""Files of rules as they were read once: text, includes and statements.

clingo looks for an included file in the current folder first. So includes are followed here, from
the folder of the file that holds them, and clingo is given one file at a time.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import clingo.ast
from clingo.ast import AST, ASTType, Location, Position

from offloadasp.asp.statements import children
from offloadasp.base.errors import InputError
from offloadasp.base.files import read_text

# What clingo calls a text that it was given as a string.
_STRING = "<string>"
_TOKENS = re.compile(r'%\*|%[^\n]*|"(?:\\.|[^"\\\n])*"')
_INCLUDE = re.compile(r'#include\s*(?:"(?P<file>[^"\n]*)"|<(?P<system>[^>\n]*)>)\s*\.')


@dataclass(frozen=True)
class Source:
    """A file of rules.

    Attributes
    ----------
    path
        Where it was read.
    text
        The text without its includes; every line keeps its number.
    included
        The names of the files that it includes, as written.
    original
        The text with its includes; None: as ``text``.
    """

    path: Path
    text: str
    included: tuple[str, ...]
    original: str | None = None

    @property
    def whole(self) -> str:
        """The text of the file."""
        return self.text if self.original is None else self.original

    @property
    def code(self) -> str:
        """The text with spaces in place of comments and strings."""
        return _without(self.text, strings=True)

    def parse(
        self, visit: Callable[[AST], None], logger: Callable[[str], None] = lambda _: None
    ) -> None:
        """Call ``visit`` with every statement and ``logger`` with every message of clingo.

        Comments and the ``#program base`` that every file begins with are no statements.

        Raises
        ------
        RuntimeError
            The text is no program. The first message says why.
        """
        name = str(self.path)

        def place(node: AST) -> None:
            first = node.location.begin
            begins = node.ast_type == ASTType.Program and (first.line, first.column) == (1, 1)
            implied = begins and not self.text.startswith("#program")
            if node.ast_type != ASTType.Comment and not implied:
                _rename(node, name)
                visit(node)

        clingo.ast.parse_string(
            self.text, place, logger=lambda _, text: logger(text.replace(_STRING, name))
        )


def read_source(path: Path) -> Source:
    """Read a file of rules.

    Raises
    ------
    InputError
        It cannot be read, holds a NUL, at which clingo would stop, or an include is not of the form
        ``#include "FILE".``
    """
    text = read_text(path)
    if "\0" in text:
        raise InputError(f"{path}: is no text: it holds the character NUL")
    code, uncommented = _without(text, strings=True), _without(text, strings=False)
    included, original = [], text
    for start in (found.start() for found in re.finditer("#include", code)):
        found = _INCLUDE.match(uncommented, start)
        if found is None:
            number = code.count("\n", 0, start) + 1
            raise InputError(f'{path}:{number}: includes must have the form #include "FILE".')
        if found["system"] is not None:
            raise InputError(
                f"{path}: includes {found['system']}, which is outside the folders given"
            )
        included.append(found["file"])
        text = text[:start] + _blank(found.group()) + text[found.end() :]
    return Source(path, text, tuple(included), original)


def unfold(paths: Iterable[Path], read: Mapping[Path, Source]) -> Iterator[Source]:
    """Yield files and what they include, each once.

    Parameters
    ----------
    read
        Files that were read before, by their paths without links: they are not read again.
    """
    left, seen = list(paths), set[Path]()
    while left:
        path = left.pop(0)
        resolved = path.resolve()
        if resolved not in seen:
            seen.add(resolved)
            source = read.get(resolved) or read_source(path)
            yield source
            left[:0] = [path.parent / name for name in source.included]


@lru_cache(maxsize=128)  # the same few files are read for every program
def _without(text: str, *, strings: bool) -> str:
    """Put spaces in place of comments, and of strings if asked to."""
    parts, end = [], 0
    while token := _TOKENS.search(text, end):
        last = _end_of_comment(text, token.end()) if token.group() == "%*" else token.end()
        kept = token.group().startswith('"') and not strings
        whole = text[token.start() : last]
        parts += [text[end : token.start()], whole if kept else _blank(whole)]
        end = last
    return "".join([*parts, text[end:]])


def _end_of_comment(text: str, start: int) -> int:
    """Return where a comment ends that began before; comments may hold comments."""
    depth = 1
    for token in re.compile(r"%\*|\*%").finditer(text, start):
        depth += 1 if token.group() == "%*" else -1
        if depth == 0:
            return token.end()
    return len(text)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _rename(node: AST, name: str) -> None:
    """Say of a statement and all its parts that they are in a file."""
    for child in children(node):
        _rename(child, name)
    if "location" in node.keys():  # noqa: SIM118 (no mapping)
        begin, end = node.location.begin, node.location.end
        node.location = Location(
            Position(name, begin.line, begin.column), Position(name, end.line, end.column)
        )
