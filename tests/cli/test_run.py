"""`offload-asp run`: what it prints, promises in JSON, writes, and refuses."""

import json
import re
import signal
from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.base.errors import VerificationError
from offloadasp.model.instance import load_instance
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from tests.engines.exhaustive import optimal_duration
from tests.support.invoking import (
    LARGE,
    PATIENCE,
    TINY,
    UNTIL_PROVED,
    Ran,
    Terminal,
    instance,
    offload_asp,
    start,
    steps_in,
)

KEYS = {
    "name": str,
    "status": str,
    "duration": int,
    "lower_bound": int,
    "gap": float,
    "steps": int,
    "loads": dict,
    "writes": dict,
    "peak_memory": int,
    "memory": int,
    "verified": bool,
    "max_abs_error": int,
    "baselines": dict,
    "decomposition": dict,
    "seconds": dict,
    "strategy": str,
}


def run(path: Path, *more: str | Path) -> Ran:
    return offload_asp("run", path, "--out", path.parent / "out", *UNTIL_PROVED, *more)


def row(text: str, label: str) -> str:
    found = re.search(rf"(?m)^{label}  +(.*)$", text)
    assert found is not None, label
    return found[1]


def test_the_json_object_has_every_promised_key_and_type(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), "--json")
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    found = ran.json
    assert {key: type(found[key]) for key in KEYS} == KEYS
    assert found["loads"].keys() == {"pixels", "kernels", "partial_sums", "bytes"}
    assert found["writes"].keys() == {"outputs", "partial_sums", "bytes"}
    assert found["seconds"].keys() == {"ground", "solve", "simulate", "total"}
    assert found["verified"] is True
    assert found["max_abs_error"] == 0


def test_the_json_object_adds_up(tmp_path: Path) -> None:
    found = run(instance(tmp_path), "--json").json
    loads, writes = found["loads"], found["writes"]
    assert loads["bytes"] == loads["pixels"] + loads["kernels"] + loads["partial_sums"]
    assert writes["bytes"] == writes["outputs"] + writes["partial_sums"] == 4
    assert found["duration"] == loads["bytes"] + writes["bytes"] + 5 * found["steps"]
    assert found["gap"] == 1 - found["lower_bound"] / found["duration"]
    assert found["peak_memory"] <= found["memory"] == 9
    assert all(value >= found["duration"] for value in found["baselines"].values())
    assert found["decomposition"] == {
        "tile": [1, 1],
        "kernel_groups": [[0, 1]],
        "channel_groups": [[0, 1]],
    }


def test_a_tiny_layer_is_solved_to_its_optimum(tmp_path: Path) -> None:
    path = instance(tmp_path)
    described = load_instance(path)
    found = run(path, "--json").json
    assert found["status"] == "optimal"
    assert found["lower_bound"] == found["duration"]
    assert found["duration"] == optimal_duration(problem_of(described, scope(described)))


def test_the_summary_agrees_with_the_json_object(tmp_path: Path) -> None:
    path = instance(tmp_path)
    found = run(path, "--json").json
    text = run(path).out
    assert row(text, "status") == found["status"]
    assert row(text, "duration") == f"{found['duration']} cycles"
    assert row(text, "lower bound") == f"{found['lower_bound']} cycles"
    assert row(text, "gap") == f"{100 * found['gap']:.2f} %"
    assert row(text, "steps").startswith(f"{found['steps']} compute actions")
    assert row(text, "loaded").startswith(f"{found['loads']['bytes']} bytes (pixels ")
    assert row(text, "peak memory") == f"{found['peak_memory']} of 9 bytes"
    assert row(text, "strategy") == found["strategy"]
    assert "verified: output equals direct convolution, max abs error 0" in text
    longer = (found["baselines"]["row_by_row"] - found["duration"]) / found["duration"]
    assert re.search(rf"row by row +{found['baselines']['row_by_row']} +{100 * longer:.2f} %", text)


