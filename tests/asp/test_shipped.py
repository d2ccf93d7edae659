"""Rules are as shipped if the statements that the package carries say so, wherever they are."""

import json
import shutil
from pathlib import Path

import pytest

from offloadasp.asp import shipped
from offloadasp.asp.grounding import ground
from offloadasp.asp.rules import rules_in_force, shipped_rules
from offloadasp.asp.shipped import is_shipped, recorded_in, shipped_names
from offloadasp.asp.vetting.sources import read_source, unfold
from offloadasp.base.errors import InputError
from offloadasp.base.resources import encodings_folder
from tests.support.invoking import offload_asp

FOLDER = encodings_folder()
NAMES = shipped_names()
RULED = [name for name in NAMES if "\n:-" in (FOLDER / name).read_text(encoding="utf-8")]


def written(folder: Path, text: str) -> Path:
    path = folder / "rules.lp"
    path.write_text(text, encoding="utf-8")
    return path


def text_of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_the_records_are_those_of_the_encodings() -> None:
    """After a change on purpose: ``python -m offloadasp.asp.shipped`` writes them anew."""
    recorded = Path(shipped.__file__).with_name("shipped.json").read_text(encoding="utf-8")
    assert json.loads(recorded) == json.loads(json.dumps(recorded_in(FOLDER)))
    assert not shipped_rules().edited


@pytest.mark.parametrize("name", NAMES)
def test_comments_and_layout_do_not_count(tmp_path: Path, name: str) -> None:
    loose = "% Mine: ä.\n\n" + text_of(name).replace(" :- ", "  :-  % if\n    ") + "%* the end *%"
    assert is_shipped(name, written(tmp_path, loose))


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_more_counts(tmp_path: Path, name: str) -> None:
    for more in (":- step(1).\n", '#include "step.lp".\n', "%* *% a.\n", "#const b = 1.\n"):
        assert not is_shipped(name, written(tmp_path, text_of(name) + more))


@pytest.mark.parametrize("name", RULED)
def test_a_statement_less_counts(tmp_path: Path, name: str) -> None:
    text = text_of(name)
    assert not is_shipped(name, written(tmp_path, text.replace("\n:-", "\n% :-", 1)))


@pytest.mark.parametrize("text", ["a :- b(.\n", "a(é).\n", ""])
def test_what_is_no_program_or_empty_is_not_shipped(tmp_path: Path, text: str) -> None:
    assert not is_shipped("model/step.lp", written(tmp_path, text))


def test_a_file_of_another_name_is_not_shipped() -> None:
    assert not is_shipped("step.lp", FOLDER / "model/step.lp")
    assert not is_shipped("model/layer.lp", FOLDER / "model/step.lp")


def test_only_files_that_differ_are_looked_through_again(tmp_path: Path) -> None:
    """An edited file that includes shipped ones makes nothing else an edit."""
    copy = tmp_path / "copy"
    assert offload_asp("encodings", copy).code == 0
    entry = copy / "definition.lp"
    entry.write_text(entry.read_text() + "mine(1).\n")
    rules = rules_in_force(copy, ())
    assert [source.path for source in rules.differing] == [entry]
    assert rules.heads == {"mine"}


# --- Files are read once, and from where they are ---


def test_a_file_in_the_current_folder_is_not_taken_for_an_included_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    for name in ("layer.lp", "more.lp"):
        (here / name).write_text("taken(here).\n")
    (there / "more.lp").write_text("taken(there).\n")
    added = there / "added.lp"
    added.write_text('#include "more.lp".\n')
    monkeypatch.chdir(here)
    control = ground(rules_in_force(None, [added]), ["definition.lp"], _facts())
    taken = [str(atom.symbol) for atom in control.symbolic_atoms.by_signature("taken", 1)]
    assert taken == ["taken(there)"]
    control = ground(shipped_rules(), ["definition.lp"], _facts())
    assert not list(control.symbolic_atoms.by_signature("taken", 1))
    assert list(control.symbolic_atoms.by_signature("output_shape", 2))


def test_rules_are_loaded_as_they_were_looked_through(tmp_path: Path) -> None:
    added = written(tmp_path, "first.\n")
    rules = rules_in_force(None, [added])
    added.write_text("second.\n#script (python) #end.\n")
    control = ground(rules, ["definition.lp"], _facts())
    assert list(control.symbolic_atoms.by_signature("first", 0))
    assert not list(control.symbolic_atoms.by_signature("second", 0))


def _facts() -> str:
    return offload_asp("facts", "tiny-3x3").out


def test_includes_are_followed_once_each_and_around(tmp_path: Path) -> None:
    (tmp_path / "a.lp").write_text('#include "b.lp".\na.\n#include "./b.lp".\n')
    (tmp_path / "b.lp").write_text('b.\n#include %* here *% "a.lp" .\n')
    names = [source.path.name for source in unfold([tmp_path / "a.lp"], {})]
    assert names == ["a.lp", "b.lp"]


@pytest.mark.parametrize(
    "text",
    [
        '% #include "x.lp".\na.\n',
        '%* %* *% #include "x.lp". *%\na.\n',
        'a("#include").\nb(".").\n',
        'a("\\"%* #include \\"x.lp\\".").\n',
    ],
)
def test_an_include_in_a_comment_or_a_string_is_none(tmp_path: Path, text: str) -> None:
    source = read_source(written(tmp_path, text))
    assert source.included == ()
    assert source.text == text


@pytest.mark.parametrize("text", ["#include x.\n", '#include "x.lp"\n', '#include"a"#show.\n'])
def test_an_include_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"rules\.lp:1: includes must have the form"):
        read_source(written(tmp_path, text))


def test_every_part_of_a_statement_is_at_its_place_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "other.lp").write_text("c(1).\n")
    path = written(tmp_path, '#include "other.lp".\n%*\n*% a(X) :-\n  b(X).\n')
    nodes: list[str] = []
    read_source(path).parse(lambda node: nodes.append(str(node.body[0].atom.symbol.location.begin)))
    assert nodes == [f"Position(filename={str(path)!r}, line=4, column=3)"]


def test_a_copy_beside_links_is_as_shipped(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "model", tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert not rules_in_force(tmp_path / "link", ()).edited


def test_nothing_hides_behind_a_nul(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="NUL"):
        read_source(written(tmp_path, "a. %\0\nb.\n"))
