"""Ends runs at random moments and looks at what they leave.

``python tests/interruption.py FIRST COUNT`` makes so many trials and prints counts as JSON.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from offloadasp.asp.rules import shipped_rules
from offloadasp.base.errors import InputError
from offloadasp.judge.verdict import read
from offloadasp.model.strategy import Strategy, load
from tests.support.invoking import LARGE, TINY, start

# The longest that a run may take from the signal to its end, or beyond its time limit. A plan that
# takes longer to verify may be verified, and a second goes to all else.
QUICK, _BESIDE = 2.0, 1.0
# The least share of a processor that a process is taken to get on a busy machine.
_SHARE = 8
# Processor seconds before which Python may not have begun to read this program at all.
_STARTUP = 0.1
# Grounds for long, and has strategies from early on.
RULES = "{ p(X, Y, Z) : X = 1..90, Y = 1..90, Z = 1..90 }.\n:~ p(X, Y, Z). [1@-1, X, Y, Z]\n"
_CHIP = """
[accelerator]
memory = 65536
load_cycles = "1/8"
write_cycles = "1/8"
compute_cycles = 1024
macs_per_step = 15872
"""
# So large that bounds and the first plan take a while.
WIDE = """
name = "wide"
[layer]
input = [16384, 7, 7]
kernels = 16384
kernel_shape = [3, 3]
pads = [1, 1, 1, 1]
group = 16384
"""
LONG = """
name = "long"
[layer]
input = [8, 1, 16000]
kernels = 8
kernel_shape = [1, 5]
pads = [0, 8, 0, 8]
dilations = [1, 4]
"""
FULLY_CONNECTED = """
name = "connected"
[layer]
input = [1024, 1, 1]
kernels = 50257
kernel_shape = [1, 1]
"""
TEXTS = {
    "tiny": TINY,
    "rules": TINY,
    "large": LARGE,
    "wide": WIDE + _CHIP,
    "long": LONG + _CHIP,
    "connected": FULLY_CONNECTED + _CHIP,
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True)
class Trial:
    """A run and how it ends.

    Attributes
    ----------
    earlier
        What is in the file's place: ``nothing``, ``other`` text, or a ``better`` strategy.
    number
        The signal; None: it ends by its time limit.
    delay
        Seconds to the signal, or the time limit.
    """

    text: str
    options: tuple[str, ...]
    earlier: str
    number: signal.Signals | None
    delay: float


@dataclass(frozen=True)
class Left:
    """What a trial left: a ``whole`` new file, ``none``, or the file that was ``kept``."""

    file: str
    seconds: float
    complaint: str = ""


def trial(number: int) -> Trial:
    """Return the trial of a number: the same each time."""
    draw = random.Random(number)
    number_ = draw.choice((*SIGNALS, None))
    kind = draw.choice(("tiny", "large", "large", "large", "rules", "wide", "long", "connected"))
    return Trial(
        TEXTS[kind],
        ("--encoding", "rules.lp") if kind == "rules" else (),
        draw.choice(("nothing", "other", "better")) if kind == "large" else "nothing",
        number_,
        draw.uniform(0.05, 6 if kind in ("wide", "long", "connected") else 2.5),
    )


def _warm() -> None:
    """Have numba compile what it keeps for later runs; a time limit waits for that."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "instance.toml").write_text(LARGE)
        start("run", "instance.toml", "--time-limit", "0.5", cwd=Path(name)).communicate()


