"""Runs commands as a user would, on instance files written for the purpose."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from offloadasp.cli.app import app

LAYER = """
[layer]
input = [1, 3, 3]
kernels = 1
kernel_shape = [2, 2]
"""
# Four patches of which a step computes one; the chip holds one of them, the kernel, an output.
TIGHT = """
[accelerator]
memory = 9
load_cycles = 1
write_cycles = 1
compute_cycles = 5
macs_per_step = 4
"""
FIXED = """
[decomposition]
tile = [1, 1]
kernel_groups = 1
channel_groups = 1
"""
TINY = f'name = "tiny"\n{LAYER}{TIGHT}{FIXED}'

# Too large to be solved completely, with many decompositions to try: the search takes its time.
LARGE = """
name = "large"
[layer]
input = [8, 32, 32]
kernels = 16
kernel_shape = [5, 5]
[accelerator]
memory = 1100
load_cycles = 1
write_cycles = 1
compute_cycles = 16
macs_per_step = 9600
"""

# Seconds after which something counts as hanging, on a machine however slow or busy.
PATIENCE = 600
# For a run that ends with its proof, however long that takes.
UNTIL_PROVED = ("--time-limit", "86400")

_ABOUT_TERMINALS = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON value that it is."""
        assert self.error == ""
        return json.loads(self.out)

    @property
    def error_line(self) -> str:
        """The only line on standard error, with nothing on standard output."""
        assert self.out == ""
        lines = self.error.splitlines()
        assert len(lines) == 1, self.error
        assert lines[0].startswith("offload-asp: error: ")
        return lines[0]


def offload_asp(*arguments: str | Path) -> Ran:
    """Run a command in this process."""
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    return Ran(result.exit_code, result.stdout, result.stderr)


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "offloadasp", *map(str, arguments)]


def start(
    *arguments: str | Path,
    cwd: Path,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    variables: Mapping[str, str] | None = None,
    session: bool = False,
    program: str | None = None,
) -> subprocess.Popen[str]:
    """Start a process of its own, from another folder, with environment variables.

    With ``session``, it leads a group that whatever it starts belongs to as well. A ``program`` in
    Python may take the place of the command, to which it may lead.
    """
    root = Path(__file__).resolve().parents[2]
    inherited = {key: os.environ[key] for key in os.environ if key not in _ABOUT_TERMINALS}
    environment = inherited | {"PYTHONPATH": str(root), "TERM": "xterm-256color"}
    environment |= variables or {}
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)] if program else command(*arguments),
        cwd=cwd,
        env=environment,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=session,
    )


class Terminal:
    """What a process writes to a terminal."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self.text = ""

    def read(self, until: str | None = None) -> str:
        """Return everything written so far, once a text was, or to the process's end."""
        if self.theirs >= 0:
            # Only the process may hold it, so that its end can be noticed.
            os.close(self.theirs)
            self.theirs = -1
        while until is None or until not in self.text:
            assert select.select([self._ours], [], [], PATIENCE)[0], self.text
            try:
                self.text += os.read(self._ours, 65536).decode()
            except OSError:  # Linux says so when the other side is closed
                os.close(self._ours)
                break
        return self.text.replace("\r\n", "\n")


def instance(folder: Path, text: str = TINY, **changes: str) -> Path:
    """Write an instance file with lines ``key = value`` replaced; return its path."""
    for key, value in changes.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count == 1, key
    path = folder / "instance.toml"
    path.write_text(text, encoding="utf-8")
    return path


def cells(box: list[int]) -> int:
    """Return how many positions a box of a strategy file covers."""
    r0, r1, c0, c1 = box[-4:]
    return (r1 - r0) * (c1 - c0)


def steps_in(path: Path) -> list[dict[str, Any]]:
    """Return the steps of a strategy file as plain JSON."""
    steps: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["steps"]
    return steps
