"""Errors in one line on standard error, and the exit codes that go with them."""

import os
import re
import sys
from typing import Any, NoReturn

import click

from offloadasp.base.errors import InputError, InterruptedEarly, NoStrategyError, OffloadError


class OneLineErrors(click.Group):
    """A group of commands that reports every error as one line.

    Its help lists the commands in the order in which they were added.
    """

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.no_args_is_help = False  # a missing command is an error like others

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands in their order."""
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; click itself would pass over an interruption in silence."""
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
        except (KeyboardInterrupt, click.Abort):
            self._fail("interrupted", InterruptedEarly.exit_code)
        except MemoryError:
            self._fail("out of memory", NoStrategyError.exit_code)
        except click.ClickException as error:
            self._fail(self._refusal(error), InputError.exit_code)
        except OSError as error:
            self._fail_to_write(error)
        sys.exit(code or 0)

    def _refusal(self, error: click.ClickException) -> str:
        """Say what is wrong with the command line."""
        if type(error) is click.BadParameter and error.param is not None:
            return f"{max(error.param.opts, key=len)}: {error.message}"
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = f"{self.name} {context.info_name}" if context and context.parent else self.name
        return f"{error.format_message()} (try '{command} --help')"

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
