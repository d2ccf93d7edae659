"""Processes of their own: what they say, how long they take and the most memory they hold."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from offloadasp.limits.interrupt import EXIT_CODE

_PREFIX = "offload-asp: error: "


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    code
        Exit code; the negative number of a signal that ended it.
    out, error
        What it wrote to standard output and standard error.
    seconds
        Wall-clock time from its start to its end, loading included.
    peak_bytes
        The most memory resident at one time (``ru_maxrss``). Linux counts from before the
        program was loaded, when the process was a copy of this one, so this one stays small:
        whatever imports a solver does so in a process of its own.
    """

    code: int
    out: str
    error: str
    seconds: float
    peak_bytes: int

    @property
    def last_error(self) -> str:
        """The last line on standard error, or what the exit code says."""
        lines = self.error.strip().splitlines()
        return lines[-1].removeprefix(_PREFIX) if lines else f"exit code {self.code}"


class Stopped(Exception):  # noqa: N818 (what happened, and nobody's error)
    """The process was ended from outside: there is no result to record."""


class Children:
    """Starts processes, from several threads at once, and can end all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(self, module: str, *arguments: str, python: str | None = None) -> Ended:
        """Run ``python -m module`` to its end, by this Python or another.

        Raises
        ------
        Stopped
            It, or all, were ended from outside.
        """
        # Not from the current folder: it may hold other modules of the name.
        return self._run([python or sys.executable, "-P", "-m", module, *arguments])

    def _run(self, command: Sequence[str]) -> Ended:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
            process = self._start(command, out, error)
            started = time.monotonic()
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            with self._lock:
                self._running.discard(process)
            ended = Ended(
                process.returncode, _text(out), _text(error), seconds, _bytes(usage.ru_maxrss)
            )
        if self._stopped or ended.code == EXIT_CODE:
            raise Stopped
        return ended

    def _start(
        self, command: Sequence[str], out: IO[bytes], error: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._stopped:
                raise Stopped
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=error)
            self._running.add(process)
        return process

    def stop(self) -> None:
        """End all processes, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="backslashreplace")


def _bytes(maximum: int) -> int:
    """Return ``ru_maxrss`` in bytes: macOS counts bytes, others kibibytes."""
    return maximum if sys.platform == "darwin" else maximum * 1024
