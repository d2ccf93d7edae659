"""Errors in one line on standard error, and the exit codes that go with them."""

import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from offloadasp.base.errors import InputError, InterruptedEarly, NoStrategyError, OffloadError
from offloadasp.base.messages import one_line


class OneLineErrors(TyperGroup):
    """A group of commands that reports every error as one line."""

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
            self._fail("interrupted", InterruptedEarly.exit_code)
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
        line = one_line(message)
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
