"""The objective energy as a user meets it: files with the table [energy], results, refusals."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from offloadasp.base.resources import model_folder
from offloadasp.model.instance import Energy, load_instance
from offloadasp.model.instance_text import instance_text
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from tests.cli.test_network import ACCELERATOR
from tests.cli.test_rules import APART
from tests.engines.exhaustive import optimum
from tests.support.invoking import TINY, UNTIL_PROVED, Ran, instance, offload_asp
from tests.support.onnx_models import saved, small_network

TABLE = """
[energy]
unit = "nJ"
load = 3
write = "7/2"
mac = 0.25
compute = "1/2"
static = "1/3"
"""


def run(path: Path, *more: str | Path) -> Ran:
    return offload_asp("run", path, "--out", path.parent / "out", *UNTIL_PROVED, *more)


def energetic(folder: Path, table: str = TABLE, layer: str = TINY) -> Path:
    return instance(folder, layer + table)


def test_energy_and_then_duration_are_optimal_and_the_json_keys_are_the_known_ones(
    tmp_path: Path,
) -> None:
    path = energetic(tmp_path)
    described = load_instance(path)
    ran = run(path, "--objective", "energy,duration", "--json")
    assert ran.code == 0
    found = ran.json
    best = optimum(problem_of(described, scope(described)), ["energy", "duration"])
    assert best is not None
    energy, duration = best
    assert Fraction(found["objective"]["value"]) == energy
    assert found["objective"]["then"][0]["value"] == found["duration"] == duration
    # Four positions of four taps each.
    loaded, written, steps = found["loads"]["bytes"], found["writes"]["bytes"], found["steps"]
    own = 3 * loaded + Fraction(7, 2) * written + Fraction(1, 2) * steps
    assert energy == own + Fraction(1, 4) * 16 + Fraction(1, 3) * duration
    other = run(path, "--objective", "traffic,duration", "--json").json
    assert found.keys() == other.keys()
    assert found["objective"].keys() == other["objective"].keys()


def test_the_text_shows_the_unit(tmp_path: Path) -> None:
    path = energetic(tmp_path)
    value = run(path, "--objective", "energy", "--json").json["objective"]["value"]
    assert f"energy: {value} nJ, optimal" in run(path, "--objective", "energy").out


def test_without_the_table_energy_is_refused_in_one_line_that_names_it(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), "--objective", "duration,energy")
    assert ran.code == 2
    assert "energy needs the table [energy], which tiny does not have" in ran.error_line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("load = -1", "energy.load: must be an integer, a decimal or a fraction"),
        ("write = 1e10", "energy.write: must be an integer, a decimal or a fraction"),
        ('mac = "1/0"', "energy.mac: must be an integer, a decimal or a fraction"),
        ("compute = true", "energy.compute: must be an integer, a decimal or a fraction"),
        ("static = [1]", "energy.static: must be an integer, a decimal or a fraction"),
        ("loads = 1", "energy.loads: unknown key; did you mean 'load'?"),
        ('unit = "p J"', "energy.unit: "),
        ('unit = ""', "energy.unit: "),
        ("unit = 1", "energy.unit: must be a valid string"),
    ],
)
def test_a_bad_value_in_the_table_is_named_with_file_and_key(
    tmp_path: Path, line: str, what: str
) -> None:
    path = energetic(tmp_path, f"\n[energy]\n{line}\n")
    ran = run(path, "--objective", "energy")
    assert ran.code == 2
    assert f"{path}: {what}" in ran.error_line


# --- Files ---


def test_files_hold_the_table_only_if_it_was_given(tmp_path: Path) -> None:
    for given, folder in ((TABLE, tmp_path / "with"), ("", tmp_path / "without")):
        folder.mkdir()
        path = energetic(folder, given)
        assert run(path).code == 0
        stored = json.loads((folder / "out" / "tiny.strategy.json").read_text())
        assert ("energy" in stored["instance"]) == bool(given)
        assert ("[energy]" in instance_text(load_instance(path))) == bool(given)


def test_an_instance_written_and_read_again_has_the_same_table(tmp_path: Path) -> None:
    described = load_instance(energetic(tmp_path))
    again = tmp_path / "again.toml"
    again.write_text(instance_text(described))
    assert load_instance(again).energy == described.energy
    assert described.energy == Energy(
        unit="nJ",
        load=Fraction(3),
        write=Fraction(7, 2),
        mac=Fraction(1, 4),
        compute=Fraction(1, 2),
        static=Fraction(1, 3),
    )


def test_instances_take_the_table_over_from_an_accelerator(tmp_path: Path) -> None:
    model, chip = saved(small_network(), tmp_path), tmp_path / "chip.toml"
    for table in (TABLE, ""):
        chip.write_text(ACCELERATOR.format(memory=600) + table)
        made, out = tmp_path / f"made{len(table)}", tmp_path / f"out{len(table)}"
        ran = offload_asp("import", model, f"--accelerator={chip}", "--out", made)
        assert ran.code == 0, ran.error
        files = sorted(made.iterdir())
        assert files
        for file in files:
            assert (load_instance(file).energy is not None) == bool(table)
        ran = offload_asp(
            "network",
            model,
            f"--accelerator={chip}",
            f"--out={out}",
            "--time-limit=0.1",
            "--jobs=1",
        )
        assert ran.code == 0, ran.error
        for file in out.glob("*.strategy.json"):
            assert ("energy" in json.loads(file.read_text())["instance"]) == bool(table)


# --- Rules ---


def test_added_rules_leave_the_energy_what_it_is(tmp_path: Path) -> None:
    path, rule = energetic(tmp_path, layer=APART), tmp_path / "rule.lp"
    plain = run(path, "--objective", "energy", "--json").json["objective"]
    rule.write_text(":- steps(0).\n")
    found = run(path, "--objective", "energy", "--encoding", rule, "--json").json["objective"]
    assert (found["name"], found["value"]) == ("energy", plain["value"])
    assert offload_asp("check", tmp_path / "out" / "tiny.strategy.json").code == 0


def test_a_rule_that_adds_energy_is_an_objective_of_its_own(tmp_path: Path) -> None:
    path, rule = energetic(tmp_path, layer=APART), tmp_path / "rule.lp"
    plain = run(path, "--objective", "energy", "--json").json["objective"]["value"]
    # As much again as a loaded byte takes, for each of the two compute actions.
    rule.write_text("energy(start, T, all, Energy) :- computing(T), load_energy(Energy).\n")
    ran = run(path, "--objective", "energy", "--encoding", rule, "--json")
    assert ran.code == 0
    assert ran.json["objective"]["name"] == "edited"
    more = Fraction(ran.json["objective"]["value"]) - Fraction(plain)
    a_load = 3 + Fraction(1, 3)
    assert more == 2 * a_load


def test_an_edited_energy_is_reported_as_such(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model_folder(), copy)
    objective = copy / "objective" / "energy.lp"
    objective.write_text(objective.read_text().replace("Bytes * Energy)", "Bytes * Energy * 2)"))
    path = energetic(tmp_path, layer=APART)
    ran = run(path, "--objective", "energy", "--encodings", copy, "--json")
    assert ran.code == 0
    assert ran.json["objective"]["name"] == "edited"


# --- Strategies that say something false ---


@pytest.fixture(scope="module")
def least(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a strategy of least energy, then traffic, then duration."""
    folder = tmp_path_factory.mktemp("energy")
    ran = run(energetic(folder), "--objective", "duration,traffic,energy")
    assert ran.code == 0
    return folder / "out" / "tiny.strategy.json"