def test_the_strategy_file_says_what_the_summary_says(tmp_path: Path) -> None:
    found = run(instance(tmp_path), "--json", "--seed", "3").json
    path = tmp_path / "out" / "tiny.strategy.json"
    assert found["strategy"] == str(path)
    stored = json.loads(path.read_text())
    assert stored["duration"] == found["duration"]
    assert stored["lower_bound"] == found["lower_bound"]
    assert stored["status"] == found["status"]
    assert stored["instance"]["search"]["seed"] == 3
    assert sum(bool(step["compute"]) for step in stored["steps"]) == found["steps"]


def test_the_objective_is_in_json_summary_and_file(tmp_path: Path) -> None:
    names = "traffic,peak_memory,duration"
    found = run(instance(tmp_path), "--objective", names, "--json").json
    objective = found["objective"]
    assert objective["name"] == names
    assert objective["value"] == found["loads"]["bytes"] + found["writes"]["bytes"]
    peak, duration = objective["then"]
    assert peak["value"] == found["peak_memory"]
    assert duration["value"] == found["duration"] >= found["lower_bound"]
    assert found["gap"] == 1 - found["lower_bound"] / found["duration"]
    parts = [objective, peak, duration]
    assert all(part["status"] == "optimal" and part["gap"] == 0 for part in parts)
    assert found["status"] == "optimal"
    stored = json.loads((tmp_path / "out" / "tiny.strategy.json").read_text())
    assert stored["objective"]["name"] == names
    assert [part["value"] for part in stored["objective"]["then"]] == [
        peak["value"],
        duration["value"],
    ]
    text = run(instance(tmp_path), "--objective", names).out
    assert row(text, "status") == "optimal in traffic, then peak memory, then duration"
    assert row(text, "objective") == f"traffic: {objective['value']} bytes, optimal"
    assert row(text, "then").startswith(f"peak memory: {peak['value']} bytes, optimal where")


def test_a_summary_says_how_far_an_objective_may_be_from_its_best(tmp_path: Path) -> None:
    path = instance(tmp_path, LARGE)
    # However long it takes, it proves nothing of this layer.
    text = run(path, "--objective", "traffic", "--time-limit", "0.5").out
    assert row(text, "status") == "feasible in traffic"
    assert re.fullmatch(
        r"traffic: \d+ bytes, at least \d+ bytes, gap [\d.]+ %", row(text, "objective")
    )


def test_durations_that_are_no_integers_are_exact_fractions(tmp_path: Path) -> None:
    path = instance(tmp_path, load_cycles='"1/3"', write_cycles="0.25")
    found = run(path, "--json").json
    exact = Fraction(found["loads"]["bytes"], 3) + found["writes"]["bytes"] * Fraction(1, 4)
    assert isinstance(found["duration"], str)
    assert Fraction(found["duration"]) == exact + 5 * found["steps"]
    assert isinstance(found["gap"], float)
    whole, part = divmod(Fraction(found["duration"]), 1)
    text = run(path).out
    assert row(text, "duration") == f"{whole} {part} cycles"
    assert re.search(rf"best strip +{whole} {part} +0\.00 %", text)


def test_everything_free_has_no_gap(tmp_path: Path) -> None:
    path = instance(tmp_path, load_cycles="0", write_cycles="0", compute_cycles="0")
    found = run(path, "--json").json
    assert (found["duration"], found["gap"], found["status"]) == (0, 0.0, "optimal")
    assert run(path).code == 0


def test_auto_is_reported_as_a_bound_for_every_decomposition(tmp_path: Path) -> None:
    fixed = run(instance(tmp_path)).out
    assert row(fixed, "bound holds for") == "this decomposition"
    free = run(instance(tmp_path, TINY.split("[decomposition]")[0])).out
    assert row(free, "bound holds for") == "every decomposition"
    some = run(instance(tmp_path, tile='"auto"')).out
    assert row(some, "bound holds for") == "every choice of tile"


