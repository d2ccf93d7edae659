"""The entry point of ``offload-asp``: loads the commands, and ends quietly at Ctrl-C meanwhile."""

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
        print("offload-asp: error: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
