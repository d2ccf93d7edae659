"""No work is lost: better files stay, and what cannot be written is printed."""

import json
from pathlib import Path
from typing import Any

import pytest

from offloadasp.judge import verdict
from offloadasp.model.strategy import Strategy, load
from offloadasp.result import strategy_of
from offloadasp.search.answer import Answer
from tests.support.invoking import PATIENCE, UNTIL_PROVED, Ran, instance, offload_asp, start

NAME = "tiny.strategy.json"
# Modules are compiled into files as well, which would end after so many bytes and break later runs.
LIMITED = """
import resource, sys
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
from offloadasp.cli.main import main
main()
"""


def run(path: Path, *more: str | Path) -> Ran:
    return offload_asp("run", path, "--out", path.parent / "out", *UNTIL_PROVED, *more)


def longer(strategy: Strategy) -> Strategy:
    """The same with two pixels loaded for nothing after all: valid, and longer."""
    data: dict[str, Any] = json.loads(strategy.model_dump_json())
    first, last = data["instance"]["decomposition"]["channel_groups"][0]
    data["steps"] += [
        {"load": {"pixels": [[0, 0, 1, 0, 2]]}},
        {"free": {"pixels": [[0, 0, 1, 0, 2]]}},
    ]
    data["duration"] += 2 * (last - first)
    data["objective"]["value"] += 2 * (last - first)
    data["status"] = "feasible"
    return Strategy.model_validate(data)


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    """Return the file of an instance whose optimum is in the folder out."""
    path = instance(tmp_path)
    assert run(path).code == 0
    return path