def test_a_pipe_gets_no_escape_codes_and_no_wide_line(tmp_path: Path) -> None:
    text = run(instance(tmp_path)).out
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if not line.startswith("strategy")]
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith(" ") for line in lines)


def test_a_budget_gives_the_same_file_byte_for_byte(tmp_path: Path) -> None:
    path = instance(tmp_path)
    files = []
    for folder in ("first", "second"):
        ran = offload_asp("run", path, "--budget", "300", "--out", tmp_path / folder)
        assert ran.code == 0
        files.append((tmp_path / folder / "tiny.strategy.json").read_bytes())
    assert files[0] == files[1]
    assert json.loads(files[0])["instance"]["search"]["threads"] == 1


RUNS = """
from offloadasp.cli.app import app

alone = ("--threads", "1", "--time-limit", "86400")
for name, *options in (
    ("tiny-3x3", "--budget", "60", "--seed", "7", "--objective", "traffic,duration"),
    ("tiny-3x3", *alone),
    ("tiny-channels", *alone),
    ("tiny-kernels", *alone),
    ("mobilenet-dw1", *alone),
):
    try:
        app(["run", name, *options, "--out", name + options[0]])
    except SystemExit as ended:
        assert not ended.code
"""


def test_one_thread_writes_the_same_files_in_every_process(tmp_path: Path) -> None:
    """Whatever the order of sets: it depends on a random number of each process."""
    files = []
    for k in (1, 2):
        folder = tmp_path / str(k)
        folder.mkdir()
        process = start(cwd=folder, variables={"PYTHONHASHSEED": str(k)}, program=RUNS)
        assert process.communicate(timeout=PATIENCE)[1] == ""
        assert process.returncode == 0
        files.append({path.parent.name: path.read_bytes() for path in folder.rglob("*.json")})
    assert len(files[0]) == 5
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--budget", "300", "--threads", "2"], "--threads: must be 1 with --budget, not 2"),
        (["--budget", "0"], "--budget: must be from 1 to"),
        (["--budget", "9", "--time-limit", "9"], "--time-limit: --budget replaces it"),
        (["--threads", "0"], "--threads: must be from 1 to 64, not 0"),
        (["--threads", "65"], "--threads: must be from 1 to 64, not 65"),
        (["--seed", "-1"], "--seed: must be from 0 to 2147483647, not -1"),
        (["--time-limit", "0"], "--time-limit: must be greater than 0 and"),
        (["--time-limit", "nan"], "--time-limit: must be greater than 0"),
        (["--time-limit", "inf"], "and at most 10000000 seconds, not inf"),
        (["--time-limit", "soon"], "--time-limit"),
        (["--objective", "power"], "must be one of duration, traffic, peak_memory, energy, or"),
        (
            ["--objective", "energy"],
            "--objective: energy needs the table [energy], which tiny does",
        ),
        (["--objective", "duration,,traffic"], "--objective: must be one of"),
        (["--objective", "duration,duration"], "each once; 'duration' is repeated"),
        (["--fast"], "No such option"),
        (["another"], "another"),
    ],
)
def test_bad_options_are_refused_in_one_line(tmp_path: Path, options: list[str], what: str) -> None:
    ran = offload_asp("run", instance(tmp_path), "--json", "--out", tmp_path, *options)
    assert ran.code == 2
    assert what in ran.error_line
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("arguments", [["run"], ["dance"], []])
def test_usage_errors_are_one_line(arguments: list[str]) -> None:
    ran = offload_asp(*arguments)
    assert ran.code == 2
    assert "--help')" in ran.error_line


def test_an_unknown_name_lists_the_closest_shipped_ones() -> None:
    ran = offload_asp("run", "lenet5-con2", "--json")
    assert ran.code == 2
    assert "lenet5-conv2" in ran.error_line


