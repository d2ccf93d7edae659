"""Runs work that cannot be interrupted in a thread of its own, which can be abandoned."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from offloadasp.base.errors import NoStrategyError

_POLL_SECONDS = 0.05
# How long after it was to stop work may still end by itself.
_GRACE_SECONDS = 0.4

Result = TypeVar("Result")
_left: list[threading.Thread] = []
_useful: list[threading.Thread] = []


class LeftAloneError(NoStrategyError):
    """Work did not stop when it was told to, and was abandoned."""


class Aside(Generic[Result]):
    """Work that has begun in a thread of its own, and can be abandoned.

    Work such as clingo's ends for no signal or exception. Whoever ends the process while it runs
    must not wait for it, see `left_alone`.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        self._results: list[Result] = []
        self._errors: list[BaseException] = []

        def run() -> None:
            try:
                self._results.append(work())
            except BaseException as error:  # raised again where it is waited for
                self._errors.append(error)

        self._thread = threading.Thread(target=run, daemon=True)
        _left.append(self._thread)
        self._thread.start()

    def result(self, stop: Callable[[], bool] = lambda: False) -> Result:
        """Wait for the result.

        Parameters
        ----------
        stop
            Asked now and then; soon after True the work is left alone.

        Raises
        ------
        LeftAloneError
            It was.
        Exception
            Whatever the work raises.
        """
        stopped: float | None = None
        while self._thread.is_alive():
            self._thread.join(_POLL_SECONDS)
            if stopped is None and stop():
                stopped = time.monotonic()
            if stopped is not None and time.monotonic() - stopped > _GRACE_SECONDS:
                raise LeftAloneError("the search did not end in time")
        _left.remove(self._thread)
        if self._errors:
            raise self._errors[0]
        return self._results[0]


def aside(work: Callable[[], Result], stop: Callable[[], bool]) -> Result:
    """Return the result of work that runs in a thread of its own, see `Aside`.

    Raises
    ------
    LeftAloneError
        The work went on for long after it was to stop.
    Exception
        Whatever the work raises.
    """
    return Aside(work).result(stop)


def beside(work: Callable[[], None]) -> threading.Thread:
    """Begin work that later processes have a use for: this one ends after it, if it ends well."""
    thread = threading.Thread(target=work)
    thread.start()
    _useful.append(thread)
    return thread


def of_no_use() -> None:
    """Say of the thread that calls this that no later process has a use for its work."""
    _left.append(threading.current_thread())


def left_alone(*, interrupted: bool = False) -> bool:
    """Whether abandoned work is still running; the end of the process must not wait for it."""
    return any(thread.is_alive() for thread in (_left + _useful if interrupted else _left))
