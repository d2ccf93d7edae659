"""Deletes rules and literals of ``encodings/*.lp``, one at a time, and asks whether that shows.

``python -m tests.engines.deletion FILE`` judges all deletions of one file and prints them as JSON.
What the shipped rules answer to the probes, other tests hold against searches and loops
without clingo; here a deletion has to change an answer.
"""

import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import clingo.ast

from offloadasp.asp.shipped import shipped_names
from offloadasp.base.errors import OffloadError
from tests.engines.probes import SHIPPED, Probe, probes

# Files that only include others.
ENTRIES = ("definition.lp", "solve.lp", "model/definition.lp", "proof/refute.lp")
# A comment above a rule that says so: without the rule the answers are the same.
MARK = "Redundant"


@dataclass(frozen=True)
class Deletion:
    """A file without a rule or a literal.

    Attributes
    ----------
    line
        Of the rule.
    what
        The rule, or the rule and the literal.
    text
        All that is left.
    marked
        Whether the comment above says that the rule is redundant.
    """

    file: str
    line: int
    what: str
    text: str
    marked: bool


def files() -> list[str]:
    """Return the files that hold rules of their own."""
    return [name for name in shipped_names() if name not in ENTRIES]


def deletions(file: str) -> list[Deletion]:
    """Return all deletions of one rule, one literal, or one element of an aggregate."""
    path = SHIPPED / file
    nodes: list[clingo.ast.AST] = []
    clingo.ast.parse_files([str(path)], nodes.append)
    source = path.read_text(encoding="utf-8").splitlines()
    found = []
    for k, node in enumerate(nodes):
        if node.ast_type == clingo.ast.ASTType.Definition and not node.is_default:
            continue
        line = node.location.begin.line
        marked = _marked(source, line)
        for what, left in _less(node):
            texts = [str(other) for j, other in enumerate(nodes) if j != k]
            text = "\n".join([*texts, *_known(node), left])
            found.append(Deletion(file, line, what, text, marked))
    return found


def _marked(source: Sequence[str], line: int) -> bool:
    """Whether a comment says so in the block, without an empty line, that ends with the rule."""
    for above in reversed(source[: line - 1]):
        if not above.strip():
            return False
        if above.startswith("%") and re.search(rf"\b{MARK}\b", above):
            return True
    return False


def _less(node: clingo.ast.AST) -> Iterator[tuple[str, str]]:
    kinds = clingo.ast.ASTType
    if node.ast_type in (kinds.Rule, kinds.Minimize, kinds.ShowSignature):
        yield f"{node}", ""
    if node.ast_type not in (kinds.Rule, kinds.Minimize):
        return
    for k, literal in enumerate(node.body):
        yield f"{node}  without  {literal}", str(node.update(body=_without(node.body, k)))
        for inner, changed in _inside(literal):
            body = [*node.body[:k], changed, *node.body[k + 1 :]]
            yield f"{node}  without  {inner}", str(node.update(body=body))


def _inside(literal: clingo.ast.AST) -> Iterator[tuple[str, clingo.ast.AST]]:
    """Yield parts of an aggregate or a conditional literal, and the literal without each."""
    if literal.ast_type == clingo.ast.ASTType.ConditionalLiteral:
        for k, condition in enumerate(literal.condition):
            yield str(condition), literal.update(condition=_without(literal.condition, k))
        return
    aggregate = literal.atom
    if aggregate.ast_type != clingo.ast.ASTType.BodyAggregate:
        return
    for k, element in enumerate(aggregate.elements):
        if len(aggregate.elements) > 1:
            less = aggregate.update(elements=_without(aggregate.elements, k))
            yield str(element), literal.update(atom=less)
        for j, condition in enumerate(element.condition):
            changed = element.update(condition=_without(element.condition, j))
            elements = [*aggregate.elements[:k], changed, *aggregate.elements[k + 1 :]]
            yield (
                f"{condition}: {element}",
                literal.update(atom=aggregate.update(elements=elements)),
            )


def _without(items: Sequence[clingo.ast.AST], k: int) -> list[clingo.ast.AST]:
    return [item for j, item in enumerate(items) if j != k]


def _known(node: clingo.ast.AST) -> list[str]:
    """Return lines that keep the heads of a rule known predicates without it."""
    if node.ast_type != clingo.ast.ASTType.Rule:
        return []
    found = []

    class Visitor(clingo.ast.Transformer):
        def visit_SymbolicAtom(self, atom: clingo.ast.AST) -> clingo.ast.AST:  # noqa: N802
            symbol = atom.symbol
            found.append(f"#defined {symbol.name}/{len(symbol.arguments)}.")
            return atom

    Visitor().visit(node.head)
    return found


@cache
def _asked(file: str) -> list[Probe]:
    return probes(file)


@cache
def _answer(file: str, k: int) -> object:
    """Return what the shipped rules answer to a probe."""
    with _copy() as folder:
        return _asked(file)[k](folder)


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "encodings"
        shutil.copytree(SHIPPED, folder)
        yield folder


def noticed(deletion: Deletion) -> str:
    """Return how a deletion shows: ``refused`` by clingo, ``noticed`` by a probe, or ``unseen``."""
    with _copy() as folder:
        (folder / deletion.file).write_text(deletion.text, encoding="utf-8")
        for k, probe in enumerate(_asked(deletion.file)):
            # Outside of what follows: unbroken rules that are refused show nothing.
            expected = _answer(deletion.file, k)
            try:
                if probe(folder) != expected:
                    return "noticed"
            except (OffloadError, RuntimeError):
                return "refused"
    return "unseen"


def sample(number: int) -> list[Deletion]:
    """Return some deletions, spread over all files, the same each time."""
    every = [deletion for file in files() for deletion in deletions(file)]
    return random.Random(0).sample(every, min(number, len(every)))


def main(file: str) -> None:
    """Judge all deletions of a file, and print them as JSON."""
    outcomes: dict[str, int] = {"refused": 0, "noticed": 0, "unseen": 0}
    unseen = []
    marked = 0
    for deletion in deletions(file):
        outcome = noticed(deletion)
        if outcome == "unseen" and deletion.marked:
            marked += 1
            continue
        outcomes[outcome] += 1
        if outcome == "unseen":
            unseen.append(f"{file}:{deletion.line}: {deletion.what}")
    print(json.dumps({**outcomes, "marked": marked, "complaints": unseen}))


if __name__ == "__main__":
    main(sys.argv[1])
