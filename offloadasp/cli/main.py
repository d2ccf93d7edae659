"""The entry point of ``offload-asp``: signals, the version, and then the commands.

`offloadasp.limits.interrupt` says what Ctrl-C does where.
"""

import contextlib
import os
import signal
import sys
from types import FrameType

from offloadasp import __version__
from offloadasp.base.errors import InterruptedEarly

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        # Where it cannot be written, the long way says so.
        with contextlib.suppress(OSError):
            os.write(1, f"offload-asp {__version__}\n".encode())
            return
    try:
        _handle(_interrupted)
        from offloadasp.cli.app import app
        from offloadasp.limits.abandonable import left_alone

        app()
    except KeyboardInterrupt:
        # Not sys.exit: Python may remember that something was interrupted, and end by a signal.
        _end()
    except SystemExit as ended:
        # At its own end Python would wait for the threads that were left alone.
        if left_alone(interrupted=ended.code == InterruptedEarly.exit_code):
            _leave(ended.code)
        raise
    finally:
        # The exit code is decided: a signal while Python ends must not change it.
        _handle(signal.SIG_IGN)


def _handle(handler: "signal._HANDLER") -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)


def _interrupted(_: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; but end at once while modules are loaded, where it may be lost."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            _end()
        frame = frame.f_back
    raise KeyboardInterrupt


def _end() -> None:
    os.write(2, b"offload-asp: error: interrupted\n")
    _leave(InterruptedEarly.exit_code)


def _leave(code: int | str | None) -> None:
    """End the process at once."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the process ends, written or not
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
