"""Runs work that cannot be interrupted in a thread of its own, which can be abandoned."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from offloadasp.base.errors import NoStrategyError
from offloadasp.limits.process_memory import limited

_POLL_SECONDS = 0.05
# How long after it was to stop work may still end by itself.
_GRACE_SECONDS = 0.4
# Memory of a thread: its stack, and the bytes that its first steps take.
_THREAD_BYTES = 16 * 10**6

Result = TypeVar("Result")
Other = TypeVar("Other")
_left: list[threading.Thread] = []
_useful: list[threading.Thread] = []


class LeftAloneError(NoStrategyError):
    """Work did not stop when it was told to, and was abandoned."""


def begin(thread: threading.Thread) -> None:
    """Start a thread.

    Raises
    ------
    MemoryError
        The system has no room for it. (Python raises another error, or waits for ever for a thread
        that has no memory for its first steps.)
    """
    if limited():
        bytearray(_THREAD_BYTES)  # is given back at once
    try:
        thread.start()
    except RuntimeError:
        raise MemoryError("no room for a thread") from None


class _Running(Generic[Result]):
    """Work in a thread of its own, with its result or its error once it ends."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._results: list[Result] = []
        self._errors: list[BaseException] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        begin(self.thread)

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # raised again where it is waited for
            self._errors.append(error)

    def result(self) -> Result:
        """Return the result of work that has ended, or raise its error."""
        if self._errors:
            raise self._errors[0]
        return self._results[0]


def aside(work: Callable[[], Result], stop: Callable[[], bool]) -> Result:
    """Return the result of work, such as clingo's, in which no signal or exception ends a call.

    Parameters
    ----------
    stop
        Asked now and then; soon after True the work is left alone.

    Raises
    ------
    LeftAloneError
        It was; whoever ends the process must not wait for it, see `left_alone`.
    Exception
        Whatever the work raises.
    """
    running = _Running(work)
    stopped: float | None = None
    while running.thread.is_alive():
        running.thread.join(_POLL_SECONDS)
        if stopped is None and stop():
            stopped = time.monotonic()
        if stopped is not None and time.monotonic() - stopped > _GRACE_SECONDS:
            _left.append(running.thread)
            raise LeftAloneError("the search did not end in time")
    return running.result()


def both(here: Callable[[], Result], there: Callable[[], Other]) -> tuple[Result, Other]:
    """Return the results of two pieces of work, done at the same time.

    Under a limit on this process's memory they are done one after the other, which takes less.

    Parameters
    ----------
    here
        Done in the thread that calls.
    there
        Done in a thread of its own, which is left alone if the other work fails.

    Raises
    ------
    Exception
        Whatever the work raises; the error of ``here`` if both do.
    """
    if limited():
        return here(), there()
    running = _Running(there)
    try:
        first = here()
        running.thread.join()
    except BaseException:
        _left.append(running.thread)
        raise
    return first, running.result()


def beside(work: Callable[[], None]) -> threading.Thread:
    """Begin work that later processes have a use for: this one ends after it, if it ends well."""
    thread = threading.Thread(target=work)
    begin(thread)
    _useful.append(thread)
    return thread


def of_no_use() -> None:
    """Say of the thread that calls this that no later process has a use for its work."""
    _left.append(threading.current_thread())


def left_alone(*, interrupted: bool = False) -> bool:
    """Whether abandoned work is still running; the end of the process must not wait for it."""
    return any(thread.is_alive() for thread in (_left + _useful if interrupted else _left))
