"""Runs work that cannot be interrupted in a thread of its own, which can be abandoned."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from offloadasp.base.errors import NoStrategyError

_POLL_SECONDS = 0.05
# How long after it was to stop work may still end by itself.
_GRACE_SECONDS = 0.4

Result = TypeVar("Result")
_left: list[threading.Thread] = []
_useful: list[threading.Thread] = []


class LeftAloneError(NoStrategyError):
    """Work did not stop when it was told to, and was abandoned."""


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
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again where it is waited for
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    stopped: float | None = None
    while thread.is_alive():
        thread.join(_POLL_SECONDS)
        if stopped is None and stop():
            stopped = time.monotonic()
        if stopped is not None and time.monotonic() - stopped > _GRACE_SECONDS:
            _left.append(thread)
            raise LeftAloneError("the search did not end in time")
    if errors:
        raise errors[0]
    return results[0]


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
