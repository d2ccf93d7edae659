"""Words and figures for people: right, never misleading, and within a terminal's width."""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from offloadasp.limits.clock import Clock
from offloadasp.model.catalogue import find_instance
from offloadasp.model.instance import Choice, Layer, Resolved, load_instance, split_evenly
from offloadasp.report.text.live import LiveLine
from offloadasp.report.text.screen import Rows, show_rows
from offloadasp.report.text.table import show_table
from offloadasp.report.text.words import (
    choice_words,
    cycles,
    decomposition_words,
    error_words,
    given_words,
    layer_words,
    mixed,
    percent,
    scope_words,
)
from offloadasp.search.pool import Status
from tests.support.invoking import PATIENCE, Terminal, instance, start


def on_a_terminal(*arguments: str | Path, cwd: Path, **variables: str) -> str:
    terminal, variables = Terminal(), {"COLUMNS": "80"} | variables
    process = start(*arguments, cwd=cwd, stdout=terminal.theirs, variables=variables)
    text = terminal.read()
    assert process.wait(timeout=PATIENCE) == 0
    return text


@pytest.mark.parametrize("arguments", [("instances",), ("run", "instance.toml", "--budget", "9")])
def test_a_terminal_of_80_columns_is_enough(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    instance(tmp_path)
    text = on_a_terminal(*arguments, cwd=tmp_path)
    assert "\x1b[36m" in text
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= 80


def test_no_color_means_no_colour(tmp_path: Path) -> None:
    instance(tmp_path)
    text = on_a_terminal("run", "instance.toml", "--budget", "9", cwd=tmp_path, NO_COLOR="1")
    assert "optimal" in text or "feasible" in text
    assert not re.search(r"\x1b\[(\d+;)*(3|4|9|10)\d[;m]", text)


def shown(
    width: int,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    flexible: int = 0,
    spare: Sequence[str] = (),
) -> list[str]:
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        show_table(console, head, rows, flexible=flexible, spare=spare)
    return capture.get().splitlines()


@given(st.fractions(0, 1))
def test_a_gap_reads_as_zero_only_if_it_is(share: Fraction) -> None:
    text = percent(share)
    assert text.endswith(" %")
    assert (text == "0.00 %") == (share == 0)


def test_a_gap_beyond_every_float_can_be_shown() -> None:
    assert percent(-Fraction(10**400)) == f"-1{'0' * 402}.00 %"


def test_the_condition_of_a_bound_stays_short_however_many_objectives_come_before() -> None:
    described = load_instance(find_instance("tiny-3x3"))
    assert given_words(described, []) == ""
    assert (
        given_words(described, [("duration", Fraction(7))]) == " where duration is at most 7 cycles"
    )
    assert len(given_words(described, [("edited", Fraction(k)) for k in range(1000)])) < 100


def test_cycles_are_exact() -> None:
    assert cycles(Fraction(7)) == "7 cycles"
    assert cycles(Fraction(22, 7)) == "3 1/7 cycles"
    assert cycles(1) == "1 cycle"


@given(st.fractions(0, 10**12))
def test_a_fraction_reads_as_a_whole_number_and_less_than_one(value: Fraction) -> None:
    parts = [Fraction(part) for part in mixed(value, grouped=True).replace(",", "").split()]
    assert sum(parts) == value
    assert all(part.denominator == 1 for part in parts[:-1])
    assert parts[-1].denominator == 1 or parts[-1] < 1
    assert mixed(value) == mixed(value, grouped=True).replace(",", "")


def test_whole_numbers_of_a_column_end_in_one_place_whatever_fractions_follow() -> None:
    values = [Fraction(7), Fraction(1, 3), Fraction(22, 7), Fraction(123456, 15)]
    printed = shown(100, ("name", "cycles"), [("a", mixed(value)) for value in values])
    ends = [re.sub(r" ?\d+/\d+$", "", line).rstrip() for line in printed[1:]]
    assert {len(end) for end in ends if end != "a"} == {len(ends[0])}
    assert [line.split(maxsplit=1)[1] for line in printed[1:]] == ["7", "1/3", "3 1/7", "8230 2/5"]


def test_a_layer_names_only_what_is_not_the_default() -> None:
    assert layer_words(Layer(input=(1, 5, 5), kernels=1, kernel_shape=(3, 3))) == (
        "1x5x5, 1 kernel 3x3"
    )
    layer = Layer(
        input=(4, 9, 9),
        kernels=8,
        kernel_shape=(3, 2),
        strides=(2, 1),
        pads=(0, 1, 2, 1),
        dilations=(2, 2),
        group=2,
        bias=True,
    )
    assert layer_words(layer) == (
        "4x9x9, 8 kernels 3x2, stride 2x1, pad 0 1 2 1, dilation 2, 2 convolution groups, bias"
    )
    assert "depthwise" in layer_words(layer.model_copy(update={"group": 4}))


def test_groups_are_described_by_number_and_size() -> None:
    groups = Resolved(kernel_groups=split_evenly(16, 3), channel_groups=split_evenly(6, 1))
    words = "3 kernel groups of 6, 5, 5; 1 channel group of 6; tile 1x1"
    assert decomposition_words(groups) == words
    many = Resolved(kernel_groups=split_evenly(25, 10), channel_groups=split_evenly(6, 6))
    words = "10 kernel groups of 2 to 3; 6 channel groups of 1; tile 1x1"
    assert decomposition_words(many) == words


def test_what_an_instance_leaves_open_is_said() -> None:
    assert choice_words(Choice()) == "auto"
    assert choice_words(Choice(kernel_groups=(3, 2), channel_groups=1)) == "3+2 x 1"
    assert choice_words(Choice(tile=(2, 4))) == "auto, tile 2x4"
    assert scope_words(Choice()) == "every decomposition"
    assert scope_words(Choice(tile=(1, 1))) == "every choice of kernel groups and channel groups"
    assert scope_words(Choice(tile=(1, 1), kernel_groups=1, channel_groups=1)) == (
        "this decomposition"
    )


def test_an_error_beyond_the_tolerance_is_no_success() -> None:
    assert "equals" in error_words(0, 0)
    assert "differs" in error_words(1, 0)
    assert "within" in error_words(1e-12, 1e-9)
    assert "differs" in error_words(1e-6, 1e-9)
    assert "incomplete" in error_words(float("inf"), 1e-9)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_rows_and_tables_keep_every_word_at_any_width(width: int) -> None:
    console = Console(width=width, color_system=None, highlight=False)
    words = [f"word{k}" for k in range(30)]
    rows: Rows = [("a label", " ".join(words)), ("b", "short")]
    with console.capture() as capture:
        show_rows(console, rows)
        show_table(console, ("x", "text", "n"), [("a", " ".join(words), "12")], flexible=1)
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= max(width, 24)
    assert re.findall(r"word\d+", capture.get()) == words * 2


LAYERS = [
    ("n0", "1", "3x224x224, 64 kernels 3x3, stride 2, bias", "334046 2/3", "0.35 %", "optimal"),
    ("n37", "2", "48x13x13, 192 kernels 3x3, pad 0 0 1 1, bias", "7", "-", "none"),
]
HEAD = ("layer", "runs", "shape", "duration", "gap", "status")


@pytest.mark.parametrize("width", range(45, 110, 5))
def test_a_table_leaves_columns_out_and_says_which_rather_than_break_what_it_shows(
    width: int,
) -> None:
    lines = shown(width, HEAD, LAYERS, flexible=2, spare=("runs", "gap"))
    assert max(map(len, lines)) <= width
    left_out = [name for name in ("runs", "gap") if not re.search(rf"\b{name}\b", lines[0])]
    note = f"no room for: {', '.join(left_out)}; a wider terminal or a pipe shows all"
    assert (note in " ".join(" ".join(lines).split())) == (left_out != [])
    assert left_out in ([], ["runs"], ["runs", "gap"])
    for row in LAYERS:
        for name, cell in zip(HEAD, row, strict=True):
            for phrase in [] if name in left_out else cell.split(", "):
                assert any(phrase in line for line in lines)


def test_a_table_with_room_shows_everything_a_row_a_line() -> None:
    lines = shown(1000, HEAD, LAYERS, flexible=2, spare=("runs", "gap"))
    assert len(lines) == 1 + len(LAYERS)
    for line, row in zip(lines[1:], LAYERS, strict=True):
        assert re.split(r"  +", line) == list(row)


def test_names_that_leave_no_room_get_lines_of_their_own() -> None:
    name = "a_network_stage1_" * 5
    lines = shown(80, HEAD, [(name, *LAYERS[0][1:])], flexible=2)
    assert lines[2] == name
    assert lines[3].startswith("  ")
    assert max(map(len, lines[:2] + lines[3:])) <= 80


def test_the_live_line_says_what_is_known_and_no_more() -> None:
    clock = Clock(60)
    line = LiveLine(clock, shown=False)
    found = re.fullmatch(r"bounds \| (\d+) s left", line.text)
    assert found is not None
    assert round(clock.remaining) - 1 <= int(found[1]) <= 60
    line.tell(Status(None, Fraction(0), "at most 9 steps"))
    assert re.fullmatch(r"at most 9 steps \| \d+ s left", line.text)
    line.tell(Status(Fraction(200), Fraction(150), "traversals"))
    known = r"traversals \| incumbent 200 \| bound 150 \| gap 25\.00 % \| \d+ s left"
    assert re.fullmatch(known, line.text)
    clock.interrupt()
    assert line.text.startswith("interrupted")
    assert "left" not in line.text


def test_the_live_line_of_a_budget_shows_no_time() -> None:
    assert LiveLine(Clock(), shown=False).text == "bounds"
