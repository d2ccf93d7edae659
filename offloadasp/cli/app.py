"""All commands of ``offload-asp``, put together.

A command's module declares its options and checks their values; a command's function imports what
it works with. So help and refusals load neither a solver nor NumPy.
"""

import click

from offloadasp import __version__
from offloadasp.cli.errors import OneLineErrors
from offloadasp.cli.network import import_, network
from offloadasp.cli.run import compare, run
from offloadasp.cli.shipped import encodings, facts, instances
from offloadasp.cli.verify import check, simulate
from offloadasp.cli.views import export, plot, report


@click.group(cls=OneLineErrors, name="offload-asp", context_settings={"show_default": True})
@click.version_option(__version__, message="%(prog)s %(version)s", prog_name="offload-asp")
def app() -> None:
    """Optimal offloading of convolution layers to small accelerators."""


# In the order of the help.
for _command in (
    run,
    simulate,
    check,
    facts,
    encodings,
    instances,
    import_,
    network,
    report,
    plot,
    export,
    compare,
):
    app.add_command(_command)