@cache
def _better() -> bytes:
    """Return the file of a strategy that a few seconds of search find."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "instance.toml").write_text(LARGE)
        start("run", "instance.toml", "--time-limit", "8", cwd=folder).communicate()
        return (folder / "out" / "large.strategy.json").read_bytes()


def attempt(planned: Trial, folder: Path, patience: float = QUICK) -> Left:
    """Make a trial in an empty folder, which may take so many seconds after its end is due."""
    (folder / "instance.toml").write_text(planned.text)
    (folder / "rules.lp").write_text(RULES)
    name = tomllib.loads(planned.text)["name"]
    path = folder / "out" / f"{name}.strategy.json"
    before = {"nothing": None, "other": b"{}", "better": _better}[planned.earlier]
    before = before() if callable(before) else before
    if before is not None:
        path.parent.mkdir()
        path.write_bytes(before)
    limit = "86400" if planned.number is not None else str(planned.delay)
    process = start("run", "instance.toml", "--time-limit", limit, *planned.options, cwd=folder)
    busy_before = resource.getrusage(resource.RUSAGE_CHILDREN)
    sent, before_signal = time.monotonic(), 0.0
    if planned.number is not None:
        try:
            process.wait(planned.delay)
        except subprocess.TimeoutExpired:
            before_signal = _processor_seconds(process.pid)
            process.send_signal(planned.number)
        sent = time.monotonic()
    _, error = process.communicate()
    seconds = time.monotonic() - sent - (0 if planned.number is not None else planned.delay)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime - busy_before.ru_utime - busy_before.ru_stime
    busy -= before_signal
    # Where others use the processors as well, the wall clock says little of this process.
    seconds = min(seconds, max(busy, seconds / _SHARE))
    file, complaint, verifying = _file(path, before)
    late = seconds - max(patience, _BESIDE + verifying)
    complaint = complaint or _end(
        planned, process.returncode, error, late, early=before_signal < _STARTUP
    )
    hidden = [p.name for p in path.parent.glob(".*")] if path.parent.exists() else []
    # What is killed cannot clean up.
    if hidden and planned.number != signal.SIGKILL:
        complaint = complaint or f"left behind: {hidden}"
    if complaint:
        complaint = f"{planned.number} after {planned.delay:.2f} s: {complaint}"
    return Left(file, seconds, complaint)


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _end(planned: Trial, code: int, error: str, late: float, *, early: bool) -> str:
    """Return what is wrong with the way a run ended, or nothing."""
    codes = {0, 4} if planned.number is None else {0, 4, 130}
    if planned.number == signal.SIGKILL:
        codes = {0, 4, -signal.SIGKILL}
    elif planned.number is not None and early and code in (-planned.number, 1):
        # Python itself was not ready, and ends as it likes.
        return ""
    if code not in codes:
        return f"exit code {code}: {error[-300:]}"
    if "Traceback" in error and code >= 0:
        return "a traceback"
    # A time limit does not count the start of the process.
    allowed = 0 if planned.number is not None else 2
    return f"{late:.2f} s too late" if late > allowed else ""


def _file(path: Path, before: bytes | None) -> tuple[str, str, float]:
    """Return what is there now, what is wrong with it, and the seconds that verifying it takes."""
    if not path.exists():
        return "none", "" if before is None else "the file from before is gone", 0
    if path.read_bytes() == before:
        return "kept", "", 0
    try:
        found = load(path)
    except InputError as error:
        return "broken", str(error), 0
    started = time.monotonic()
    readings = read(found, shipped_rules(), found.instance.search.seed)
    seconds = time.monotonic() - started
    if not readings.by_rules.accepted or not readings.replay.verified:
        return "broken", "refused", seconds
    if before is not None and before != b"{}":
        earlier = Strategy.model_validate_json(before)
        if found.duration > earlier.duration:
            return "worse", f"{found.duration} cycles over {earlier.duration}", seconds
        if found.duration == earlier.duration:
            return "kept", "", seconds
    return "whole", "", seconds


def main(first: int, count: int) -> None:
    """Make trials, and print what they left."""
    _warm()
    left: Counter[str] = Counter()
    complaints, slowest = [], 0.0
    for number in range(first, first + count):
        with tempfile.TemporaryDirectory() as name:
            found = attempt(trial(number), Path(name))
        left[found.file] += 1
        slowest = max(slowest, found.seconds)
        if found.complaint:
            complaints.append(f"trial {number}: {found.complaint}")
    print(
        json.dumps(
            {
                "trials": count,
                **{name: left[name] for name in ("whole", "none", "kept")},
                "slowest": round(slowest, 2),
                "complaints": complaints,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
