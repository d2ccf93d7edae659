"""plot, export, compare and the errors of report: what they write is the simulator's."""

import csv
import io
import json
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from offloadasp.bounds import least_memory
from offloadasp.judge.simulator import keep_books, simulate
from offloadasp.model.instance import Layer
from offloadasp.model.strategy import Strategy, load, save
from offloadasp.report import plots
from offloadasp.search import baselines
from offloadasp.search.construct.naive import without_reuse
from tests.engines.plans import (
    MIXED,
    fitted,
    make_plan,
    operations,
    problem,
    random_plan,
    strategy_of,
)
from tests.support.invoking import FIXED, PATIENCE, TIGHT, Terminal, instance, offload_asp, start
from tests.support.layers import layers

KINDS = ("pixels", "kernels", "partial_sums", "outputs")


def mixed(**more: Any) -> Strategy:
    """A valid strategy with spilled partial sums, preloads and steps that only move data."""
    layer = Layer(input=(4, 6, 5), kernels=4, kernel_shape=(3, 2), pads=(1, 0, 0, 1), bias=True)
    given_ = problem(layer, kernel_groups=2, channel_groups=2, **more)
    plan = random_plan(given_, 3, MIXED)
    return strategy_of(fitted(given_, plan), plan)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.strategy.json"
    save(mixed(load_cycles=Fraction(1, 3), compute_cycles=Fraction(5, 2)), path)
    return path


@pytest.mark.parametrize("kind", plots.KINDS)
def test_every_plot_has_a_title_and_units_and_is_the_same_each_time(
    file: Path, tmp_path: Path, kind: str
) -> None:
    texts = []
    for name in ("one.svg", "two.svg"):
        assert offload_asp("plot", file, "--kind", kind, "--out", tmp_path / name).code == 0
        texts.append((tmp_path / name).read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    words = re.findall(r">([^<>]+)</text>", texts[0])
    assert "test: 4x6x5, 4 kernels 3x2, pad 1 0 0 1, bias" in words
    units = {
        "memory": {"step", "bytes", "capacity"},
        "loads": {"input column", "input row", "loads, mean over the channels"},
        "order": {"output column", "output row", "step"},
        "timeline": {"cycles", "DMA in", "compute", "DMA out"},
    }
    assert units[kind] <= set(words)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=9), st.integers(1, 7))
def test_the_share_of_time_busy_is_counted_cycle_by_cycle(
    gaps: list[tuple[int, int]], stretches: int
) -> None:
    bars: list[tuple[float, float]] = []
    busy: list[int] = []
    for gap, width in gaps:
        bars.append((float(len(busy) + gap), float(width)))
        busy += [0] * gap + [1] * width
    busy += [0] * (-len(busy) % stretches or stretches)
    edges = np.linspace(0, len(busy), stretches + 1)
    expected = np.array(busy).reshape(stretches, -1).mean(axis=1)
    assert np.allclose(plots.busy(bars, edges), expected)


def test_a_plot_may_be_a_png(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "plot.PNG"
    assert offload_asp("plot", file, "--kind", "memory", "--out", out).code == 0
    assert out.read_bytes().startswith(b"\x89PNG\r\n")


def exported(file: Path, name: str) -> str:
    ran = offload_asp("export", file, "--format", name)
    assert (ran.code, ran.error) == (0, "")
    return ran.out


def test_the_csv_adds_up_to_what_the_simulator_counts(file: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(file, "csv"))))
    books = keep_books(load(file))
    moved: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["action"], row["kind"])
        moved[key] = moved.get(key, 0) + int(row["size"])
    for kind, size in vars(books.loads).items():
        assert moved.get(("load", kind), 0) == size
    for kind, size in vars(books.writes).items():
        assert moved.get(("write", kind), 0) == size
    freed = sum(moved.get(("free", kind), 0) for kind in KINDS)
    assert freed == sum(row.freed for row in books.trace)
    assert moved["compute", "operations"] == sum(row.macs for row in books.trace)
    assert Fraction(rows[-1]["end"]) == books.duration
    # Within a step the times go on without gaps; each step begins where the last one ended.
    now = Fraction(0)
    for row, following in zip(rows, [*rows[1:], rows[-1]], strict=True):
        together = row["action"] == following["action"] == "compute"
        assert Fraction(row["start"]) == now
        now = Fraction(row["start"] if together else row["end"])
    ends = {int(row["step"]): Fraction(row["end"]) for row in rows}
    total = Fraction(0)
    for traced in books.trace:
        total += traced.cycles
        assert ends[traced.step] == total


def test_the_csv_names_every_cell_that_a_step_moves(file: Path) -> None:
    strategy = load(file)
    rows = list(csv.DictReader(io.StringIO(exported(file, "csv"))))
    boxes = {
        (int(r["step"]), int(r["q"]), *(int(r[k]) for k in ("r0", "r1", "c0", "c1")))
        for r in rows
        if (r["action"], r["kind"]) == ("load", "pixels")
    }
    listed = {
        (t, *box) for t, step in enumerate(strategy.steps, start=1) for box in step.load.pixels
    }
    assert boxes == listed


