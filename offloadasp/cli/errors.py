"""Errors in one line on standard error, with their exit codes; checks of options."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from offloadasp.asp.rules import SMALLER
from offloadasp.base.errors import InfeasibleError, InputError, NoStrategyError, OffloadError
from offloadasp.limits.clock import Clock
from offloadasp.limits.interrupt import EXIT_CODE

MemoryOption = Annotated[
    int | None,
    typer.Option(help="Megabytes of data that the process of the solver may hold."),
]


class InterruptedEarly(OffloadError):  # noqa: N818 (what happened, and nobody's error)
    """The user ended a command before it had anything to show."""

    exit_code = EXIT_CODE


class Commands(TyperGroup):
    """The group of all commands: reports every error as one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; typer itself would pass over an interruption in silence."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise InterruptedEarly("interrupted") from None

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and end the process with its exit code."""
        for stream in (sys.stdout, sys.stderr):
            # A file name may hold what the terminal's encoding cannot.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
            sys.stdout.flush()
        except OffloadError as error:
            self._fail(str(error), error.exit_code)
        except (KeyboardInterrupt, typer.Abort):
            self._fail("interrupted", EXIT_CODE)
        except MemoryError:
            self._fail("out of memory", NoStrategyError.exit_code)
        except OSError as error:
            self._fail_to_write(error)
        except Exception as error:
            # Usage errors have no public base class in some versions of typer.
            if not hasattr(error, "format_message"):
                raise
            hint = f"(try '{self.name} --help')"
            self._fail(f"{error.format_message()} {hint}", InputError.exit_code)
        sys.exit(code or 0)

    def _fail(self, message: str, code: int) -> NoReturn:
        line = re.sub(r"[\s\x00-\x1f\x7f]+", " ", message).strip()
        print(f"{self.name}: error: {line}", file=sys.stderr)
        sys.exit(code)

    def _fail_to_write(self, error: OSError) -> NoReturn:
        if error.filename is not None:
            self._fail(f"{error.filename}: {error.strerror}", InputError.exit_code)
        # Nothing more can be written to standard output, at the interpreter's end neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        self._fail(f"standard output: {error.strerror or error}", InputError.exit_code)


def require_folder(out: Path) -> None:
    """Refuse a folder that cannot be written before the search rather than after it."""
    existing = next((path for path in (out, *out.parents) if path.exists()), Path())
    if not existing.is_dir():
        raise InputError(f"--out: {existing} is not a folder")


def require_between(option: str, value: int | None, most: int) -> None:
    """Refuse a number below 1 or above the most allowed."""
    if value is not None and not 1 <= value <= most:
        raise InputError(f"{option}: must be from 1 to {most}, not {value}")


@contextmanager
def without_strategy(
    given: str, name: str, clock: Clock, memory_limit: int | None
) -> Iterator[None]:
    """Say of a search that ends without a strategy why it does.

    Parameters
    ----------
    given, name
        The instance as the user named it, and its own name.
    """
    try:
        yield
    except InfeasibleError as error:
        raise InfeasibleError(f"{given}: {error}") from None
    except (NoStrategyError, MemoryError) as error:
        if clock.interrupted:
            reason = f"{name}: interrupted before the first strategy was found"
            raise InterruptedEarly(reason) from None
        full = isinstance(error, MemoryError) or clock.full.is_set()
        if memory_limit is not None and full:
            raise NoStrategyError(
                f"{name}: more than the {memory_limit} megabytes of --memory-limit are needed: "
                f"raise it, or {SMALLER}"
            ) from None
        raise NoStrategyError(str(error) or f"{name}: out of memory") from None
