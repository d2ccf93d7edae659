"""The comments at the head of every ``.lp`` file, read; and ``encodings/dictionary.md`` from them.

    python -m tests.support.dictionary

writes the dictionary anew, after a head was changed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import clingo.ast
from clingo.ast import AST, ASTType

from offloadasp.base.resources import encodings_folder

FOLDER = encodings_folder()
FACTS = "examples/tiny.facts.lp"
"""Says what the facts of an instance mean."""
# In the order in which to read them.

_ORDER = (
    FACTS, "model/layer.lp", "model/groups.lp", "model/decomposition.lp", "model/step.lp",
    "model/overlap.lp",
    "model/objective/duration.lp", "model/objective/traffic.lp", "model/objective/energy.lp",
    "model/objective/peak_memory.lp",
    "proof/lean.lp", "proof/evict.lp", "proof/live_cut.lp", "proof/pace_cut.lp",
    "proof/symmetry.lp", "check/boxes.lp", "check/unpack.lp", "check/lines.lp", "check/replay.lp",
)  # fmt: skip
FILES = sorted(
    name
    for name in (path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.lp"))
    if not name.startswith("examples/") or name == FACTS
)
"""All files apart from the examples, each of which is a rule or two."""
KEYS = ("Input", "Used", "Output", "Inside", "Rules")
NAME = re.compile(r"\b([a-z]\w*/\d+)")


@dataclass(frozen=True)
class Entry:
    """A predicate, or the name of a rule that a strategy can break, and what it means.

    Attributes
    ----------
    name
        With its arity, as in ``step/1``.
    atom
        As the comment shows it, with variables.
    """

    name: str
    atom: str
    meaning: str


@dataclass
class Head:
    """The comment at the head of a file.

    Attributes
    ----------
    text
        The text of each part: ``Title`` and the `KEYS`, as far as it has them.
    entries
        What each part explains.
    """

    text: dict[str, str] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)

    def names(self, *parts: str) -> set[str]:
        """The predicates that some parts explain."""
        return {entry.name for part in parts for entry in self.entries.get(part, ())}

    def listed(self, part: str) -> set[str]:
        """The predicates that a part names."""
        return set(NAME.findall(self.text.get(part, "")))


@cache
def head_of(name: str) -> Head:
    """Read the head of a file."""
    head, part = Head(), "Title"
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("%"):
            break
        key = re.match(rf"% ({'|'.join(KEYS)}):\s*(.*)", line)
        entry = re.match(r"%   ([a-z]\w*(?:\([^)]*\))?)  +(\S.*)", line)
        if key:
            part, head.text[key[1]] = key[1], key[2]
        elif entry and part != "Title":
            arguments = re.findall(r"[\w']+", entry[1])[1:]
            named = f"{entry[1].split('(')[0]}/{len(arguments)}"
            head.entries.setdefault(part, []).append(Entry(named, entry[1], entry[2]))
        elif line.startswith("%    ") and part in head.entries and not NAME.search(line):
            *before, last = head.entries[part]
            longer = Entry(last.name, last.atom, f"{last.meaning} {line[1:].strip()}")
            head.entries[part] = [*before, longer]
        else:
            head.text[part] = f"{head.text.get(part, '')} {line[1:].strip()}".strip()
    return head


@dataclass
class Program:
    """What one file holds, without what it includes; predicates as name/arity."""

    derived: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    terms: set[tuple[str, int, str]] = field(default_factory=set)  # name, argument, variable
    includes: list[str] = field(default_factory=list)


class _Reader(clingo.ast.Transformer):
    """Collects predicates into a set, variables and arguments into a program."""

    def __init__(self, program: Program, predicates: set[str]) -> None:
        self.program, self.predicates = program, predicates

    def visit_SymbolicAtom(self, atom: AST) -> AST:  # noqa: N802 (clingo's name)
        self.predicates.add(f"{atom.symbol.name}/{len(atom.symbol.arguments)}")
        return atom.update(**self.visit_children(atom))

    def visit_Function(self, function: AST) -> AST:  # noqa: N802
        for k, argument in enumerate(function.arguments):
            if argument.ast_type == ASTType.Variable:
                self.program.terms.add((function.name, k, argument.name))
        return function.update(**self.visit_children(function))

    def visit_Variable(self, variable: AST) -> AST:  # noqa: N802
        self.program.variables.add(variable.name)
        return variable


@cache
def program_of(name: str) -> Program:
    """Read the statements of a file."""
    program, path = Program(), FOLDER / name
    head, body = _Reader(program, program.derived), _Reader(program, program.used)

    def read_head(node: AST) -> None:
        if node.ast_type == ASTType.Literal:
            head(node)
        else:
            assert node.ast_type == ASTType.Aggregate, (
                f"{name}: a kind of head unknown here: {node}"
            )
            for element in node.elements:
                head(element.literal)
                body.visit_sequence(element.condition)

    def read(node: AST) -> None:
        if Path(node.location.begin.filename).resolve() != path.resolve():
            return
        if node.ast_type == ASTType.Rule:
            read_head(node.head)
            body.visit_sequence(node.body)
        elif node.ast_type == ASTType.Minimize:
            body(node)
        elif node.ast_type == ASTType.ShowSignature:
            program.used.add(f"{node.name}/{node.arity}")
        else:
            known = {ASTType.Program, ASTType.Comment, ASTType.Defined, ASTType.Definition}
            assert node.ast_type in known, f"{name}: a statement unknown here: {node}"

    clingo.ast.parse_files([str(path)], read)
    text = path.read_text(encoding="utf-8")
    for file in re.findall(r'^#include "([^"]+)"\.$', text, re.MULTILINE):
        program.includes.append((path.parent / file).resolve().relative_to(FOLDER).as_posix())
    return program


def dictionary() -> str:
    """Return the dictionary as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Dictionary"
    yield ""
    yield (
        "Every predicate of the rules, by the file that derives it. Made from the comments at the "
        "head of each file by `python -m tests.support.dictionary`: change the comments, not this "
        "page. A file uses a predicate if the column says so; a dash means that only the file "
        "itself does."
    )
    for name in _ORDER:
        head = head_of(name)
        given = head.entries.get("Input", [])
        derived = [*head.entries.get("Output", []), *head.entries.get("Inside", [])]
        for title, entries in ((f"`{name}`, what is given", given), (f"`{name}`", derived)):
            if entries:
                yield from (
                    "",
                    f"## {title}",
                    "",
                    "| Predicate | Meaning | Used in |",
                    "|---|---|---|",
                )
            for entry in entries:
                users = [f"`{file}`" for file in _ORDER if _uses(file, entry.name, name)]
                yield f"| `{entry.atom}` | {entry.meaning} | {', '.join(users) or '-'} |"
        if "Rules" in head.entries:
            yield from (
                "",
                f"### Rules that `{name}` may find broken",
                "",
                "| Rule | Broken when |",
            )
            yield "|---|---|"
            for entry in head.entries["Rules"]:
                yield f"| `{entry.atom}` | {entry.meaning} |"


def _uses(file: str, predicate: str, source: str) -> bool:
    """Whether a file uses a predicate that another file derives or explains."""
    if file == source or predicate not in program_of(file).used:
        return False
    if source == FACTS:
        return predicate in head_of(file).listed("Input")
    if predicate in head_of(source).names("Input"):
        return predicate in head_of(file).listed("Input")
    mentioned = re.findall(r"([^()]*)\(([^()]*)\)", head_of(file).text.get("Used", ""))
    return any(
        predicate in NAME.findall(names) and Path(source).name in files
        for names, files in mentioned
    )


if __name__ == "__main__":
    (FOLDER / "dictionary.md").write_text(dictionary(), encoding="utf-8")
