"""What Ctrl-C (SIGINT) and SIGTERM do. Both do the same.

- While modules are loaded the process ends at once: `offloadasp.cli.main`.
- While a search runs, the first one ends the search, whose best plan is verified and written; the
  second one ends the process: `Interrupts`, here.
- At any other time they raise KeyboardInterrupt, so that temporary files and processes are cleaned
  up: `offloadasp.cli.main`. Commands that have more to say than "interrupted" catch it.

While the layers of a network are planned, SIGTERM raises it too: `offloadasp.network.plan`.

In all cases the exit code is `EXIT_CODE`, with one line on standard error; a run that found a plan
prints its summary instead.
"""

import os
import signal
import socket
import threading
import time
from types import TracebackType
from typing import Any

from offloadasp.base.errors import InterruptedEarly
from offloadasp.limits.clock import Clock

EXIT_CODE = InterruptedEarly.exit_code

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A signal to a process and to its group, as `timeout` sends it, arrives twice but is meant once.
_ECHO_SECONDS = 0.3


class Interrupts:
    """While entered, SIGINT and SIGTERM interrupt the clock, so that every search ends soon.

    Python runs signal handlers between bytecodes of the main thread only, and clingo grounds for
    seconds in a single one. So a thread reads the wake-up descriptor, to which the interpreter
    writes the number of every signal at once.
    """

    def __init__(self, clock: Clock, *, twice_ends: bool = True) -> None:
        """Interrupt a clock.

        Parameters
        ----------
        twice_ends
            Whether a second signal ends the process at once. A notebook must outlive it.
        """
        self._clock = clock
        self._twice_ends = twice_ends
        self._restore: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        # Only the main thread may set handlers; elsewhere the program around decides.
        if threading.current_thread() is threading.main_thread():
            self._reader, self._writer = socket.socketpair()
            self._writer.setblocking(False)
            self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            self._restore = {number: signal.signal(number, _ignore) for number in _SIGNALS}
            threading.Thread(target=self._watch, args=(self._reader,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._restore:
            for number, handler in self._restore.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._wakeup)
            self._writer.close()

    def _watch(self, reader: socket.socket) -> None:
        first = None
        with reader:
            while received := reader.recv(1):
                if received[0] not in _SIGNALS:
                    continue
                now = time.monotonic()
                self._clock.interrupt()
                first = now if first is None else first
                if self._twice_ends and now - first > _ECHO_SECONDS:
                    os.write(2, b"offload-asp: error: interrupted again: ended at once\n")
                    os._exit(EXIT_CODE)


def _ignore(*_: object) -> None:
    """Replace the signal's default action by none; the wake-up descriptor reports the signal."""
