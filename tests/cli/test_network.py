"""`offload-asp import` and `offload-asp network`, as a user runs them."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import Instance, load_instance
from offloadasp.network import plan as planning
from tests.support.invoking import PATIENCE, UNTIL_PROVED, Ran, Terminal, offload_asp, start
from tests.support.onnx_models import Array, evaluated, model, saved, small_network

ACCELERATOR = """
name = "tested"
[accelerator]
memory = {memory}
load_cycles = "1/2"
write_cycles = 1
compute_cycles = 16
macs_per_step = 1024
"""
# The small network's layers, by the names of their instances.
LAYERS = ["first-conv", "dw-1", "fc", "last"]


def accelerator(folder: Path, memory: int = 600) -> Path:
    path = folder / f"accelerator-{memory}.toml"
    path.write_text(ACCELERATOR.format(memory=memory))
    return path


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A folder with the small network, planned and verified, and what the command said."""
    folder = tmp_path_factory.mktemp("planned")
    return folder, network(folder, "--verify", "--json", path=saved(small_network(), folder))


def network(folder: Path, *options: str | Path, path: Path | None = None, memory: int = 600) -> Ran:
    return offload_asp(
        "network",
        path or folder / "model.onnx",
        f"--accelerator={accelerator(folder, memory)}",
        f"--out={folder / 'out'}",
        "--time-limit=0.3",
        "--jobs=2",
        *options,
    )


def copy(planned: tuple[Path, Ran], folder: Path) -> Path:
    """Copy a planned folder to work on; file times stay."""
    shutil.copytree(planned[0], folder, dirs_exist_ok=True)
    return folder


def times(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in sorted((folder / "out").glob("*.strategy.json"))}


def test_import_writes_instances_that_run_takes(tmp_path: Path) -> None:
    path = saved(small_network(), tmp_path)
    ran = offload_asp(
        "import", path, f"--accelerator={accelerator(tmp_path)}", "--out", tmp_path / "made"
    )
    assert ran.code == 0, ran.error
    files = sorted((tmp_path / "made").iterdir())
    assert [file.name for file in files] == sorted(f"{name}.toml" for name in LAYERS)
    made = {file.stem: load_instance(file) for file in files}
    first = made["first-conv"]
    assert (first.name, first.layer.pads, first.layer.bias) == ("first-conv", (1, 1, 0, 2), True)
    assert first.accelerator.memory == 600
    assert first.accelerator.load_cycles == Fraction(1, 2)
    for name in LAYERS:
        assert name in ran.out
    facts = offload_asp("facts", files[0])
    assert facts.code == 0


def test_import_as_json_lists_what_it_wrote_and_what_it_did_not(tmp_path: Path) -> None:
    proto = small_network()
    proto.graph.node.append(helper.make_node("MatMul", ["y", "t"], ["u"], "dynamic"))
    proto.graph.input.append(helper.make_tensor_value_info("t", 1, [3, 2]))
    ran = offload_asp(
        "import",
        saved(proto, tmp_path),
        f"--accelerator={accelerator(tmp_path)}",
        f"--out={tmp_path / 'made'}",
        "--batch=3",
        "--json",
    )
    listed = ran.json
    assert [entry["name"] for entry in listed["layers"]] == LAYERS
    runs = {entry["name"]: (entry["runs"], entry["nodes"]) for entry in listed["layers"]}
    assert runs["dw-1"] == (6, ["dw/1", "dw/2"])
    # The three rows of the fully connected layers are positions of one run.
    assert runs["fc"] == (1, ["fc"])
    assert all(Path(entry["instance"]).exists() for entry in listed["layers"])
    assert listed["not_offloaded"] == [
        {"node": "dynamic", "op": "MatMul", "reason": "its weight is computed at run time"}
    ]


