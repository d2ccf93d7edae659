"""All commands of ``offload-asp``, put together.

A command's module declares its options and checks their values; a command's function imports what
it works with. So help and refusals load neither a solver nor NumPy.
"""

from collections.abc import Callable
from typing import Annotated

import typer

from offloadasp import __version__
from offloadasp.cli.errors import OneLineErrors
from offloadasp.cli.network import import_, network
from offloadasp.cli.run import compare, run
from offloadasp.cli.shipped import encodings, facts, instances
from offloadasp.cli.verify import check, simulate
from offloadasp.cli.views import export, plot, report

app = typer.Typer(
    name="offload-asp",
    cls=OneLineErrors,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Optimal offloading of convolution layers to small accelerators.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"offload-asp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    pass


# In the order of the help.
COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "simulate": simulate,
    "check": check,
    "facts": facts,
    "encodings": encodings,
    "instances": instances,
    "import": import_,
    "network": network,
    "report": report,
    "plot": plot,
    "export": export,
    "compare": compare,
}
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
