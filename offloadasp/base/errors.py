"""Exceptions that end a command, one class for each exit code."""


class OffloadError(Exception):
    """Base of every error that the command line reports in one line."""

    exit_code = 1


class InputError(OffloadError):
    """The user's input is wrong; the message names file, key, value and what is allowed."""

    exit_code = 2


class InfeasibleError(OffloadError):
    """No strategy exists; the message says the least value that would do and what demands it.

    Which file that value stands in is added by the commands, who know it.
    """

    exit_code = 3


class NoStrategyError(OffloadError):
    """No strategy was found within the limits; one may exist."""

    exit_code = 4


class VerificationError(OffloadError):
    """A plan that the search proposed was refused: a bug, or edited rules that permit too much."""

    exit_code = 5


class InterruptedEarly(OffloadError):  # noqa: N818 (what happened, and nobody's error)
    """The user interrupted a command before it had a result."""

    exit_code = 130
