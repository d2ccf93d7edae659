"""What ``offload-asp import`` and ``offload-asp network`` do; needs the package onnx."""

from pathlib import Path

from offloadasp.base.errors import VerificationError
from offloadasp.base.files import write_text
from offloadasp.model.instance import Instance, SearchOptions
from offloadasp.model.instance_text import instance_text
from offloadasp.network.accelerators import Machine
from offloadasp.network.convolutions import Imported, convolutions, instances
from offloadasp.network.dataset import draw_inputs, read_data_set
from offloadasp.network.model import load_model
from offloadasp.network.plan import Failed, plan
from offloadasp.network.totals import totals
from offloadasp.network.verify import verify
from offloadasp.report.text.network import (
    import_object,
    network_object,
    progress,
    show_import,
    show_network,
)
from offloadasp.report.text.screen import print_json

# Nodes that the comment in an instance file names.
_NAMED = 5


def import_model(path: Path, machine: Machine, out: Path, batch: int | None, *, json: bool) -> None:
    """Write one instance file for every distinct convolution of a model, and list them."""
    model = load_model(path, batch)
    imported = convolutions(model, machine)
    found = instances(imported, machine, SearchOptions())
    files = {entry.name: out / f"{entry.name}.toml" for entry in found}
    for entry in found:
        write_text(files[entry.name], instance_text(entry, _comments(path, imported, entry)))
    if json:
        print_json(import_object(imported, found, files))
    else:
        show_import(imported, found, out)


def plan_network(
    path: Path,
    machine: Machine,
    out: Path,
    batch: int | None,
    search: SearchOptions,
    jobs: int,
    data: Path | None,
    *,
    memory_limit: int | None,
    check: bool,
    json: bool,
) -> int:
    """Plan every convolution of a model, execute the whole of it if asked to, and report.

    Parameters
    ----------
    data
        Folder of a recorded data set to execute the network on.
    memory_limit
        Megabytes of data that the process of each layer may hold.
    check
        Whether to execute it, on random inputs if there is no data set.

    Returns
    -------
    int
        The exit code: that of the first layer without a strategy, 5 if the whole network's
        output is wrong, else 0.
    """
    model = load_model(path, batch)
    imported = convolutions(model, machine)
    found = instances(imported, machine, search)
    # A data set that does not fit is refused before the search rather than after it.
    recorded = None if data is None else read_data_set(model, data)
    ready = recorded or (draw_inputs(model, search.seed) if check else None)
    with progress(shown=not json) as tell:
        outcomes = plan(found, out, jobs, tell, memory_limit)
    verification = None
    if ready is not None:
        paths = {
            name: out / entry.strategy
            for name, entry in outcomes.items()
            if not isinstance(entry, Failed)
        }
        verification = verify(model, imported, paths, ready, search.seed)
    total = totals(imported, outcomes, machine.accelerator)
    if json:
        print_json(network_object(imported, found, outcomes, total, verification, out))
    else:
        show_network(imported, found, outcomes, total, verification)
    failed = [entry for entry in outcomes.values() if isinstance(entry, Failed)]
    if failed:
        return failed[0].exit_code
    if verification is not None and not verification.verified:
        return VerificationError.exit_code
    return 0


def _comments(path: Path, imported: Imported, entry: Instance) -> list[str]:
    nodes = imported.distinct[entry.name]
    names = ", ".join(c.node for c in nodes[:_NAMED])
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    return ["".join(c if c.isprintable() else "?" for c in f"{path.name}: {names}{more}")]
