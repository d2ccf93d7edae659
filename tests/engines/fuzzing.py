"""Feeds broken files and odd options to the commands: each ends with a promised code and one line.

``python tests/fuzzing.py FIRST COUNT`` runs so many cases and prints counts as JSON; a third word,
``models``, has all of them be mutants of ONNX models.
"""

import io
import json
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from typer.testing import CliRunner

from offloadasp.cli.app import app
from tests.engines import model_mutants, mutants
from tests.support.invoking import TINY

SECONDS = 60
_MEMORY = 6 * 2**30
ACCELERATOR = """name = "chip"
[accelerator]
memory = 300
load_cycles = 1
write_cycles = "1/4"
compute_cycles = 4.5
macs_per_step = 64
[precision]
input = 1
weight = 1
output = 1
partial_sum = 4
"""
RULES = """% At most three pixel blocks a step.
:- step(T), T > 1, #count { R, C, Q : load(pixel(R, C, Q), T) } > 3.
early(O) :- compute(O, T), T < 3.
#minimize { 1@2, O : early(O) }.
"""
# What may stand where a number, a word or a list is expected.
ODD = (
    "0", "-1", "1", "2", "3", "7", "255", "65536", "65537", str(2**31), str(2**63), str(10**30),
    "nan", "inf", "-0.0", "1e400", "0.1", "1e-30", '"1/0"', '"1/3"', '"auto"', '""', '"a\\nb"',
    "true", "[]", "[1]", "[1, 1]", "[0, 0]", "[1, 2, 3, 4]", "[[1]]", "{}", '"x :- y."', "1_000",
    "1979-05-27", "'''x'''", "[1, -1]", '"é"', "0x10",
)  # fmt: skip
OPTIONS = {
    "--time-limit": ("0", "-1", "nan", "inf", "1e9", "x", "", "0.05", str(2**63)),
    "--threads": ("0", "-1", "1", "65", "x", "1.5", "", str(2**63)),
    "--seed": ("-1", "0", "x", "", "1.5", str(2**31), str(2**63)),
    "--budget": ("0", "-1", "1", "x", "", str(2**31), str(2**63)),
    "--objective": ("", "duration", "energy", "duration,duration", ",", "traffic,x", "a;b", "\n"),
    "--encoding": ("", ".", "/", "missing.lp", "a b.lp", "'q'.lp", "x :- y.", "/dev/null"),
    "--encodings": ("", ".", "/", "missing", "a b", "x(1)."),
    "--out": ("/dev/null", "instance.toml", "instance.toml/x", "a 'b' \"c\"", "x(1)."),
    "--without": ("", "live-cut", "live_cut", "x", "../step.lp"),
    "--memory-limit": ("0", "-1", "x", "", "1", "1e9", str(2**63), "nan"),
    "--nothing": ("", "1"),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A command in a folder of files of which one is broken."""

    kind: str
    arguments: list[str]
    files: dict[str, bytes]


@dataclass(frozen=True)
class Ended:
    """The exit code, and what was wrong with the end, if anything."""

    code: int
    complaint: str = ""


def corrupt(data: bytes, draw: random.Random) -> bytes:
    """Return bytes with one to three changes: flipped, cut out, repeated, exchanged, put in."""
    content = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 1, 2, 3))):
        at = draw.randrange(len(content) + 1)
        to = min(len(content), at + draw.choice((1, 1, 2, 8, 64)))
        change = draw.randrange(7)
        if change == 0 and at < len(content):
            content[at] ^= 1 << draw.randrange(8)
        elif change == 1:
            del content[at:to]
        elif change == 2:
            content[at:at] = content[at:to]
        elif change == 3:
            printed = bytes(draw.randrange(32, 127) for _ in range(to - at))
            content[at:to] = draw.choice((printed, printed, draw.randbytes(to - at)))
        elif change == 4:
            del content[at:]
        elif change == 5:
            content[at:at] = draw.choice((b"\0", b"\xff\xfe", b"\n", b'"', b"[", b"{", b"9" * 30))
        else:
            other = draw.randrange(len(content) + 1)
            content[at:at] = content[other : other + 16]
    return bytes(content)


def odd_toml(text: str, draw: random.Random) -> bytes:
    """Return TOML with an odd value, key or line."""
    lines = text.splitlines()
    at = draw.choice([k for k, line in enumerate(lines) if "=" in line])
    key, value = lines[at].split(" = ", 1)
    change = draw.randrange(8)
    if change == 0:
        del lines[at]
    elif change == 1:
        lines[at] = f"{key}s = {value}"
    elif change == 2:
        lines.insert(at, lines[at])
    else:
        lines[at] = f"{key} = {draw.choice(ODD)}"
    return "\n".join(lines).encode()


def odd_json(data: Any, draw: random.Random) -> bytes:
    """Return JSON with an odd value, a key less or a key more."""
    root = [json.loads(json.dumps(data))]
    place, key = root, 0
    while isinstance(place[key], dict | list) and place[key] and draw.random() < 0.85:
        place = place[key]
        key = draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
    change = draw.randrange(6)
    if change == 0 and place is not root:
        del place[key]
    elif change == 1 and isinstance(place, dict):
        place["other"] = 1
    else:
        value = draw.choice(ODD)
        try:
            place[key] = json.loads(value)
        except ValueError:
            place[key] = value
    return json.dumps(root[0]).encode()


@cache
def model() -> bytes:
    """Return a model of one convolution."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "one",
        [value("x", TensorProto.FLOAT, (1, 1, 3, 3))],
        [value("y", TensorProto.FLOAT, (1, 1, 2, 2))],
        [helper.make_tensor("w", TensorProto.FLOAT, (1, 1, 2, 2), [1.0] * 4)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


@cache
def tensor() -> bytes:
    """Return a .npy file that fits the strategy."""
    file = io.BytesIO()
    np.save(file, np.arange(6, dtype=np.int8).reshape(1, 2, 3))
    return file.getvalue()


# Seconds that every search of a case gets; broken rules may ground without end.
SHORT = "0.05"
_RUN = ["run", "instance.toml", "--json", "--time-limit", SHORT]


def _instance(draw: random.Random) -> Case:
    broken = corrupt(TINY.encode(), draw) if draw.random() < 0.5 else odd_toml(TINY, draw)
    return Case(
        "instance", _RUN if draw.random() < 0.3 else ["facts", "instance.toml"],
        {"instance.toml": broken},
    )  # fmt: skip


def _strategy(draw: random.Random) -> Case:
    data = draw.choice(list(mutants.VALID.values()))
    broken = (
        corrupt(json.dumps(data).encode(), draw) if draw.random() < 0.5 else odd_json(data, draw)
    )
    return Case("strategy", [draw.choice(("check", "simulate")), "s.json"], {"s.json": broken})


def _rules(draw: random.Random) -> Case:
    return Case(
        "rules",
        [*_RUN, "--encoding", "added.lp"],
        {"instance.toml": TINY.encode(), "added.lp": corrupt(RULES.encode(), draw)},
    )


def _tensor(draw: random.Random) -> Case:
    option = draw.choice(("--input", "--weights", "--bias"))
    return Case(
        "tensor",
        ["simulate", "s.json", option, "x.npy"],
        {"s.json": json.dumps(mutants.HALO).encode(), "x.npy": corrupt(tensor(), draw)},
    )


def _accelerator(draw: random.Random) -> Case:
    broken = (
        corrupt(ACCELERATOR.encode(), draw) if draw.random() < 0.5 else odd_toml(ACCELERATOR, draw)
    )
    return Case(
        "accelerator",
        ["import", "m.onnx", "--accelerator", "chip.toml", "--out", "out"],
        {"m.onnx": model(), "chip.toml": broken},
    )


def _model(draw: random.Random) -> Case:
    return Case(
        "model",
        ["import", "m.onnx", "--accelerator", "chip.toml", "--out", "out"],
        {"m.onnx": corrupt(model(), draw), "chip.toml": ACCELERATOR.encode()},
    )


def _mutant(draw: random.Random) -> Case:
    more = ["--batch", draw.choice(("1", "2", "3"))] if draw.random() < 0.2 else []
    return Case(
        "mutant",
        ["import", "m.onnx", "--accelerator", "chip.toml", "--out", "out", "--json", *more],
        {**model_mutants.mutant(draw), "chip.toml": ACCELERATOR.encode()},
    )


def _options(draw: random.Random) -> Case:
    more = []
    for option in draw.sample(list(OPTIONS), draw.choice((1, 1, 2, 3))):
        more += [option, draw.choice(OPTIONS[option])]
    limited = [] if "--time-limit" in more or "--budget" in more else ["--time-limit", SHORT]
    return Case(
        "options", ["run", "instance.toml", "--json", *limited, *more],
        {"instance.toml": TINY.encode()},
    )  # fmt: skip


KINDS = (_instance, _strategy, _rules, _tensor, _accelerator, _model, _mutant, _options)


def case(number: int) -> Case:
    """Return the case of a number: the same each time."""
    draw = random.Random(number)
    return KINDS[number % len(KINDS)](draw)


def model_case(number: int) -> Case:
    """Return the mutant of a model of a number: the same each time."""
    return _mutant(random.Random(number))


class HangError(Exception):
    """The command takes too long."""


@contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def end(
    broken: Case, folder: Path, enter: Callable[[Path], object], seconds: int = SECONDS
) -> Ended:
    """Run a case in an empty folder, which is entered first, and look at how it ended.

    A case that has not ended within so many seconds hangs.
    """
    for name, content in broken.files.items():
        (folder / name).write_bytes(content)
    enter(folder)
    with _alarm(seconds):
        result = CliRunner().invoke(app, broken.arguments)
    code = result.exit_code
    if isinstance(result.exception, HangError):
        return Ended(code, f"not back within {seconds} s")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return Ended(code, f"traceback: {result.exception!r}"[:300])
    if code not in (0, 2, 3, 4, 5):
        return Ended(code, f"exit code {code}")
    lines = result.stderr.splitlines()
    if code in (2, 3, 4) and (len(lines) != 1 or not lines[0].startswith("offload-asp: error: ")):
        return Ended(code, f"not one line: {result.stderr!r}"[:300])
    if code in (2, 3, 4) and result.stdout:
        return Ended(code, "something on standard output")
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    left -= set(broken.files)
    if code and left:
        return Ended(code, f"left behind: {sorted(left)[:3]}")
    return Ended(code)


def main(first: int, count: int, make: Callable[[int], Case] = case) -> None:
    """Run cases, and print how many ended with each code and which ended badly."""
    import os

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    codes: Counter[str] = Counter()
    complaints = []
    for number in range(first, first + count):
        broken = make(number)
        # The last line tells which one it was, should the process die.
        print(f"case {number} ({broken.kind})", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as name:
            ended = end(broken, Path(name).resolve(), os.chdir)
            os.chdir("/")
        codes[str(ended.code)] += 1
        if ended.complaint:
            complaints.append(f"case {number} ({broken.kind}): {ended.complaint}")
    print(json.dumps({"cases": count, "codes": dict(sorted(codes.items())),
                      "complaints": complaints}))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), model_case if "models" in sys.argv[3:] else case)
