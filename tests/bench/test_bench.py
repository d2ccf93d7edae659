"""`scripts/bench`: every suite runs, keeps what it measured, and says what was measured."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from pydantic import ValidationError
from typer.testing import CliRunner

from bench import balance, peers, trials
from bench.child import Children, Stopped
from bench.cli import SUITES, app
from bench.flat import Flat, cases
from bench.offload import parse, proved, whole
from bench.record import Record, Row
from bench.suite import Column, Limits, Options, Suite, Task, cell, measure
from bench.throughput import multiply, products
from bench.trials import QUICK
from bench.whole import chain_model
from offloadasp.base.errors import InputError
from offloadasp.bounds import least_macs, least_memory, lower_bound
from offloadasp.judge.simulator.convolution import convolve
from offloadasp.judge.simulator.tensors import prepare
from offloadasp.model.instance import Layer, parse_instance
from offloadasp.model.instance_text import toml
from offloadasp.model.problem import Problem
from offloadasp.network.convolutions import convolutions
from offloadasp.network.model import load_model
from tests.engines import quickness
from tests.engines.exhaustive import optimal_duration
from tests.support import layers
from tests.support.invoking import PATIENCE
from tests.support.onnx_models import machine

WIDTH = 80


def bench(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def rows_of(path: Path) -> dict[str, Row]:
    return Record.load(path).rows


# Suite, rows, and what must hold of each row.
TINY: dict[str, tuple[str, str]] = {
    "flat": ("^6x6-g4-m20$", "row['met'] and row['status'] == 'optimal'"),
    "serial": ("^10x10-k5-m25$", "row['met'] and row['open'] == 0"),
    "layers": ("lenet5-conv1 1/8$", "row['by_compulsory'] and row['gap'] == 0"),
    "scaled": (
        "^2x2x3x2 1/3",
        "row['bound'] <= row['proven'] == row['found'] <= row['constructed']",
    ),
    "scale": ("^16x16 1", "row['lower_bound'] <= row['duration'] and row['chosen'] == '1 x 1'"),
    "simulate": ("lenet5", "row['verified'] and row['ratio'] > 0 and row['steps'] >= 25"),
    "ablation": ("^3x4-2-kernels-13 without all", "row['found'] == row['proven'] == 61"),
    "rule_limits": ("^redefinition 2x2$", "row['within'] and row['operations'] == 4"),
    "whatifs": ("^kernels-pinned resnet8-stack3$", "row['code'] == 3"),
    "mutants": ("^layer 2$", "row['mutants'] > 50 and row['wrong'] == 0"),
    "quick": ("bound", "0 < row['taken'] and row['goal'] == 10"),
    "deletions": ("^model/show.lp$", "row['noticed'] == 4 and row['unseen'] == 0"),
}


@pytest.mark.parametrize("name", TINY)
def test_a_suite_measures_the_rows_it_is_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_MUTANTS", 1)
    only, holds = TINY[name]
    code, out, error = bench(name, "--only", only, "--time-limit", 3600, "--out", tmp_path)
    assert code == 0, error
    rows = rows_of(tmp_path / f"{name}.json")
    assert len(rows) == 1
    for row in rows.values():
        assert eval(holds, {"row": row}), row
        assert 10**6 < row["peak_bytes"] < 10**10
    assert "time limit 3600" in out
    assert "clingo" in out
    assert max(map(len, out.splitlines())) <= WIDTH


def test_a_layer_that_cannot_fit_is_said_to_be_so(tmp_path: Path) -> None:
    code, out, _ = bench("layers", "--only", "tiny-3x3 1/64", "--out", tmp_path)
    assert code == 0
    assert "where not one operation fits: 1: tiny-3x3 1/64." in " ".join(out.split())


def test_cp_sat_is_compared_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("ortools")
    code, out, error = bench("peers", "--only", "^6x6-g4-m16$", "--out", tmp_path)
    assert code == 0, error
    (row,) = rows_of(tmp_path / "cpsat.json").values()
    assert row["found"] == row["theirs"]["found"] == row["proven"] == 40
    assert "CP-SAT" in out


def test_zigzag_is_compared_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("zigzag")
    code, _, error = bench("peers", "--only", "^8192$", "--out", tmp_path)
    assert code == 0, error
    (row,) = rows_of(tmp_path / "zigzag.json").values()
    assert row["theirs"]["moved"] == row["reported"] == 39168
    assert row["moved"] == row["proven"] == 35072


def test_accelforge_is_compared_where_it_is_installed(tmp_path: Path) -> None:
    if not peers.installed("accelforge"):
        pytest.skip("not installed")
    code, _, error = bench("peers", "--peer=accelforge", "--only", "^8192$", "--out", tmp_path)
    assert code == 0, error
    (row,) = rows_of(tmp_path / "accelforge.json").values()
    assert row["theirs"]["moved"] == row["reported"] == 37184
    assert row["moved"] == row["proven"] == row["theirs"]["moved_net"] == 35072


def test_without_any_peer_the_suite_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "installed", lambda _: False)
    code, out, error = bench("peers", "--out", tmp_path)
    assert code == 2
    assert out == ""
    assert "cpsat: ortools is not installed" in error
    assert "zigzag: zigzag-dse is not installed" in error
    assert "accelforge: accelforge, which needs Python 3.12, is not installed" in error


@pytest.mark.parametrize("size", [(3, 3, 2, 5), (3, 4, 1, 4), (3, 4, 2, 6), (4, 3, 3, 8)])
def test_cp_sat_is_given_the_same_problem(size: tuple[int, int, int, int]) -> None:
    pytest.importorskip("ortools")
    from ortools.sat.python import cp_model

    from bench.cpsat import flat_model

    height, width, patches, pixels = size
    case = Flat(side=(height, width), patches=patches, pixels=pixels, kernel=2)
    instance = parse(case.text)
    solver = cp_model.CpSolver()
    status = solver.solve(flat_model(instance))
    optimum = optimal_duration(whole(instance))
    steps = -(-(height - 1) * (width - 1) // patches)
    assert optimum is not None
    assert (status == cp_model.OPTIMAL) == (optimum < 1000 * (steps + 1))
    if status == cp_model.OPTIMAL:
        assert solver.objective_value == optimum - 1000 * steps - 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flat", "--only", "("], "--only: must be a regular expression"),
        (["flat", "--only", "nothing"], "no row of flat matches 'nothing'"),
        (
            ["peers", "--peer", "nobody"],
            "--peer: must be one of cpsat, zigzag, accelforge, not 'nobody'",
        ),
        (["results", "--from", "nowhere"], "holds no results of any suite"),
        (["flat", "--jobs", "0"], "--jobs"),
    ],
)
def test_a_wrong_option_exits_2_with_one_line(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    code, out, error = bench(*arguments, *(["--out", tmp_path] if arguments[0] == "flat" else []))
    assert code == 2
    assert out == ""
    assert len(error.splitlines()) == 1
    assert error.startswith("scripts/bench: error: ")
    assert message in error


# --- Rows are kept ---

PLAIN = Suite(
    name="plain",
    title="Plain",
    about="Numbers.",
    columns=(Column("name", cell("name")),),
    summary=lambda _: [],
    cases=list,
    work=lambda *_: {},
)


def options(folder: Path, *, resume: bool = False, seed: int = 0, jobs: int = 1) -> Options:
    return Options(Limits(1, 1, seed), None, jobs, folder, resume)


def counted(name: str, calls: list[str], *, stops: bool = False, fails: bool = False) -> Task:
    def work(_: Children) -> Row:
        calls.append(name)
        if stops:
            raise Stopped
        return {"error": "failed"} if fails else {"value": len(calls)}

    return Task(name, work)


def test_an_interrupted_suite_keeps_its_rows_and_goes_on_with_the_others(tmp_path: Path) -> None:
    calls: list[str] = []
    first = [counted("a", calls), counted("b", calls, stops=True), counted("c", calls)]
    with pytest.raises(KeyboardInterrupt):
        measure(PLAIN, first, options(tmp_path), "")
    kept = set(rows_of(tmp_path / "plain.json"))
    assert kept in ({"a"}, {"a", "c"})
    calls.clear()
    again = [counted(name, calls) for name in "abc"]
    record = measure(PLAIN, again, options(tmp_path, resume=True), "")
    assert set(calls) == set("abc") - kept
    assert list(record.rows) == list(rows_of(tmp_path / "plain.json")) == ["a", "b", "c"]


def test_a_row_that_failed_is_measured_again(tmp_path: Path) -> None:
    calls: list[str] = []
    measure(PLAIN, [counted("a", calls, fails=True)], options(tmp_path), "")
    record = measure(PLAIN, [counted("a", calls)], options(tmp_path, resume=True), "")
    assert record.rows["a"]["value"] == 2


def test_rows_under_other_limits_are_not_mixed(tmp_path: Path) -> None:
    measure(PLAIN, [counted("a", [])], options(tmp_path), "")
    with pytest.raises(InputError, match=r"--resume: .* limits"):
        measure(PLAIN, [counted("b", [])], options(tmp_path, resume=True, seed=1), "")


def test_rows_measured_at_the_same_time_are_kept_in_their_order(tmp_path: Path) -> None:
    tasks = [counted(name, []) for name in "edcba"]
    assert list(measure(PLAIN, tasks, options(tmp_path, jobs=3), "").rows) == list("edcba")


def test_a_killed_bench_leaves_no_process_and_the_rows_so_far(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "bench", "flat", "--time-limit", "3600"]
    command += ["--only", "^(6x6-g4-m16|12x12-g4-m24)$", "--out", str(tmp_path)]
    # Names of temporary files stand in the command lines of the processes that are started.
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    assert "6x6-g4-m16" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted" in error
    assert "--resume goes on" in error
    assert list(rows_of(tmp_path / "flat.json")) == ["6x6-g4-m16"]
    assert not any(str(tmp_path).encode() in line for line in _command_lines())


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


# --- What is measured ---


def test_a_process_is_measured_with_its_largest_memory() -> None:
    # More than this process itself may have grown to, since a new one begins as its copy.
    started = time.monotonic()
    ended = Children().run("timeit", "-n1", "-r1", "b'x' * (6 * 10**8)")
    assert ended.code == 0
    assert "loop" in ended.out
    assert 6.0e8 < ended.peak_bytes < 6.6e8
    assert 0 < ended.seconds <= time.monotonic() - started


def test_a_process_that_fails_tells_by_its_code_and_its_last_line() -> None:
    ended = Children().run("timeit", "1 / 0")
    assert ended.code != 0
    assert ended.last_error == "ZeroDivisionError: division by zero"


def test_after_a_stop_no_process_is_started() -> None:
    children = Children()
    children.stop()
    with pytest.raises(Stopped):
        children.run("timeit", "0")


@settings(max_examples=60, deadline=None)
@given(layers.problems(tiled=False))
def test_the_parts_of_a_bound_add_up_to_it(problem: Problem) -> None:
    assume(least_memory(problem).value <= problem.accelerator.memory)
    assume(least_macs(problem).value <= problem.accelerator.macs_per_step)
    bound = lower_bound(problem)
    parts = proved(problem, bound.certificate)
    rates = problem.accelerator
    total = (
        rates.load_cycles * parts.loads
        + rates.write_cycles * parts.writes
        + rates.compute_cycles * parts.steps
    )
    # What is proved of loads and steps together is more than the parts.
    assert bound.value > total if "together" in bound.certificate else bound.value == total


@pytest.mark.parametrize(
    "row", [{"side": [3, 3], "patches": 2}, {"side": [3, 3], "patches": 2, "pixels": 9, "pad_": 1}]
)
def test_a_row_of_a_file_of_cases_has_all_values_and_no_others(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = ", ".join(f"{key} = {value}" for key, value in row.items())
    (tmp_path / "flat.toml").write_text(f"cases = [{{ {values} }}]")
    monkeypatch.setattr("bench.case.FOLDER", tmp_path)
    with pytest.raises(ValidationError):
        cases()


@pytest.mark.parametrize(
    ("overlap", "cycles"),
    [
        # 784 actions beside 1,174 bytes loaded and 4,704 written, each of them once.
        ("dma", 8),
        ("duplex", 6),
    ],
)
def test_a_balanced_layer_computes_as_long_as_it_transfers(overlap: str, cycles: int) -> None:
    name = f"lenet5-conv1 1/16, {overlap}"
    text = next(case.text for case in balance.cases() if case.name == name)
    rates = parse(text).accelerator
    assert str(rates.overlap) == overlap
    assert rates.compute_cycles == cycles


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_flat_case_needs_no_more_steps_than_its_patches(case: Flat) -> None:
    problem = whole(parse(case.text))
    steps = -(-problem.positions // case.patches)
    assert proved(problem, lower_bound(problem).certificate).steps == steps
    assert problem.output_total == 0
    assert problem.memory == min(problem.all_bytes, case.pixels + case.kernel**2)


def test_an_instance_file_says_what_its_tables_say() -> None:
    data: dict[str, Any] = {
        "name": "a-1.b",
        "layer": {"input": [2, 5, 6], "kernels": 3, "kernel_shape": [2, 2], "bias": True},
        "accelerator": {
            "memory": 10**6,
            "load_cycles": "1/4",
            "write_cycles": 1,
            "compute_cycles": 2,
            "macs_per_step": 9,
        },
        "decomposition": {"tile": "auto", "kernel_groups": [1, 2]},
    }
    assert parse(toml(data)) == parse_instance(data, "data")
    assert parse(toml(data)).accelerator.load_cycles == Fraction(1, 4)


@settings(max_examples=60, deadline=None)
@given(layers.layers())
def test_the_products_are_the_convolution(drawn: Layer) -> None:
    layer = Layer.model_validate(drawn.model_dump() | {"group": 1, "bias": False})
    draw = np.random.default_rng(0)
    x = draw.integers(-128, 128, layer.input, dtype=np.int8)
    w = draw.integers(
        -128, 128, (layer.kernels, layer.input[0], *layer.kernel_shape), dtype=np.int8
    )
    direct = convolve(layer, prepare(layer, x, w))[0]
    found = multiply(*products(layer, x, w)).reshape(layer.output_shape)
    assert (found == direct).all()


# --- The page ---


def test_the_page_of_results_says_how_each_suite_was_measured(tmp_path: Path) -> None:
    bench("serial", "--only", "^10x10-k5-m25$", "--out", tmp_path)
    page = tmp_path / "page.md"
    code, _, _ = bench("results", "--from", tmp_path, "--page", page)
    assert code == 0
    text = page.read_text()
    record = Record.load(tmp_path / "serial.json")
    assert f"    {record.head['command']}\n" in text
    assert "| 10x10-k5-m25 | 520 | 520 | 0 |" in text
    assert all(f"{key} {value}" in text for key, value in record.head["machine"].items())
    assert json.loads((tmp_path / "serial.json").read_text())["summary"][0] in text


def test_the_suite_of_what_is_quick_measures_all_there_is() -> None:
    names = [task.name for task in QUICK.tasks(Limits(1, 1, 0))]
    assert names == list(quickness.MEASURED)


def test_each_suite_has_a_name_of_its_own() -> None:
    assert len({suite.name for suite in SUITES}) == len(SUITES)


def test_the_suite_of_networks_plans_and_executes_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.onnx_models import CASES as RECORDED

    # A recorded convolution in the place of the light models, which take minutes.
    path = next(case for case in RECORDED if case.name == "test_Conv2d_padding") / "model.onnx"
    monkeypatch.setattr("bench.whole.model_path", lambda _: path)
    judged = "(resnet50|squeezenet) on ethos-u65-256$"
    code, out, error = bench("networks", "--time-limit", 0.2, "--only", judged, "--out", tmp_path)
    assert code == 0, error
    rows = rows_of(tmp_path / "networks.json")
    assert len(rows) == 2
    for row in rows.values():
        # The batch of two images runs one by one.
        assert (row["layers"], row["distinct"], row["executed"]) == (2, 1, 1)
        assert row["verified"]
        assert row["missing"] == row["skipped"] == 0
        assert row["lower_bound"] <= row["duration"]
    assert "goal 600 s" in out
    assert max(map(len, out.splitlines())) <= WIDTH


def test_the_model_that_is_made_of_its_layers_is_the_published_network(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(chain_model("MobileNetV1-0.25"))
    found = convolutions(load_model(path), machine(2**20, 2**20))
    # A convolution, 13 pairs of a depthwise and a 1 x 1 one, and the classifier of 2 classes.
    assert len(found.convolutions) == 1 + 2 * 13 + 1
    assert found.convolutions[-1].layer.output_shape == (2, 1, 1)
    assert not found.skipped
