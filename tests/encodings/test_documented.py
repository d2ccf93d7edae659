"""encodings/README.md and the head of every .lp file say what the rules are, and nothing else."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import clingo
import clingo.ast
import pytest
from clingo.ast import AST, ASTType

from offloadasp.asp.facts import facts
from offloadasp.base.resources import encodings_folder
from offloadasp.judge.simulator import RULES
from offloadasp.model.instance import Layer, Precision, Resolved
from tests.support.layers import accelerator, problem_with

FOLDER = encodings_folder()
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.lp"))
README = (FOLDER / "README.md").read_text(encoding="utf-8")
PREDICATE = re.compile(r"\b([a-z]\w*/\d+)")
# Who writes facts, in the table's words.
SOURCES = {"instance", "strategy", "search"}


@dataclass
class Program:
    """What one file holds, without what it includes; predicates as name/arity."""

    derived: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    terms: set[tuple[str, int, str]] = field(default_factory=set)  # name, argument, variable
    constants: set[str] = field(default_factory=set)
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
        elif node.ast_type == ASTType.Definition:
            program.constants.add(node.name)
        else:
            known = {ASTType.Program, ASTType.Comment, ASTType.Defined}
            assert node.ast_type in known, f"{name}: a statement unknown here: {node}"

    clingo.ast.parse_files([str(path)], read)
    text = path.read_text(encoding="utf-8")
    includes = re.findall(r'^#include "([^"]+)"\.$', text, re.MULTILINE)
    program.includes = [beside(name, file) for file in includes]
    return program


def beside(name: str, other: str) -> str:
    """The path in the folder of encodings of a file that another one names."""
    near = ((FOLDER / name).parent / other).resolve()
    found = near if near.is_file() else FOLDER / other
    return found.relative_to(FOLDER).as_posix()


@cache
def header_of(name: str) -> dict[str, str]:
    """The entries of a file's head: Input, Used and Output, and the text before them as Title."""
    entries: dict[str, str] = {}
    key = "Title"
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("%"):
            break
        found = re.match(r"% (Input|Used|Output):\s+(.*)", line)
        key, text = found.groups() if found else (key, line[1:].strip())
        entries[key] = f"{entries.get(key, '')} {text}".strip()
    return entries


def used_with_files(name: str) -> list[tuple[set[str], list[str]]]:
    """The entry Used as groups of predicates, each with the files that it names."""
    groups = re.findall(r"([^()]*)\(([^()]*)\)", header_of(name)["Used"])
    return [
        (
            set(PREDICATE.findall(names)),
            [beside(name, file) for file in re.findall(r"[\w/]+\.lp", files)],
        )
        for names, files in groups
    ]


@cache
def included(name: str) -> list[str]:
    """A file and all that it includes."""
    return [name, *(file for part in program_of(name).includes for file in included(part))]


# --- The head of every file ---


@pytest.mark.parametrize("name", FILES)
def test_a_file_begins_with_its_purpose_and_three_lists(name: str) -> None:
    header = header_of(name)
    assert list(header) == ["Title", "Input", "Used", "Output"]
    assert all(header.values())


@pytest.mark.parametrize("name", FILES)
def test_input_and_used_list_exactly_what_the_file_does_not_derive(name: str) -> None:
    program, header = program_of(name), header_of(name)
    inputs, used = (set(PREDICATE.findall(header[key])) for key in ("Input", "Used"))
    if program.includes:
        parts = [program_of(file) for file in included(name)]
        assert not used
        assert inputs <= {p for part in parts for p in part.used - part.derived}
    else:
        assert inputs | used == program.used - program.derived
    assert not inputs & used
    derived_somewhere = {p for file in FILES for p in program_of(file).derived}
    assert used <= derived_somewhere
    given = {
        predicate
        for predicate, rows in predicate_rows().items()
        if any(SOURCES & set(row.derived) for row in rows)
    }
    assert inputs <= given


@pytest.mark.parametrize("name", FILES)
def test_used_names_the_files_that_derive_it(name: str) -> None:
    groups = used_with_files(name)
    named = {predicate for predicates, _ in groups for predicate in predicates}
    assert named == set(PREDICATE.findall(header_of(name)["Used"])), "each with its file"
    for predicates, files in groups:
        assert files
        for file in files:
            outputs = set(PREDICATE.findall(header_of(file)["Output"]))
            assert predicates <= program_of(file).derived
            assert predicates <= outputs, f"{file} must list them as its output"