def test_a_network_is_planned_and_verified_as_a_whole(planned: tuple[Path, Ran]) -> None:
    folder, ran = planned
    assert ran.code == 0
    report = ran.json
    assert [layer["name"] for layer in report["layers"]] == LAYERS
    for layer in report["layers"]:
        assert Fraction(layer["lower_bound"]) <= Fraction(layer["duration"])
        assert layer["peak_memory"] <= 600
        checked = offload_asp("check", layer["strategy"], "--json").json
        assert checked["accepted"]
        assert checked["duration"] == layer["duration"]
        assert checked["loads"]["bytes"] == layer["loaded"]
        assert checked["peak_memory"] == layer["peak_memory"]
    verification = report["verification"]
    assert verification["verified"]
    assert verification["against"] == "evaluator"
    assert verification["executed"] == ["first/conv", "dw/1", "dw/2", "fc", "last"]
    assert verification["drawn"] == []
    assert all(entry["spread"] > 0.1 for entry in verification["outputs"] + verification["inner"])
    assert (folder / "out").is_dir()


def test_totals_are_the_sums_of_every_run_of_a_layer(planned: tuple[Path, Ran]) -> None:
    report = planned[1].json
    layers, total = report["layers"], report["totals"]
    for key in ("duration", "lower_bound"):
        expected = sum(Fraction(layer[key]) * layer["runs"] for layer in layers)
        assert Fraction(total[key]) == expected
    assert total["runs"] == 5
    assert total["runs_without_strategy"] == 0
    parts = {
        "load": Fraction(1, 2) * sum(layer["loaded"] * layer["runs"] for layer in layers),
        "write": sum(layer["written"] * layer["runs"] for layer in layers),
        "compute": 16 * sum(layer["steps"] * layer["runs"] for layer in layers),
    }
    assert sum(parts.values()) == Fraction(total["duration"])
    for key, part in parts.items():
        assert total["shares"][key] == pytest.approx(float(part / Fraction(total["duration"])))


