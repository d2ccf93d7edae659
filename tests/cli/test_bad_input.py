"""Every kind of file and every option, given what it cannot be: one line, exit code 2, no trace."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from offloadasp.model.instance import Accelerator, Layer, Precision, SearchOptions
from tests.engines import fuzzing, mutants
from tests.support.invoking import TINY, Ran, offload_asp

HUGE = 2**63
ODD_NAME = "a 'b' \"c\" x :- y(Z), not w. %.{}"


# --- Files as a whole ---


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def good(folder: Path) -> dict[str, Path]:
    """Write one good file of every kind."""
    return {
        "instance": write(folder, "i.toml", TINY.encode()),
        "strategy": write(folder, "s.json", json.dumps(mutants.HALO).encode()),
        "accelerator": write(folder, "chip.toml", fuzzing.ACCELERATOR.encode()),
        "rules": write(folder, "more.lp", fuzzing.RULES.encode()),
        "tensor": write(folder, "x.npy", fuzzing.tensor()),
        "model": write(folder, "m.onnx", fuzzing.model()),
    }


Command = Callable[[dict[str, Path], Path], list[str | Path]]
# Every way to hand over a file: its kind, and the command that reads it.
READERS: dict[str, tuple[str, Command]] = {
    "run": ("instance", lambda f, out: ["run", f["instance"], "--out", out]),
    "compare": ("instance", lambda f, out: ["compare", f["instance"], "--out", out]),
    "facts": ("instance", lambda f, out: ["facts", f["instance"]]),
    "check": ("strategy", lambda f, out: ["check", f["strategy"]]),
    "export": ("strategy", lambda f, out: ["export", f["strategy"], "--format", "csv"]),
    "simulate": ("strategy", lambda f, out: ["simulate", f["strategy"]]),
    "run --encoding": (
        "rules",
        lambda f, out: ["run", f["instance"], "--encoding", f["rules"], "--out", out],
    ),
    "simulate --input": (
        "tensor", lambda f, out: ["simulate", f["strategy"], "--input", f["tensor"]],
    ),
    "simulate --weights": (
        "tensor", lambda f, out: ["simulate", f["strategy"], "--weights", f["tensor"]],
    ),
    "simulate --bias": (
        "tensor", lambda f, out: ["simulate", f["strategy"], "--bias", f["tensor"]],
    ),
    "import --accelerator": (
        "accelerator",
        lambda f, out: ["import", f["model"], "--accelerator", f["accelerator"], "--out", out],
    ),
    "import": (
        "model",
        lambda f, out: ["import", f["model"], "--accelerator", f["accelerator"], "--out", out],
    ),
    "network": (
        "model",
        lambda f, out: ["network", f["model"], "--accelerator", f["accelerator"], "--out", out],
    ),
}  # fmt: skip


def _missing(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _content(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return rewrite


BREAKS: dict[str, Callable[[Path], None]] = {
    "missing": _missing,
    "a folder": _folder,
    "a link to itself": _loop,
    "empty": _content(lambda data: b""),
    "binary": _content(lambda data: bytes(range(256)) * 4),
    "truncated": _content(lambda data: data[: len(data) // 2 - 1]),
    "UTF-16": _content(lambda data: data.decode("latin-1").encode("utf-16")),
    "latin-1": _content(lambda data: b"\xe9 = \xfc\n" + data),
    "zeros": _content(lambda data: b"\0" * len(data)),
}
# No rule is a rule of nothing, and clingo reads what is there up to the end.
FINE = {("run --encoding", "empty")}


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_none_is_named_in_one_line(reader: str, broken: str, tmp_path: Path) -> None:
    if (reader, broken) in FINE:
        pytest.skip("nothing is wrong with it")
    files, out = good(tmp_path), tmp_path / "out"
    kind, make = READERS[reader]
    # The name holds everything that a message or a program could trip over.
    odd = files[kind].rename(tmp_path / f"{ODD_NAME}{files[kind].suffix}")
    files[kind] = odd
    BREAKS[broken](odd)
    before = sorted(tmp_path.rglob("*"))
    ran = offload_asp(*make(files, out))
    refused(ran, ODD_NAME)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("reader", [name for name in READERS if name != "simulate --bias"])
def test_a_file_may_have_any_name(reader: str, tmp_path: Path) -> None:
    files = good(tmp_path)
    kind, make = READERS[reader]
    files[kind] = files[kind].rename(tmp_path / f"{ODD_NAME}{files[kind].suffix}")
    words = make(files, tmp_path / ODD_NAME)
    if words[0] in ("run", "compare"):
        words += ["--budget", "20"]
    if words[0] == "network":
        words += ["--time-limit", "0.2"]
    if reader == "simulate --weights":
        words = ["simulate", files["strategy"], "--input", files["tensor"]]
    assert offload_asp(*words).code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
@pytest.mark.parametrize("reader", READERS)
def test_an_unreadable_file_is_named_in_one_line(reader: str, tmp_path: Path) -> None:
    files = good(tmp_path)
    kind, make = READERS[reader]
    files[kind].chmod(0)
    refused(offload_asp(*make(files, tmp_path / "out")), files[kind].name)


def refused(ran: Ran, *words: str) -> None:
    assert ran.code == 2
    for word in words:
        assert word in ran.error_line


# --- Values ---

# Literals of TOML, and whether a number of at least 1 could be meant.
VALUES = {
    "a word": '"x"',
    "nothing": '""',
    "a truth value": "true",
    "negative": "-1",
    "huge": str(HUGE),
    "not a number": "nan",
    "infinite": "inf",
    "a list": "[]",
    "a table": "{}",
    "rules": '":- load(B, T)."',
    "a date": "1979-05-27",
}
TABLES: dict[str, type[BaseModel]] = {
    "layer": Layer,
    "accelerator": Accelerator,
    "precision": Precision,
    "search": SearchOptions,
}
KEYS = [(table, key) for table, model in TABLES.items() for key in model.model_fields]
KEYS += [("decomposition", key) for key in ("tile", "kernel_groups", "channel_groups")]
# Truth is what a bias is, and a time limit may be any length.
ALLOWED = {("bias", "a truth value")}


def with_value(table: str, key: str, value: str) -> str:
    """Return an instance in which one key has a value, as text."""
    lines, here = [], ""
    for line in [*TINY.splitlines(), *([] if f"[{table}]" in TINY else [f"[{table}]"])]:
        here = line.strip("[]") if line.startswith("[") else here
        if here != table or not line.startswith(f"{key} ="):
            lines.append(line)
        if line == f"[{table}]":
            lines.append(f"{key} = {value}")
    return "\n".join(lines)


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_refuses_what_it_cannot_be_and_is_named(
    table: str, key: str, tmp_path: Path
) -> None:
    for name, value in VALUES.items():
        if (key, name) in ALLOWED:
            continue
        path = write(tmp_path, "i.toml", with_value(table, key, value).encode())
        refused(offload_asp("facts", path), "i.toml", f"{table}.{key}")


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_may_be_given_once_and_under_its_name(
    table: str, key: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "i.toml", with_value(table, f"{key}s_", "1").encode())
    refused(offload_asp("facts", path), f"{table}.{key}s_: unknown key")
    twice = with_value(table, key, "1").replace(f"{key} = 1", f"{key} = 1\n{key} = 1")
    refused(offload_asp("facts", write(tmp_path, "i.toml", twice.encode())), "not valid TOML")


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_a_key_that_lacks_a_letter_brings_up_the_one_that_was_meant(
    table: str, key: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "i.toml", with_value(table, key[:-1], "1").encode())
    refused(offload_asp("facts", path), f"{table}.{key[:-1]}: unknown key; did you mean '{key}'?")


def test_tables_and_keys_of_every_file_are_brought_up_or_else_all_listed(tmp_path: Path) -> None:
    files = good(tmp_path)
    path = write(tmp_path, "j.toml", TINY.replace("[accelerator]", "[acelerator]").encode())
    refused(offload_asp("facts", path), "acelerator: unknown key; did you mean 'accelerator'?")
    path = write(tmp_path, "j.toml", TINY.replace("[accelerator]", "[layer.zzz]").encode())
    refused(offload_asp("facts", path), "layer.zzz: unknown key; allowed are input, kernels, ")
    text = fuzzing.ACCELERATOR.replace("load_cycles", "loadcycles")
    files["accelerator"] = write(tmp_path, "chip.toml", text.encode())
    ran = offload_asp(*READERS["import --accelerator"][1](files, tmp_path / "out"))
    refused(ran, "accelerator.loadcycles: unknown key; did you mean 'load_cycles'?")
    text = json.dumps(mutants.HALO).replace('"load"', '"lode"', 1)
    path = write(tmp_path, "t.json", text.encode())
    refused(offload_asp("check", path), ".lode: unknown key; did you mean 'load'?")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["run", "tiny-3x4"], "tiny-3x3"),
        (["run", "tiny-3x3", "--objective", "duration,peak-memory"], "'peak_memory'"),
        (["run", "tiny-3x3", "--without", "live_cuts"], "'live-cut'"),
    ],
)
def test_a_name_that_is_nearly_right_brings_up_the_one_that_was_meant(
    words: list[str], meant: str
) -> None:
    refused(offload_asp(*words), f"did you mean {meant}")


ONES = TINY.replace("[1, 3, 3]", "[1, 1, 1]").replace("[2, 2]", "[1, 1]")


@pytest.mark.parametrize("command", ["run", "compare"])
@pytest.mark.parametrize(("old", "new"), [("memory = 9", "memory = 1"), ("[2, 2]", "[3, 3]")])
def test_what_is_infeasible_is_named_by_its_file(
    command: str, old: str, new: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "i.toml", TINY.replace(old, new).encode())
    ran = offload_asp(command, path, "--out", tmp_path / "out")
    assert ran.code == 3
    assert ran.error_line.startswith(f"offload-asp: error: {path}: accelerator.m")


def test_what_is_infeasible_under_a_rule_is_named_as_it_was_given(tmp_path: Path) -> None:
    rule = write(tmp_path, "no.lp", b":- step(T).\n")
    ran = offload_asp("run", "tiny-3x3", "--encoding", rule, "--out", tmp_path / "out")
    assert ran.code == 3
    assert ran.error_line.startswith("offload-asp: error: tiny-3x3: infeasible under your added")


@pytest.mark.parametrize("steps", ["0", "-1", "2147483648", "100000000000", "1.5"])
def test_facts_of_steps_that_clingo_cannot_count_are_refused(steps: str) -> None:
    refused(offload_asp("facts", "tiny-2x3", "--steps", steps), "--steps", steps)


def test_one_of_anything_is_not_spoken_of_as_several(tmp_path: Path) -> None:
    for old, new in (("memory = 9", "memory = 1"), ("kernels = 1", "kernels = 1\ngroup = 2")):
        path = write(tmp_path, "i.toml", ONES.replace(old, new).encode())
        line = offload_asp("run", path, "--out", tmp_path / "out").error_line
        assert re.search(r"\b1 (byte|input channel)\b", line)
        assert not re.search(r"\b1 [a-z]+s\b", line)


@pytest.mark.parametrize("shape", ["[1, 3]", "[1, 3, 3, 3]", "3", "[]"])
def test_a_list_of_another_length_is_refused_without_words_of_python(
    shape: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "i.toml", with_value("layer", "input", shape).encode())
    ran = offload_asp("facts", path)
    refused(ran, "layer.input", "list")
    assert "uple" not in ran.error_line


@pytest.mark.parametrize(
    "value", ["[]", "[0]", "[1.5]", "-1", "true", '"some"', '["auto"]', "[99999]"]
)
def test_groups_that_are_none_are_refused_with_all_that_they_may_be(
    value: str, tmp_path: Path
) -> None:
    text = f"{TINY.partition('[decomposition]')[0]}[decomposition]\nkernel_groups = {value}\n"
    ran = offload_asp("facts", write(tmp_path, "i.toml", text.encode()))
    refused(ran, "i.toml: decomposition.kernel_groups", '"auto", a number of groups')


@pytest.mark.parametrize("key", ["input", "kernels", "kernel_shape", "memory", "macs_per_step"])
def test_zero_is_no_size(key: str, tmp_path: Path) -> None:
    text, count = re.subn(rf"(?m)^({key} = .*?)\d", r"\g<1>0", TINY, count=1)
    assert count == 1
    refused(offload_asp("facts", write(tmp_path, "i.toml", text.encode())), key)


# --- Options ---

ODD = ("", "-1", "x", "nan", str(HUGE), "1e400", ":- a.")
NUMBERS = {
    "run": ("--time-limit", "--threads", "--seed", "--budget", "--memory-limit"),
    "compare": ("--time-limit", "--threads", "--seed", "--budget", "--memory-limit"),
    "simulate": ("--seed",),
    "import": ("--batch",),
    "network": ("--time-limit", "--jobs", "--batch", "--seed", "--memory-limit"),
}


@pytest.mark.parametrize(
    ("command", "option"), [(c, o) for c, all_ in NUMBERS.items() for o in all_]
)
def test_a_number_that_is_none_is_refused_by_the_option_s_name(
    command: str, option: str, tmp_path: Path
) -> None:
    files, out = good(tmp_path), tmp_path / "out"
    words = READERS[command][1](files, out)
    before = sorted(tmp_path.rglob("*"))
    for value in ODD:
        if option == "--time-limit" and value == str(HUGE):
            continue  # refused below
        refused(offload_asp(*words, option, value), option)
    if option != "--seed":
        refused(offload_asp(*words, option, "0"), option)
    refused(offload_asp(*words, option), option)
    refused(offload_asp(*words, option, str(HUGE)), option)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("run", "--encodings"),
        ("check", "--encodings"),
        ("network", "--data"),
        ("run", "--objective"),
        ("run", "--without"),
        ("run", "--encoding"),
    ],
)
@pytest.mark.parametrize("value", ["missing", ODD_NAME, "", "."])
def test_a_folder_file_or_word_that_is_none_is_refused_by_its_name(
    command: str, option: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = good(tmp_path)
    words = READERS[command][1](files, tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    refused(offload_asp(*words, option, value))
    assert sorted(tmp_path.rglob("*")) == before
