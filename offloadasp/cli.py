"""The entry point of ``offload-asp``: loads the commands, and ends quietly at Ctrl-C meanwhile."""

import os
import signal
import sys


def main() -> None:
    """Run the command line."""
    try:
        # Loading the solver takes a moment in which Ctrl-C must not end in a traceback, and SIGTERM
        # is to end a command like Ctrl-C at any time.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from offloadasp.commands import app

        app()
    except KeyboardInterrupt:
        # Not sys.exit: Python may remember that something was interrupted, and end by a signal.
        print("offload-asp: error: interrupted", file=sys.stderr, flush=True)
        os._exit(130)
    finally:
        # How this ends is decided. While Python ends, a signal must not change it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