def test_trace_events_follow_each_other_and_add_up(file: Path) -> None:
    data = json.loads(exported(file, "perfetto"))
    books = keep_books(load(file))
    events = data["traceEvents"]
    # The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
    assert all({"name", "ph", "pid", "tid"} <= set(event) for event in events)
    assert all("ts" in event for event in events if event["ph"] != "M")
    named = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert set(named.values()) == {"DMA in", "compute", "DMA out"}
    slices = [event for event in events if event["ph"] == "X"]
    end = 0.0
    for one in slices:
        assert one["ts"] == pytest.approx(end)
        assert one["dur"] >= 0
        end = one["ts"] + one["dur"]
    assert end == pytest.approx(float(books.duration))
    loaded = sum(e["args"]["bytes"] for e in slices if named[e["tid"]] == "DMA in")
    written = sum(e["args"]["bytes"] for e in slices if named[e["tid"]] == "DMA out")
    assert (loaded, written) == (books.loads.total, books.writes.total)
    computed = [e for e in slices if named[e["tid"]] == "compute"]
    assert len(computed) == books.compute_steps
    held = [sum(e["args"].values()) for e in events if e["ph"] == "C"]
    assert held == [*(row.on_chip for row in books.trace), 0]


def test_an_export_goes_to_a_file_as_to_standard_output(file: Path, tmp_path: Path) -> None:
    for name in ("csv", "perfetto"):
        out = tmp_path / name
        assert offload_asp("export", file, "--format", name, "--out", out).code == 0
        assert out.read_text(encoding="utf-8") == exported(file, name)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("plot", "FILE", "--kind", "pie", "--out", "x.svg"), "--kind: must be one of memory"),
        (("plot", "FILE", "--kind", "loads", "--out", "x.pdf"), "must end in .svg or .png"),
        (
            ("export", "FILE", "--format", "xml"),
            "--format: must be one of perfetto, csv, not 'xml'",
        ),
        (("report", "FILE", "--out", "x.html", "--time-limit", "-1"), "--time-limit: must be"),
        (("report", "FILE", "missing.json", "--out", "x.html"), "missing.json: cannot be read"),
        (("compare", "missing"), "missing"),
        (("compare", "tiny-3x3", "--budget", "0"), "--budget: must be from 1"),
    ],
)
def test_bad_input_is_one_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], named: str
) -> None:
    monkeypatch.chdir(file.parent)
    ran = offload_asp(*(file if part == "FILE" else part for part in arguments))
    assert ran.code == 2
    assert named in ran.error_line


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("plotly", "report", ("report", "FILE", "--out", "x.html")),
        ("matplotlib", "plots", ("plot", "FILE", "--kind", "loads", "--out", "x.svg")),
    ],
)
def test_without_its_extra_a_command_says_how_to_install_it(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    extra: str,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(file.parent)
    ran = offload_asp(*(file if part == "FILE" else part for part in arguments))
    assert ran.code == 2
    assert f"pip install 'offload-asp[{extra}]'" in ran.error_line


def test_a_report_is_of_one_layer(file: Path, tmp_path: Path) -> None:
    layer = Layer(input=(1, 3, 3), kernels=1, kernel_shape=(2, 2))
    small = problem(layer)
    plan = make_plan(small, [operations(small)])
    other = tmp_path / "other.strategy.json"
    save(strategy_of(fitted(small, plan), plan), other)
    ran = offload_asp("report", file, other, "--out", tmp_path / "x.html")
    assert ran.code == 2
    assert f"{other}: layer: must be the same as in {file}" in ran.error_line
    assert not (tmp_path / "x.html").exists()


def test_a_strategy_that_breaks_a_rule_has_no_timeline(file: Path, tmp_path: Path) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    del data["steps"][-1]
    file.write_text(json.dumps(data), encoding="utf-8")
    for arguments in (
        ("export", file, "--format", "csv"),
        ("plot", file, "--kind", "memory", "--out", tmp_path / "x.svg"),
    ):
        ran = offload_asp(*arguments)
        assert ran.code == 5
        assert "breaks a rule" in ran.error_line
    assert not (tmp_path / "x.svg").exists()


def test_compare_shows_the_baselines_of_the_run_and_writes_valid_files(tmp_path: Path) -> None:
    described = instance(tmp_path)
    run = offload_asp("run", described, "--budget", "50", "--out", tmp_path, "--json").json
    found = offload_asp(
        "compare", described, "--budget", "50", "--out", tmp_path / "out", "--json"
    ).json
    rows = found["strategies"]
    assert list(rows) == ["found", "row_by_row", "zigzag", "strips", "no_reuse"]
    assert rows["found"]["duration"] == run["duration"]
    for name, duration in run["baselines"].items():
        assert rows[name]["duration"] == duration
    for name, row in rows.items():
        suffix = "" if name == "found" else f".{name}"
        replay = simulate(load(tmp_path / "out" / f"tiny{suffix}.strategy.json"))
        assert replay.verified
        assert row["duration"] == replay.duration
        assert row["loaded"] == replay.loads.total
        assert row["written"] == replay.writes.total
        assert row["steps"] == replay.compute_steps
        assert row["peak_memory"] == replay.peak_memory
        assert row["gap"] == float((replay.duration - found["lower_bound"]) / replay.duration)


@given(layers(), st.integers(1, 3), st.integers(1, 3), st.integers(0, 60), st.integers(0, 200))
@example(Layer(input=(3, 1, 1), kernels=3, kernel_shape=(1, 1), group=3), 1, 2, 0, 0)
@example(Layer(input=(3, 1, 1), kernels=6, kernel_shape=(1, 1), group=3), 2, 2, 0, 0)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_without_reuse_every_step_loads_all_it_needs_and_keeps_none(
    layer: Layer, kernel_groups: int, channel_groups: int, memory: int, macs: int
) -> None:
    whole = problem(
        layer,
        kernel_groups=min(kernel_groups, layer.kernels),
        channel_groups=min(channel_groups, layer.input[0]),
    )
    at = problem(
        layer,
        kernel_groups=min(kernel_groups, layer.kernels),
        channel_groups=min(channel_groups, layer.input[0]),
        memory=least_memory(whole).value + memory,
        # All of an output at once: with partial sums to reload it might not fit.
        macs_per_step=int(whole.operation_macs.sum()) + macs,
    )
    planned = without_reuse(at)
    assert planned is not None
    strategy = baselines.strategy_of(planned)
    assert simulate(strategy).verified
    for step, following in zip(strategy.steps, strategy.steps[1:], strict=False):
        # What is loaded is exactly what is freed or written next, beside what is computed.
        assert sorted(step.load.kernels) == sorted(following.free.kernels)
        assert sorted(step.load.pixels) == sorted(following.free.pixels)
        touched = {(n, i, j) for n, _, *box in step.compute for i, j in cells(box)}
        left = {
            (n, i, j)
            for n, *box in (*following.write.outputs, *following.write.partial_sums)
            for i, j in cells(box)
        }
        assert touched == left
    assert not strategy.steps[-1].compute


def cells(box: list[int]) -> list[tuple[int, int]]:
    i0, i1, j0, j1 = box
    return [(i, j) for i in range(i0, i1) for j in range(j0, j1)]


def test_the_books_hold_by_kind_what_came_and_has_not_left() -> None:
    strategy = mixed()
    sizes = {"pixels": [2, 2], "outputs": [2, 2]}
    held = 0
    for step, account in zip(strategy.steps, keep_books(strategy).accounts, strict=True):
        for boxes, sign in ((step.free.pixels, -1), (step.load.pixels, 1)):
            held += sign * sum(sizes["pixels"][q] * len(cells(list(box))) for q, *box in boxes)
        assert account.held.pixels == held
    assert held == 0
    assert keep_books(strategy).accounts[-1].held.total == 0


WIDE = (
    f'name = "wide"\n[layer]\ninput = [1, 6, 6]\nkernels = 2\nkernel_shape = [3, 3]\n{TIGHT}{FIXED}'
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "instance.toml", "--budget", "9"),
        ("simulate", "large.strategy.json", "--trace"),
        ("check", "large.strategy.json"),
    ],
)
def test_tables_fit_80_columns_and_have_colours_on_a_terminal_alone(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = "1234567/1000"
    instance(tmp_path, WIDE, memory="4000", macs_per_step="900", compute_cycles=f'"{rate}"')
    layer = Layer(input=(64, 20, 20), kernels=64, kernel_shape=(3, 3))
    # Many bytes, multiply-accumulates and fractions of a cycle in one step.
    given_ = problem(layer, compute_cycles=Fraction(rate), load_cycles=Fraction(999, 1000))
    plan = make_plan(given_, [operations(given_)])
    save(strategy_of(fitted(given_, plan), plan), tmp_path / "large.strategy.json")
    for variables, coloured in (({"NO_COLOR": "1"}, False), ({"TERM": "xterm-256color"}, True)):
        terminal = Terminal()
        process = start(
            *arguments,
            cwd=tmp_path,
            stdout=terminal.theirs,
            variables={"COLUMNS": "80"} | variables,
        )
        text = terminal.read()
        assert process.wait(timeout=PATIENCE) == 0
        assert (re.search(r"\x1b\[(\d+;)*3\d[;m]", text) is not None) == coloured
        plain = re.sub(r"\x1b\[[\d;]*m", "", text)
        assert max(map(len, plain.splitlines())) <= 80
    monkeypatch.chdir(tmp_path)
    piped = offload_asp(*arguments).out
    assert "\x1b" not in piped
    assert piped