@pytest.fixture
def worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every search find what is longer."""
    made = strategy_of

    def found(answer: Answer, *record: Any) -> Strategy:
        return longer(made(answer, *record))

    monkeypatch.setattr("offloadasp.pipeline.strategy_of", found)


@pytest.mark.usefixtures("worse")
def test_the_longer_strategy_is_valid_by_itself(tmp_path: Path) -> None:
    found = run(instance(tmp_path), "--json").json
    assert (found["status"], found["duration"]) == ("feasible", 40)
    assert offload_asp("check", tmp_path / "out" / NAME).code == 0


def test_a_better_file_is_kept_and_reported(solved: Path, worse: None) -> None:
    before = load(solved.parent / "out" / NAME)
    ran = run(solved, "--json")
    assert ran.code == 0
    assert ran.json["duration"] == before.duration == 38
    assert ran.json["status"] == "optimal"
    assert "earlier run" in ran.json["method"]
    after = load(solved.parent / "out" / NAME)
    assert after.steps == before.steps
    assert offload_asp("check", solved.parent / "out" / NAME).code == 0


def test_a_better_file_of_the_same_layer_with_less_memory_is_taken(
    solved: Path, worse: None
) -> None:
    found = load(solved.parent / "out" / NAME)
    more = solved.parent / "more.toml"
    text = solved.read_text().replace('name = "tiny"', 'name = "more"')
    memory = found.instance.accelerator.memory
    more.write_text(text.replace(f"memory = {memory}", f"memory = {memory + 5}"))
    ran = run(more, "--json")
    assert ran.code == 0
    assert (ran.json["name"], ran.json["memory"]) == ("more", memory + 5)
    assert ran.json["duration"] == found.duration
    assert load(solved.parent / "out" / "more.strategy.json").steps == found.steps
    assert offload_asp("check", solved.parent / "out" / "more.strategy.json").code == 0


@pytest.mark.parametrize(("key", "more"), [("memory", 5), ("write_cycles", 1)])
def test_a_file_with_more_memory_or_other_rates_is_not_taken(
    solved: Path, worse: None, key: str, more: int
) -> None:
    path = solved.parent / "out" / NAME
    data: dict[str, Any] = json.loads(path.read_text())
    data["instance"]["accelerator"][key] += more
    data["duration"] = data["objective"]["value"] = 1
    path.unlink()
    (path.parent / "other.strategy.json").write_text(json.dumps(data))
    assert "earlier run" not in run(solved, "--json").json["method"]


def test_a_file_that_is_kept_is_read_once_by_each_reading(
    solved: Path, worse: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counting(name: str) -> None:
        reading = getattr(verdict, name)

        def counted(*arguments: Any, **more: Any) -> Any:
            read.append(name)
            return reading(*arguments, **more)

        monkeypatch.setattr(verdict, name, counted)

    for name in ("read_by_rules", "simulate"):
        counting(name)
    assert run(solved, "--json").json["duration"] == 38
    assert sorted(read) == ["read_by_rules", "simulate"]


def test_a_worse_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, path = strategy_of, instance(tmp_path)
    monkeypatch.setattr("offloadasp.pipeline.strategy_of", lambda *given: longer(made(*given)))
    assert run(path, "--json").json["duration"] == 40
    monkeypatch.setattr("offloadasp.pipeline.strategy_of", made)
    assert run(path, "--json").json["duration"] == 38


@pytest.mark.usefixtures("worse")
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["instance"]["accelerator"].update(memory=10),
        lambda data: data["instance"]["layer"].update(bias=True),
        lambda data: data["instance"].update(name="other"),
        lambda data: data["objective"].update(name="traffic"),
        lambda data: data["steps"].pop(0),
        lambda data: data["steps"][0]["load"].update(kernels=[]),
        lambda data: data.update(duration=1),
        lambda data: data["objective"].update(value=1),
        lambda data: data.clear(),
    ],
)
def test_a_file_of_something_else_or_of_nothing_valid_is_replaced(
    solved: Path, change: Any
) -> None:
    path = solved.parent / "out" / NAME
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    assert run(solved, "--json").json["duration"] == 40
    assert load(path).duration == 40


@pytest.mark.usefixtures("worse")
def test_a_budget_writes_what_it_finds(solved: Path) -> None:
    out = solved.parent / "out"
    ran = offload_asp("run", solved, "--budget", "50", "--out", out, "--json")
    assert ran.json["duration"] == load(out / NAME).duration == 40


@pytest.mark.usefixtures("worse")
def test_a_file_of_another_decomposition_is_no_better(solved: Path) -> None:
    text = solved.read_text().replace("input = [1, 3, 3]", "input = [2, 3, 3]")
    text = text.replace("memory = 9", "memory = 90").replace(
        "macs_per_step = 4", "macs_per_step = 8"
    )
    solved.write_text(text.replace('name = "tiny"', 'name = "two"'))
    assert run(solved).code == 0
    path = solved.parent / "out" / "two.strategy.json"
    data = json.loads(path.read_text())
    solved.write_text(solved.read_text().replace("channel_groups = 1", "channel_groups = 2"))
    assert run(solved, "--json").json["decomposition"]["channel_groups"] == [[0, 1], [1, 2]]
    assert data["instance"]["decomposition"]["channel_groups"] == [[0, 2]]


@pytest.mark.parametrize("option", ["--json", ""])
def test_a_plan_that_cannot_be_written_is_printed(tmp_path: Path, option: str) -> None:
    """The file system takes no file of more than a few bytes, as if it were full."""
    path = instance(tmp_path)
    words = ["run", str(path), *UNTIL_PROVED, *([option] if option else [])]
    process = start(*words, cwd=tmp_path, program=LIMITED)
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    (line,) = error.splitlines()
    assert line.startswith(f"offload-asp: error: {Path('out') / NAME}: cannot be written: ")
    assert list((tmp_path / "out").iterdir()) == []
    text = json.dumps(json.loads(out)["unwritten"]) if option else out[out.index("\n{\n") :]
    again = tmp_path / "again.json"
    again.write_text(text)
    assert load(again).duration == 38
    assert offload_asp("check", again).code == 0


def test_a_folder_that_is_gone_does_not_take_the_plan_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "mkdir", _refuse)
    ran = offload_asp("run", instance(tmp_path), "--out", tmp_path / "out", "--json")
    assert ran.code == 2
    assert "out/tiny.strategy.json: cannot be written: Permission denied" in ran.error
    assert json.loads(ran.out)["strategy"] is None
    assert json.loads(ran.out)["unwritten"]["duration"] == 38


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")
