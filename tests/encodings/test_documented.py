"""The head of every ``.lp`` file and encodings/README.md say what the rules are."""

import re
from fractions import Fraction
from pathlib import Path

import clingo
import pytest

from offloadasp.asp.facts import facts
from offloadasp.judge.simulator import RULES
from offloadasp.model.instance import Energy, Layer, Precision, Resolved
from tests.support.dictionary import FACTS, FILES, FOLDER, dictionary, head_of, program_of
from tests.support.layers import accelerator, problem_with

README = (FOLDER / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted(path.name for path in (FOLDER / "examples").glob("*.lp"))
DERIVED = {p for name in FILES for p in program_of(name).derived}


def included(name: str) -> list[str]:
    """A file and all that it includes."""
    return [name, *(file for part in program_of(name).includes for file in included(part))]


def used_with_files(name: str) -> list[tuple[set[str], list[str]]]:
    """The part Used as groups of predicates, each with the files that it names."""
    groups = re.findall(r"([^()]*)\(([^()]*)\)", head_of(name).text["Used"])
    return [
        (
            set(re.findall(r"\b([a-z]\w*/\d+)", names)),
            [file for file in FILES if Path(file).name in re.findall(r"[\w/]+\.lp", files)],
        )
        for names, files in groups
    ]


# --- The head of every file ---


@pytest.mark.parametrize("name", FILES)
def test_a_file_begins_with_its_purpose_and_what_goes_in_and_out(name: str) -> None:
    head = head_of(name)
    assert list(head.text)[:4] == ["Title", "Input", "Used", "Output"]
    assert all(head.text[part] or head.entries[part] for part in head.text)
    entries = [entry for part in head.entries.values() for entry in part]
    assert all(entry.meaning.endswith(".") for entry in entries)


@pytest.mark.parametrize("name", FILES)
def test_input_and_used_list_exactly_what_the_file_does_not_derive(name: str) -> None:
    program, head = program_of(name), head_of(name)
    inputs, used = head.listed("Input"), head.listed("Used")
    if program.includes:
        parts = [program_of(file) for file in included(name)]
        assert not used
        assert inputs <= {p for part in parts for p in part.used - part.derived}
    else:
        assert inputs | used == program.used - program.derived
    assert not inputs & used
    assert used <= DERIVED


@pytest.mark.parametrize("name", FILES)
def test_every_fact_that_a_file_takes_is_explained_somewhere(name: str) -> None:
    explained = set(head_of(FACTS).names("Output"))
    for file in FILES:
        explained |= head_of(file).names("Input")
    assert head_of(name).listed("Input") <= explained


@pytest.mark.parametrize("name", FILES)
def test_used_names_the_files_that_derive_it(name: str) -> None:
    groups = used_with_files(name)
    named = {predicate for predicates, _ in groups for predicate in predicates}
    assert named == head_of(name).listed("Used"), "each with its file"
    for predicates, files in groups:
        assert files
        for file in files:
            assert predicates <= program_of(file).derived
            outputs = head_of(file).names("Output")
            assert predicates <= outputs, f"{file} must list them as its output"


@pytest.mark.parametrize("name", FILES)
def test_a_file_explains_every_predicate_that_it_derives_once(name: str) -> None:
    head = head_of(name)
    outputs, inside = head.names("Output"), head.names("Inside")
    rare = {"bias/0", "overlap/1", "wait_energy/1", "window_cycles/1", "longest_wait/1"}
    optional = rare if name == FACTS else set()
    assert outputs | inside == program_of(name).derived | optional
    assert not outputs & inside
    counted = sum(len(head.entries.get(part, ())) for part in ("Output", "Inside"))
    assert counted == len(outputs | inside)


@pytest.mark.parametrize("name", FILES)
def test_what_is_inside_a_file_is_no_matter_of_others(name: str) -> None:
    for other in FILES:
        for predicates, files in used_with_files(other):
            assert name not in files or not predicates & head_of(name).names("Inside")


def test_files_of_rules_include_nothing_and_files_that_include_have_no_rules() -> None:
    for name in FILES:
        program = program_of(name)
        assert not (program.includes and (program.derived or program.used)), name
        assert set(program.includes) <= set(FILES)


def test_the_facts_of_an_instance_are_those_that_python_writes() -> None:
    layer = Layer(input=(1, 1, 2), kernels=1, kernel_shape=(1, 1), bias=True)
    whole = Resolved(kernel_groups=((0, 1),), channel_groups=((0, 1),))
    chip = accelerator(mac=1).model_copy(update={"overlap": "dma"})
    energy = Energy(load=Fraction(1), static=Fraction(1))
    problem = problem_with(layer, chip, Precision(), whole, energy=energy)
    text = facts(problem, 3)
    written = {
        f"{symbol.name}/{len(symbol.arguments)}"
        for symbol in (clingo.parse_term(line.rstrip(".")) for line in text.splitlines())
    }
    assert head_of(FACTS).names("Output") == written


def test_the_rules_that_a_strategy_can_break_are_explained() -> None:
    files = ("check/boxes.lp", "check/unpack.lp", "check/replay.lp")
    explained = {}
    for file in files:
        text = (FOLDER / file).read_text(encoding="utf-8")
        derived = set(re.findall(r"^violation\((\w+),", text, re.MULTILINE))
        here = [entry.atom for entry in head_of(file).entries["Rules"]]
        assert set(here) == derived, file
        explained[file] = here
    # What a file says of itself, duration, objective and bound, is no matter of the rules.
    named = {rule for here in explained.values() for rule in here}
    assert named == set(RULES) - {"duration", "objective", "bound"}


def test_the_dictionary_is_made_from_the_heads() -> None:
    """After a change of a head: ``python -m tests.support.dictionary`` writes it anew."""
    assert (FOLDER / "dictionary.md").read_text(encoding="utf-8") == dictionary()


# --- The guide ---


def test_the_guide_lists_every_file_and_no_other() -> None:
    listed = set(re.findall(r"^\| `([\w/.-]+\.lp)`", README, re.MULTILINE))
    assert listed == {*FILES, *(f"examples/{name}" for name in EXAMPLES)}


def test_the_guide_explains_every_variable() -> None:
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


# What stands at a place in an atom is named by one letter everywhere; X, Y and Z are numbers.
PLACES = {
    "compute/2": "OT", "load/2": "BT", "free/2": "BT", "write/2": "BT", "on_chip/2": "BT",
    "done/2": "OT", "step/1": "T", "steps/1": "S", "needs/2": "OB", "produces/2": "OB",
    "memory/1": "M",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_place_in_an_atom_has_the_same_variable_everywhere(name: str) -> None:
    for term, k, variable in program_of(name).terms:
        for predicate, letters in PLACES.items():
            own, arity = predicate.split("/")
            if term == own and int(arity) > k and variable != "_":
                allowed = {letters[k], "X", "S"}
                assert variable.rstrip("'") in allowed, f"{term} has {variable}"
