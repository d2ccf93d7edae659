"""Deletes rules and literals of ``encodings/*.lp``, one at a time, and asks whether that shows.

``python -m tests.engines.deletion FILE`` judges all deletions of one file and prints them as JSON.
What the shipped rules answer to the probes, other tests hold against searches and loops
without clingo; here a deletion has to change an answer.

Rules without a literal may have no end, or fill the memory. The program gives each probe a limit
of both, and judges such a deletion by the other probes.
"""

import itertools
import json
import multiprocessing
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import clingo.ast

from offloadasp.asp.grounding import GroundingStoppedError
from offloadasp.asp.shipped import shipped_names
from offloadasp.base.errors import OffloadError
from offloadasp.limits.process_memory import held
from tests.engines.probes import SHIPPED, Probe, TooMuchError, probes

# Files that only include others.
ENTRIES = ("definition.lp", "solve.lp", "model/definition.lp", "proof/refute.lp")
# A comment above a rule that says so: without the rule the answers are the same.
MARK = "Redundant"
# What a probe may take beyond what is held before it; by the shipped rules it takes a fraction.
_BYTES, _CPU_SECONDS = 10**9, 10
# After so many probes that take more, the others are not asked.
_MOST_OVER = 3
_FORK = multiprocessing.get_context("fork")


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


class _Asked:
    """The probes of a file, each drawn when it is first asked for, and the shipped rules' answers.

    Probes that noticed most deletions so far are asked first: one that notices is enough.
    """

    def __init__(self, file: str) -> None:
        self._more = probes(file)
        self._drawn: list[Probe] = []
        self._answers: dict[int, object] = {}
        self.noticed: Counter[int] = Counter()

    def order(self) -> Iterator[int]:
        """Yield the numbers of all probes."""
        first = [k for k, _ in self.noticed.most_common()]
        yield from first
        yield from (k for k in self._numbers() if k not in first)

    def _numbers(self) -> Iterator[int]:
        for k in itertools.count():
            if k == len(self._drawn):
                more = next(self._more, None)
                if more is None:
                    return
                self._drawn.append(more)
            yield k

    def ask(self, k: int, folder: Path) -> object:
        """Return what the rules in a folder answer to a probe that was drawn."""
        return self._drawn[k](folder)

    def shipped(self, k: int) -> object:
        """Return what the shipped rules answer to it."""
        if k not in self._answers:
            with _copy() as folder:
                self._answers[k] = self.ask(k, folder)
        return self._answers[k]


@cache
def _asked(file: str) -> _Asked:
    return _Asked(file)


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "encodings"
        shutil.copytree(SHIPPED, folder)
        yield folder


def noticed(deletion: Deletion) -> str:
    """Return how a deletion shows.

    Returns
    -------
    str
        ``refused`` by clingo; ``noticed`` by a probe, whose answer changes; ``unseen``: no answer
        does; ``not judged``: of the answers, those that were not too much to ask do not change.
    """
    return _noticed(deletion, set(), lambda _: None)


def _noticed(deletion: Deletion, over: set[int], begin: Callable[[int], None]) -> str:
    """Ask the probes, but those that are too much, of which more may be found; say which begins."""
    asked = _asked(deletion.file)
    with _copy() as folder:
        (folder / deletion.file).write_text(deletion.text, encoding="utf-8")
        for k in asked.order():
            if k in over:
                continue
            # Outside of what follows: unbroken rules that are refused show nothing.
            expected = asked.shipped(k)
            begin(k)
            try:
                if asked.ask(k, folder) != expected:
                    asked.noticed[k] += 1
                    return "noticed"
            except (GroundingStoppedError, MemoryError, TooMuchError):
                over.add(k)
                if len(over) == _MOST_OVER:
                    break
            except (OffloadError, RuntimeError):
                return "refused"
    return "not judged" if over else "unseen"


def limited(deletion: Deletion) -> str:
    """Return the same, by processes with a limit of memory and of processor time for each probe."""
    asked = _asked(deletion.file)
    for k in asked.order():
        asked.shipped(k)  # here, so that every process has the answer
    over: set[int] = set()
    while len(over) < _MOST_OVER:
        *begun, last = _said(deletion, over)
        if isinstance(last, str):
            asked.noticed.update(begun[-1:] if last == "noticed" else ())
            return last
        over.add(last)  # it began and did not end
    return "not judged"


def _said(deletion: Deletion, over: set[int]) -> list[Any]:
    """Return what a process says: the numbers of the probes that begin, and the outcome."""
    ours, theirs = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=_say, args=(deletion, over, theirs))
    child.start()
    theirs.close()
    said = []
    try:
        while True:
            said.append(ours.recv())
    except EOFError:
        child.join()
    if child.exitcode == 1:
        raise RuntimeError(f"{deletion.file}:{deletion.line}: a probe fails")
    return said


def _say(deletion: Deletion, over: set[int], pipe: Connection) -> None:
    def begin(k: int) -> None:
        _limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + _CPU_SECONDS)
        _limit(resource.RLIMIT_DATA, held() + _BYTES)
        pipe.send(k)

    _limit(resource.RLIMIT_CORE, 0)
    pipe.send(_noticed(deletion, over, begin))


def _limit(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


@cache
def sample(number: int) -> list[Deletion]:
    """Return some deletions, spread over all files, the same each time."""
    every = [deletion for file in files() for deletion in deletions(file)]
    return random.Random(0).sample(every, min(number, len(every)))


def main(file: str) -> None:
    """Judge all deletions of a file, and print them as JSON."""
    outcomes = {"refused": 0, "noticed": 0, "unseen": 0, "not judged": 0}
    shown: dict[str, list[str]] = {"unseen": [], "not judged": []}
    marked = 0
    for deletion in deletions(file):
        outcome = limited(deletion)
        if outcome == "unseen" and deletion.marked:
            marked += 1
            continue
        outcomes[outcome] += 1
        if outcome in shown:
            shown[outcome].append(f"{file}:{deletion.line}: {deletion.what}")
    print(
        json.dumps(
            {
                **{outcome.replace(" ", "_"): number for outcome, number in outcomes.items()},
                "marked": marked,
                "complaints": shown["unseen"],
                "left_out": shown["not judged"],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