@pytest.mark.parametrize(
    "name", ["a folder", "binary.toml", "missing.toml", "", "a\nb", "x" * 5000]
)
def test_odd_instances_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "a folder").mkdir()
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    ran = offload_asp("run", tmp_path / name if len(name) < 100 else name)
    assert ran.code == 2
    assert ran.error_line


def test_an_instance_may_have_any_file_name(tmp_path: Path) -> None:
    odd = tmp_path / "[red] ä b.txt"
    odd.write_text(TINY)
    ran = offload_asp("run", odd, "--out", tmp_path / "[blue] o")
    assert ran.code == 0
    assert str(tmp_path / "[blue] o" / "tiny.strategy.json") in ran.out


def test_a_wrong_key_names_file_key_and_what_is_allowed(tmp_path: Path) -> None:
    path = instance(tmp_path, memory="-4")
    ran = run(path, "--json")
    assert ran.code == 2
    assert all(word in ran.error_line for word in (str(path), "accelerator.memory", "-4"))


def test_an_out_that_is_no_folder_is_refused_before_the_search(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = instance(tmp_path, LARGE)
    ran = offload_asp("run", path, "--time-limit", "500", "--out", tmp_path / "file" / "out")
    assert ran.code == 2
    assert "is not a folder" in ran.error_line


@pytest.mark.parametrize("key", ["memory", "macs_per_step"])
def test_an_infeasible_layer_exits_3_with_the_least_value_that_does(
    tmp_path: Path, key: str
) -> None:
    ran = run(instance(tmp_path, **{key: "1"}), "--json")
    assert ran.code == 3
    found = re.search(r"at least (\d+)", ran.error_line)
    assert found is not None
    least = int(found[1])
    assert run(instance(tmp_path, **{key: str(least - 1)})).code == 3
    assert run(instance(tmp_path, **{key: str(least)})).code == 0


def test_no_strategy_within_the_limit_exits_4(tmp_path: Path) -> None:
    redefined = tmp_path / "redefined.lp"  # of which only a complete search finds plans
    redefined.write_text("load_cycles(5).\n")
    path = instance(tmp_path, input="[1, 7, 7]")
    ran = offload_asp(
        "run",
        path,
        "--encoding",
        redefined,
        "--time-limit",
        "0.000001",
        "--out",
        tmp_path,
        "--json",
    )
    assert ran.code == 4
    assert "no strategy was found" in ran.error_line
    assert not list(tmp_path.glob("*.json"))


def test_a_refused_plan_exits_5_loudly_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise VerificationError("tiny: VERIFICATION FAILED (a bug): step 3: memory")

    monkeypatch.setattr("offloadasp.pipeline.require_verified", refuse)
    ran = run(instance(tmp_path), "--json")
    assert ran.code == 5
    assert "VERIFICATION FAILED" in ran.error_line
    assert not list((tmp_path / "out").glob("*"))


def test_a_live_line_shows_incumbent_bound_gap_and_time_left(tmp_path: Path) -> None:
    terminal, path = Terminal(), instance(tmp_path, LARGE)
    process = start("run", path, *UNTIL_PROVED, cwd=tmp_path, stderr=terminal.theirs)
    terminal.read(until="gap")
    process.send_signal(signal.SIGINT)
    shown = terminal.read()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert re.search(r"\| incumbent \d+ \| bound \d+ \| gap [\d.]+ % \| \d+ s left", shown)
    assert "incumbent" not in out
    assert steps_in(tmp_path / "out" / "large.strategy.json")


def test_no_live_line_with_json(tmp_path: Path) -> None:
    terminal = Terminal()
    process = start("run", instance(tmp_path), "--json", cwd=tmp_path, stderr=terminal.theirs)
    assert terminal.read() == ""
    out, _ = process.communicate(timeout=PATIENCE)
    assert json.loads(out)["verified"] is True
