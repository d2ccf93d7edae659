"""The shipped instances, and the facts by which clingo users take over."""

import re
from functools import partial
from pathlib import Path

import clingo
import pytest

import offloadasp
from offloadasp.base.resources import encodings_folder
from offloadasp.model.catalogue import find_instance, load_shipped, shipped_files
from offloadasp.model.instance import load_instance
from tests.support.invoking import PATIENCE, instance, offload_asp, start

SHIPPED = shipped_files()
COMMANDS = ["run", "simulate", "check", "facts", "encodings", "instances", "import", "network"]


def test_there_are_shipped_instances() -> None:
    assert "lenet5-conv2" in {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_instance_is_valid_and_found_by_its_name(path: Path) -> None:
    assert load_instance(path).name == path.stem
    assert find_instance(path.stem) == path
    assert find_instance(str(path)) == path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_facts_are_what_the_geometry_of_the_rules_takes(path: Path) -> None:
    ran = offload_asp("facts", path.stem)
    assert ran.code == 0
    messages: list[str] = []
    control = clingo.Control(logger=lambda _, text: messages.append(text))
    control.load(str(encodings_folder() / "model/layer.lp"))
    control.add("base", [], ran.out)
    control.ground([("base", [])])
    assert not messages
    shape = [atom.symbol for atom in control.symbolic_atoms.by_signature("output_shape", 2)]
    height, width = load_instance(path).layer.output_shape[1:]
    assert [str(symbol) for symbol in shape] == [f"output_shape({height},{width})"]


def test_clingo_solves_the_facts_to_the_same_optimum(tmp_path: Path) -> None:
    path = instance(tmp_path)
    control = clingo.Control()
    control.load(str(encodings_folder() / "solve.lp"))
    control.add("base", [], offload_asp("facts", path).out)
    control.ground([("base", [])])
    best: list[int] = []
    control.solve(on_model=lambda model: best.append(model.cost[0]))
    assert best[-1] == offload_asp("run", path, "--out", tmp_path, "--json").json["duration"]


def test_facts_with_steps_to_spare_are_solved_under_a_rule_that_needs_them(tmp_path: Path) -> None:
    rule = tmp_path / "three.lp"
    rule.write_text(":- step(T), #count { R, C, Q : load(pixel(R, C, Q), T) } > 3.\n")
    found = offload_asp("run", "tiny-2x3", "--encoding", rule, "--out", tmp_path, "--json").json
    for steps, satisfiable in ((3, False), (4, True)):
        control = clingo.Control()
        for name in ("definition.lp", "model/objective/duration.lp"):
            control.load(str(encodings_folder() / name))
        control.load(str(rule))
        control.add("base", [], offload_asp("facts", "tiny-2x3", "--steps", str(steps)).out)
        control.ground([("base", [])])
        best: list[int] = []
        assert control.solve(on_model=partial(_keep_cost, best)).satisfiable == satisfiable
        assert best[-1:] == [found["duration"]] * satisfiable


def _keep_cost(costs: list[int], model: clingo.Model) -> None:
    costs.append(model.cost[0])


def test_facts_stop_quietly_when_nobody_reads_on(tmp_path: Path) -> None:
    process = start("facts", "lenet5-conv2", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(timeout=PATIENCE)


def test_the_list_names_every_instance_with_size_and_memory() -> None:
    text = offload_asp("instances").out
    for described in load_shipped():
        layer = described.layer
        size = "x".join(map(str, layer.input))
        kernels = f"{layer.kernels} kernels?"
        memory = described.accelerator.memory
        line = rf"(?m)^{re.escape(described.name)} +{size}, {kernels} .*\b{memory}\b"
        assert re.search(line, text), described.name


def test_the_list_as_json_counts_all_data_once() -> None:
    listed = {entry["name"]: entry for entry in offload_asp("instances", "--json").json}
    assert listed.keys() == {path.stem for path in SHIPPED}
    # LeNet-5's second convolution: every pixel is used; one byte an element.
    assert listed["lenet5-conv2"]["data_bytes"] == 6 * 14 * 14 + 16 * 6 * 25 + 16 * 10 * 10
    assert listed["lenet5-conv2"]["memory"] == 2750


def test_a_wrong_shipped_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.toml").write_text('name = "bad"\n')
    monkeypatch.setattr("offloadasp.model.catalogue.instances_folder", lambda: tmp_path)
    ran = offload_asp("instances", "--json")
    assert ran.code == 2
    assert "bad.toml" in ran.error_line


def test_a_file_beats_a_shipped_name_and_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lenet5-conv2").mkdir()
    assert find_instance("lenet5-conv2").suffix == ".toml"
    Path("tiny-3x3").write_text("")
    assert find_instance("tiny-3x3") == Path("tiny-3x3")


def test_version() -> None:
    ran = offload_asp("--version")
    assert ran.code == 0
    assert ran.out == f"offload-asp {offloadasp.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    ran = offload_asp(name, "--help")
    assert ran.code == 0
    assert "--help" in ran.out


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with Path("/dev/full").open("w") as full:
        process = start("instances", "--json", cwd=tmp_path, stdout=full.fileno())
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert error == "offload-asp: error: standard output: No space left on device\n"