@pytest.mark.parametrize("name", FILES)
def test_output_lists_what_the_file_derives(name: str) -> None:
    outputs = set(PREDICATE.findall(header_of(name)["Output"]))
    derived = {p for file in included(name) for p in program_of(file).derived}
    assert outputs <= derived
    assert bool(outputs) == bool(derived)


def test_files_of_rules_include_nothing_and_files_that_include_have_no_rules() -> None:
    for name in FILES:
        program = program_of(name)
        assert not (program.includes and (program.derived or program.used)), name
        assert set(program.includes) <= set(FILES)


# --- The dictionary ---


@dataclass(frozen=True)
class Row:
    """A row of a table of predicates."""

    meaning: str
    derived: list[str]
    used: list[str]


def table_rows() -> list[list[str]]:
    """The cells of every row of every table."""
    lines = [line for line in README.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@cache
def predicate_rows() -> dict[str, list[Row]]:
    """The rows of every predicate. Files that are never loaded together may share a name."""
    rows: dict[str, list[Row]] = {}
    for cells in table_rows():
        names = PREDICATE.findall(cells[0])
        if names and not cells[0].endswith(".lp`"):
            (name,) = names
            derived, used = (re.findall(r"[\w/.]+", cell) for cell in cells[2:4])
            rows.setdefault(name, []).append(Row(cells[1], derived, used))
    return rows


def test_the_table_of_files_has_every_file() -> None:
    listed = [cells[0].strip("`") for cells in table_rows() if cells[0].endswith(".lp`")]
    assert sorted(listed) == FILES
    for name, cells in {cells[0].strip("`"): cells for cells in table_rows()}.items():
        loaders = [file for file in FILES if name in program_of(file).includes]
        assert not loaders or {*loaders} <= set(re.findall(r"[\w/]+\.lp", cells[2]))


def test_the_tables_have_every_predicate_and_no_other() -> None:
    predicates = {p for name in FILES for p in program_of(name).derived | program_of(name).used}
    assert set(predicate_rows()) == predicates


@pytest.mark.parametrize("predicate", predicate_rows())
def test_its_rows_name_the_files_that_derive_and_use_a_predicate(predicate: str) -> None:
    rows = predicate_rows()[predicate]
    derived = [file for row in rows for file in row.derived if file not in SOURCES]
    used = [file for row in rows for file in row.used]
    assert sorted(derived) == [name for name in FILES if predicate in program_of(name).derived]
    assert sorted(used) == [name for name in FILES if predicate in program_of(name).used]
    given = any(predicate in PREDICATE.findall(header_of(name)["Input"]) for name in FILES)
    assert any(SOURCES & set(row.derived) for row in rows) == given
    assert all(row.meaning.endswith(".") for row in rows)


def test_the_facts_of_an_instance_are_those_that_python_writes() -> None:
    layer = Layer(input=(1, 1, 2), kernels=1, kernel_shape=(1, 1), bias=True)
    whole = Resolved(kernel_groups=((0, 1),), channel_groups=((0, 1),))
    text = facts(problem_with(layer, accelerator(), Precision(), whole), 3)
    written = {
        f"{symbol.name}/{len(symbol.arguments)}"
        for symbol in (clingo.parse_term(line.rstrip(".")) for line in text.splitlines())
    }
    listed = {
        name
        for name, rows in predicate_rows().items()
        if any("instance" in row.derived for row in rows)
    }
    assert listed == written


def test_the_dictionary_names_every_violation() -> None:
    text = (FOLDER / "check.lp").read_text(encoding="utf-8")
    derived = set(re.findall(r"violation\((\w+),", text))
    section = README.split("The rules that `violation/3` names:")[1].split("###")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert listed == derived
    # What a file says of itself, duration, objective and bound, is no matter of the rules.
    assert derived == set(RULES) - {"duration", "objective", "bound"}


def test_the_dictionary_names_every_variable() -> None:
    section = README.split("## Variables")[1].split("\n## ")[0]
    listed = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split(" | ")[0])
    }
    found = {
        re.sub(r"[01]?'*$", "", variable)
        for name in FILES
        for variable in program_of(name).variables
    } - {"_", ""}
    assert listed == found


# Which variables may stand in a term, argument by argument; beside them X and Y, numbers.
TERMS = {"pixel": "RCQ", "kernel": "NQ", "output": "IJN", "op": "IJNQ"}


@pytest.mark.parametrize("name", FILES)
def test_the_names_of_blocks_have_the_same_variables_everywhere(name: str) -> None:
    for term, k, variable in program_of(name).terms:
        if term in TERMS and variable != "_":
            assert variable.rstrip("'") in {TERMS[term][k], "X", "Y"}, f"{term} has {variable}"
