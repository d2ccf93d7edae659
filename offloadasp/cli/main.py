"""The entry point of ``offload-asp``: loads the commands, and ends quietly at Ctrl-C meanwhile."""

import contextlib
import os
import signal
import sys

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    # Loading the solver takes a moment in which Ctrl-C must not end in a traceback; an exception
    # that is raised while modules are loaded may also be lost. There is nothing to clean up yet.
    _handle(_end)
    from offloadasp.cli.app import app
    from offloadasp.limits.abandonable import left_alone

    try:
        # From here on SIGTERM ends a command like Ctrl-C.
        _handle(signal.default_int_handler)
        app()
    except KeyboardInterrupt:
        # Not sys.exit: Python may remember that something was interrupted, and end by a signal.
        _end()
    except SystemExit as ended:
        # Python would wait for threads, or disturb them in vain.
        if left_alone(interrupted=ended.code == _INTERRUPTED):
            _leave(ended.code)
        raise
    finally:
        # How this ends is decided. While Python ends, a signal must not change it.
        _handle(signal.SIG_IGN)


def _handle(handler: "signal._HANDLER") -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)


def _end(*_: object) -> None:
    os.write(2, b"offload-asp: error: interrupted\n")
    _leave(_INTERRUPTED)


def _leave(code: int | str | None) -> None:
    """End the process at once."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # whatever becomes of the output, this is the end
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