def test_a_finished_network_is_shown_again_without_planning(
    planned: tuple[Path, Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(planned, tmp_path)
    before = times(folder)
    assert len(before) == len(LAYERS)
    monkeypatch.setattr(planning, "_in_processes", _never)
    ran = network(folder)
    assert ran.code == 0
    assert times(folder) == before
    for name in LAYERS:
        assert name in ran.out
    for word in ("duration", "bound", "gap", "peak", "groups", "status", "shares"):
        assert word in ran.out


def _never(*_: object) -> None:
    raise AssertionError("a finished layer was planned again")


def test_a_layer_whose_file_was_changed_is_planned_again_and_no_other(
    planned: tuple[Path, Ran], tmp_path: Path
) -> None:
    folder = copy(planned, tmp_path)
    before = times(folder)
    path = folder / "out" / "fc.strategy.json"
    path.write_text(path.read_text() + "\n")
    assert network(folder).code == 0
    after = times(folder)
    assert {name for name in after if after[name] != before[name]} == {"fc.strategy.json"}


def test_layers_finished_for_another_accelerator_are_planned_again(
    planned: tuple[Path, Ran], tmp_path: Path
) -> None:
    folder = copy(planned, tmp_path)
    before = times(folder)
    ran = network(folder, "--json", memory=640)
    assert ran.code == 0
    after = times(folder)
    assert all(after[name] != before[name] for name in before)
    data = json.loads((folder / "out" / "fc.strategy.json").read_text())
    assert data["instance"]["accelerator"]["memory"] == 640


def slow_network(folder: Path, *options: str) -> tuple[str | Path, ...]:
    """Return a command whose first layer meets its bound at once, unlike the second."""
    generator = np.random.default_rng(0)
    w = {name: generator.normal(size=s).astype(np.float32) for name, s in _WEIGHTS.items()}
    nodes = [
        helper.make_node("Conv", ["x", "quick"], ["a"], "quick"),
        helper.make_node("Conv", ["a", "slow"], ["y"], "slow"),
    ]
    x = np.zeros((1, 8, 32, 32), np.float32)
    path = saved(model(nodes, {"x": x}, ["y"], w), folder)
    chip = accelerator(folder, 4400)
    return "network", path, f"--accelerator={chip}", f"--out={folder / 'out'}", "--jobs=1", *options


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(group: int) -> list[str]:
    """The processes of a group that run, as far as the system shows them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            state, _, leader = path.read_text().rpartition(")")[2].split()[:3]
            if int(leader) == group and state not in "ZX":
                found.append(path.parent.name)
    return found


def interrupt(options: tuple[str | Path, ...], number: signal.Signals, folder: Path) -> None:
    """Start a command, and end it by a signal once the first layer is finished."""
    process = start(*options, cwd=folder, session=True)
    wait_for(folder / "out" / "quick.layer.json", process)
    process.send_signal(number)
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out == ""
    (line,) = error.splitlines()
    assert "interrupted" in line
    assert str(folder / "out") in line
    # Python's own helper of multiprocessing notices a moment later that it is not needed.
    deadline = time.monotonic() + PATIENCE
    while alive(process.pid):
        assert time.monotonic() < deadline, alive(process.pid)
        time.sleep(0.05)
    assert times(folder).keys() == {"quick.strategy.json"}


def test_an_interrupted_run_keeps_what_is_finished_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = slow_network(tmp_path, "=".join(UNTIL_PROVED))
    interrupt(options, signal.SIGINT, tmp_path)
    kept = times(tmp_path)["quick.strategy.json"]

    def briefly(
        missing: Sequence[Instance], out: Path, jobs: int, memory_limit: int | None
    ) -> Generator[planning.Outcome]:
        for entry in missing:
            search = entry.search.model_copy(update={"time_limit": 0.1})
            yield planning.plan_layer(entry.model_copy(update={"search": search}), out)

    # The limit that lets no signal come too late would let the second layer take too long.
    monkeypatch.setattr(planning, "_in_processes", briefly)
    report = offload_asp(*options, "--json").json
    assert [layer["name"] for layer in report["layers"]] == ["quick", "slow"]
    assert report["totals"]["runs_without_strategy"] == 0
    assert times(tmp_path)["quick.strategy.json"] == kept


def test_sigterm_ends_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    interrupt(slow_network(tmp_path, "=".join(UNTIL_PROVED)), signal.SIGTERM, tmp_path)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux to find processes")
def test_a_worker_that_is_killed_is_reported_and_nothing_finished_is_lost(tmp_path: Path) -> None:
    process = start(*slow_network(tmp_path, "=".join(UNTIL_PROVED)), cwd=tmp_path)
    wait_for(tmp_path / "out" / "quick.layer.json", process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (worker,) = [p for p in children if "spawn_main" in Path(f"/proc/{p}/cmdline").read_text()]
    os.kill(int(worker), signal.SIGKILL)
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert out == ""
    (line,) = error.splitlines()
    assert "ended from outside" in line
    assert times(tmp_path).keys() == {"quick.strategy.json"}


_WEIGHTS = {"quick": (8, 8, 1, 1), "slow": (16, 8, 5, 5)}


def test_what_is_infeasible_is_said_and_the_rest_is_planned(tmp_path: Path) -> None:
    saved(small_network(), tmp_path)
    ran = network(tmp_path, "--json", memory=40)
    assert ran.code == 3
    report = json.loads(ran.out)
    by_name = {layer["name"]: layer for layer in report["layers"]}
    assert by_name["first-conv"]["status"] == "none"
    assert "memory" in by_name["first-conv"]["reason"]
    assert by_name["last"]["status"] in ("optimal", "feasible")
    missing = sum(layer["runs"] for layer in report["layers"] if layer["status"] == "none")
    assert report["totals"]["runs_without_strategy"] == missing > 0
    shown = network(tmp_path, memory=40)
    assert shown.code == 3
    assert "more have no strategy" in " ".join(shown.out.split())


def record_data(folder: Path, change: float = 0) -> Path:
    """A data set of the small network, recorded from ONNX's evaluator."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    x = np.random.default_rng(5).normal(size=(1, 1, 8, 8)).astype(np.float32)
    y = evaluated(small_network(), {"x": x}) + np.float32(change)
    for name, value in (("input_0", x), ("output_0", y)):
        write_tensor(data / f"{name}.pb", value)
    return data


def write_tensor(path: Path, value: Array) -> None:
    path.write_bytes(numpy_helper.from_array(value).SerializeToString())


def test_recorded_outputs_are_compared_with(planned: tuple[Path, Ran], tmp_path: Path) -> None:
    folder = copy(planned, tmp_path)
    ran = network(folder, f"--data={record_data(folder)}", "--json")
    assert ran.code == 0
    assert ran.json["verification"]["against"] == "recorded"
    assert ran.json["verification"]["verified"]
    wrong = network(folder, f"--data={record_data(folder, change=0.5)}")
    assert wrong.code == 5
    assert "NOT VERIFIED" in wrong.out


def test_a_quantised_network_is_equal_bit_for_bit(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    scalars: dict[str, Any] = {
        "xs": np.float32(0.1),
        "xz": np.uint8(120),
        "w1": generator.integers(-128, 128, (3, 1, 3, 3)).astype(np.int8),
        "ws": generator.uniform(0.01, 0.02, 3).astype(np.float32),
        "wz": np.zeros(3, np.int8),
        "ys": np.float32(0.3),
        "yz": np.uint8(100),
        "b": generator.integers(-500, 500, 3).astype(np.int32),
        "w2": generator.integers(0, 256, (2, 3, 2, 2)).astype(np.uint8),
    }
    nodes = [
        helper.make_node(
            "QLinearConv",
            ["x", "xs", "xz", "w1", "ws", "wz", "ys", "yz", "b"],
            ["h"],
            "quantised",
            auto_pad="SAME_LOWER",
            strides=[2, 1],
        ),
        helper.make_node("ConvInteger", ["h", "w2", "yz"], ["y"], "integer", pads=[1, 0, 0, 1]),
    ]
    constants = {name: np.asarray(value) for name, value in scalars.items()}
    x = generator.integers(0, 256, (2, 1, 8, 8)).astype(np.uint8)
    saved(model(nodes, {"x": x}, ["y"], constants), tmp_path)
    report = network(tmp_path, "--verify", "--json", memory=150).json
    assert [layer["precision"]["output"] for layer in report["layers"]] == [1, 4]
    assert [layer["runs"] for layer in report["layers"]] == [2, 2]
    assert all(layer["steps"] > 1 for layer in report["layers"])
    compared = report["verification"]["outputs"] + report["verification"]["inner"]
    assert [entry["name"] for entry in compared] == ["y", "h", "y"]
    # What is requantised may be a step off, and is not; sums of integers may not be.
    assert [entry["tolerance"] for entry in compared] == [0, 1, 0]
    for entry in compared:
        assert entry["max_abs_error"] == entry["differing"] == 0
        assert entry["spread"] > 20


def test_weights_that_a_model_fills_with_one_value_are_drawn_for_the_check(
    planned: tuple[Path, Ran], tmp_path: Path
) -> None:
    folder = copy(planned, tmp_path)
    proto = small_network()
    for tensor in proto.graph.initializer:
        if tensor.name in ("w1", "w4"):
            same = np.full(tuple(tensor.dims), 0.02, np.float32)
            tensor.CopyFrom(numpy_helper.from_array(same, tensor.name))
    saved(proto, folder)
    verification = network(folder, "--verify", "--json").json["verification"]
    assert verification["drawn"] == ["first/conv", "fc"]
    assert verification["verified"]


def test_a_strategy_that_computes_something_else_is_not_verified(
    planned: tuple[Path, Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(planned, tmp_path)

    def wrong(*arguments: Any, **options: Any) -> Any:
        replay = simulate(*arguments, **options)
        replay.output[..., 0] += 1
        return replay

    monkeypatch.setattr("offloadasp.network.execute.simulate", wrong)
    ran = network(folder, "--verify", "--json")
    assert ran.code == 5
    assert not json.loads(ran.out)["verification"]["verified"]


def _truncate(data: Path) -> None:
    path = data / "input_0.pb"
    path.write_bytes(path.read_bytes()[:20])


def _reshape(data: Path) -> None:
    write_tensor(data / "input_0.pb", np.zeros((1, 1, 8, 9), np.float32))


def _retype(data: Path) -> None:
    write_tensor(data / "input_0.pb", np.zeros((1, 1, 8, 8), np.float64))


def _renumber(data: Path) -> None:
    (data / "output_0.pb").rename(data / "output_1.pb")


def _lose(data: Path) -> None:
    (data / "output_0.pb").unlink()


def _lose_all(data: Path) -> None:
    shutil.rmtree(data)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_truncate, ["input_0.pb", "truncated"]),
        (_reshape, ["1 x 1 x 8 x 9", "1 x 1 x 8 x 8"]),
        (_retype, ["float64", "float32"]),
        (_renumber, ["output_*.pb", "numbered"]),
        (_lose, ["0 files output_*.pb", "has 1 output"]),
        (_lose_all, ["--data", "not a folder"]),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused_before_anything_is_planned(
    damage: Callable[[Path], None], words: list[str], tmp_path: Path
) -> None:
    saved(small_network(), tmp_path)
    data = record_data(tmp_path)
    damage(data)
    ran = network(tmp_path, f"--data={data}")
    assert ran.code == 2
    for word in words:
        assert word in ran.error_line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--jobs=0"], ["--jobs", "from 1 to"]),
        (["--batch=0"], ["--batch", "from 1 to"]),
        (["--time-limit=0"], ["--time-limit", "greater than 0"]),
        (["--seed=-1"], ["--seed"]),
        (["--verify", "--data=."], ["--verify", "--data"]),
        (["--accelerator=nothing-like-it"], ["nothing-like-it", "gap8"]),
        (["--accelerator=gap-8"], ["did you mean gap8"]),
    ],
)
def test_wrong_options_are_one_line(options: list[str], words: list[str], tmp_path: Path) -> None:
    saved(small_network(), tmp_path)
    ran = network(tmp_path, *options)
    assert ran.code == 2
    for word in words:
        assert word in ran.error_line


def test_a_batch_is_refused_where_none_is_symbolic(tmp_path: Path) -> None:
    saved(small_network(batch=1), tmp_path)
    ran = network(tmp_path, "--batch=2")
    assert ran.code == 2
    assert "symbolic" in ran.error_line


@pytest.mark.parametrize("name", ["import", "network"])
def test_without_onnx_both_commands_say_how_to_install_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    ran = offload_asp(name, "m.onnx", f"--accelerator={accelerator(tmp_path)}", "--out=o")
    assert ran.code == 2
    assert "pip install 'offload-asp[onnx]'" in ran.error_line


def test_all_else_works_without_onnx() -> None:
    program = (
        "import sys; sys.modules['onnx'] = None; from offloadasp.cli.app import app; "
        "app(['import', 'm.onnx', '--accelerator=gap8', '--out=o'])"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert "pip install" in line


@pytest.mark.parametrize("columns", ["80", "200"])
def test_a_network_s_table_fits_the_terminal_and_is_whole_in_a_pipe(
    planned: tuple[Path, Ran], tmp_path: Path, columns: str
) -> None:
    folder = copy(planned, tmp_path)
    words = ("network", folder / "model.onnx", f"--accelerator={accelerator(folder)}")
    terminal = Terminal()
    process = start(
        *(*words, f"--out={folder / 'out'}", "--time-limit=0.3"),
        cwd=tmp_path,
        stdout=terminal.theirs,
        variables={"COLUMNS": columns, "NO_COLOR": "1"},
    )
    lines = re.sub(r"\x1b\[[\d;]*m", "", terminal.read()).splitlines()
    assert process.wait(timeout=PATIENCE) == 0
    assert max(map(len, lines)) <= int(columns)
    assert not any("…" in line for line in lines)
    piped = network(folder).out.splitlines()
    head = ["layer", "runs", "shape", "duration", "bound", "gap", "bytes", "peak", "groups"]
    assert piped[0].split() == [*head, "status", "s"]
    table = piped[1:5]
    # Whatever the width, a row says what matters most, each of it in one piece.
    for row in table:
        name, _, _, duration, *_ = re.split(r"  +", row)
        assert any({name, duration} <= set(line.split()) for line in lines)
    if columns == "200":
        assert lines[: len(table) + 1] == piped[: len(table) + 1]


def test_a_layer_without_a_strategy_is_named_once(
    planned: tuple[Path, Ran], tmp_path: Path
) -> None:
    folder = copy(planned, tmp_path)
    ran = network(folder, memory=20)
    assert ran.code == 3
    assert re.search(r"(?m)^first-conv: accelerator\.memory = 20 bytes is too small", ran.out)


def test_a_bar_on_the_terminal_counts_layers(planned: tuple[Path, Ran], tmp_path: Path) -> None:
    folder = copy(planned, tmp_path)
    (folder / "out" / "last.layer.json").unlink()
    terminal = Terminal()
    process = start(
        "network",
        folder / "model.onnx",
        f"--accelerator={accelerator(folder)}",
        f"--out={folder / 'out'}",
        "--time-limit=0.3",
        "--jobs=1",
        cwd=tmp_path,
        stderr=terminal.theirs,
    )
    text = terminal.read()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "layers" in text
    assert "3/4" in text
    assert "lower bound" in out
