"""The page docs/cli.md, made from the commands.

Write it anew with: python -m offloadasp.cli.reference > docs/cli.md
"""

import inspect
import textwrap

import click
from typer.main import get_group

from offloadasp.base import errors
from offloadasp.cli.app import app

_PROGRAM = "offload-asp"
_WIDTH = 100
_HEAD = f"""\
# The command line

This page is made from the commands: `python -m offloadasp.cli.reference > docs/cli.md`.
`{_PROGRAM} COMMAND --help` prints the same. Results go to standard output. Progress, notes and
errors go to standard error; an error is one line.
"""
# What an exit code means for whoever called the command.
_CODES = {
    0: "what was asked for is done: a strategy is written, or what was checked is valid",
    1: "standard output was closed before everything was printed",
    errors.InputError.exit_code: "an argument, an option or a file is wrong; the line says which "
    "key or option, and what is allowed",
    errors.InfeasibleError.exit_code: "no strategy exists; the line says the least memory, or the "
    "least work per step, that would do",
    errors.NoStrategyError.exit_code: "no strategy was found within the limits; one may exist",
    errors.VerificationError.exit_code: "a strategy, or the output of a network, is wrong: a bug, "
    "a changed file, or edited rules that permit too much",
    errors.InterruptedEarly.exit_code: "interrupted by Ctrl-C or SIGTERM; the best strategy found "
    "is verified and written, if there is one",
}


def reference() -> str:
    """Return the page: every command with its arguments, options and defaults, and exit codes."""
    parts = [_HEAD, *map(_command, get_group(app).commands.values()), _exit_codes()]
    return "\n".join(parts)


def _command(command: click.Command) -> str:
    context = click.Context(command, info_name=f"{_PROGRAM} {command.name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## {command.name}", "", f"    {usage}", ""]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines += [textwrap.fill(paragraph, _WIDTH), ""]
    options = [param for param in command.params if isinstance(param, click.Option)]
    if options:
        lines += ["| option | |", "|---|---|", *map(_option, options), ""]
    return "\n".join(lines)


def _option(option: click.Option) -> str:
    kind = "" if option.is_flag else f" {_kind(option)}"
    notes = [_escaped(option.help or "").rstrip(".")]
    if option.required:
        notes.append("required")
    elif isinstance(option.default, str):
        notes.append(f"default: {option.default}")
    elif isinstance(option.default, int | float) and not option.is_flag:
        notes.append(f"default: {option.default:g}")
    return f"| `{option.opts[0]}{_escaped(kind)}` | {'; '.join(notes)} |"


def _kind(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or option.type.name.upper()


def _exit_codes() -> str:
    rows = [f"| {code} | {words} |" for code, words in sorted(_CODES.items())]
    return "\n".join(["## Exit codes", "", "| code | |", "|---|---|", *rows, ""])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