def test_the_certificate_of_three_sums_is_verified(least: Path) -> None:
    ran = offload_asp("check", least, "--json")
    assert ran.code == 0
    assert [part["name"] for part in ran.json["objectives"]] == ["duration", "traffic", "energy"]


def state_less(stored: Any) -> None:
    part = stored["objective"]["then"][1]
    part["value"] = part["lower_bound"] = str(Fraction(part["value"]) - Fraction(1, 7))


def make_macs_dear(stored: Any) -> None:
    stored["instance"]["energy"]["mac"] = 1


@pytest.mark.parametrize("change", [state_less, make_macs_dear])
def test_a_false_energy_is_named_by_both_readings(
    least: Path, tmp_path: Path, change: Callable[[Any], object]
) -> None:
    stored = json.loads(least.read_text())
    change(stored)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(stored))
    ran = offload_asp("check", path, "--json")
    assert ran.code == 5
    named = {(v["rule"], v["block"]): v["readings"] for v in ran.json["violations"]}
    assert named["objective", "energy"] == ["check.lp", "simulator"]


@pytest.mark.parametrize("entry", [{}, {"weight": [1]}, {"weight": [1, 1, 1]}, {"weight": 1}])
def test_a_bound_on_the_energy_without_a_proof_is_refused(
    least: Path, tmp_path: Path, entry: dict[str, object]
) -> None:
    stored = json.loads(least.read_text())
    stored["certificate"]["then"][1] = entry
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(stored))
    ran = offload_asp("check", path, "--json")
    assert ran.code == 5
    assert [v["readings"] for v in ran.json["violations"]] == [["certificate"]]
