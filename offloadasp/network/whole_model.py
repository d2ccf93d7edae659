"""From an ONNX model to instance files, or to plans of all its layers and a check of the whole.

Needs the package onnx.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from offloadasp.base.errors import VerificationError
from offloadasp.base.files import write_text
from offloadasp.model.instance import Instance, SearchOptions
from offloadasp.model.instance_text import instance_text
from offloadasp.network.accelerators import Machine
from offloadasp.network.convolutions import Imported, convolutions, instances
from offloadasp.network.dataset import draw_inputs, read_data_set
from offloadasp.network.model import load_model
from offloadasp.network.plan import Failed, Outcome, Progress, plan
from offloadasp.network.totals import Totals, totals
from offloadasp.network.verify import Verification, verify

# Nodes that the comment in an instance file names.
_NAMED = 5


@dataclass(frozen=True)
class Planned:
    """A network whose layers were planned.

    Attributes
    ----------
    instances, outcomes
        Of every distinct layer; outcomes by the instance's name.
    verification
        The check of the whole network; None if none was asked for.
    """

    imported: Imported
    instances: tuple[Instance, ...]
    outcomes: Mapping[str, Outcome]
    totals: Totals
    verification: Verification | None

    @property
    def exit_code(self) -> int:
        """That of the first layer without a strategy, 5 if an output is wrong, else 0."""
        for outcome in self.outcomes.values():
            if isinstance(outcome, Failed):
                return outcome.exit_code
        wrong = self.verification is not None and not self.verification.verified
        return VerificationError.exit_code if wrong else 0


def write_instances(
    path: Path, machine: Machine, out: Path, batch: int | None
) -> tuple[Imported, dict[Path, Instance]]:
    """Write one instance file for every distinct convolution of a model; return them by path."""
    imported = convolutions(load_model(path, batch), machine)
    found = instances(imported, machine, SearchOptions())
    files = {out / f"{entry.name}.toml": entry for entry in found}
    for file, entry in files.items():
        write_text(file, instance_text(entry, _comments(path, imported, entry)))
    return imported, files


def plan_network(
    path: Path,
    machine: Machine,
    out: Path,
    batch: int | None,
    search: SearchOptions,
    jobs: int,
    tell: Callable[[Progress], None] = lambda _: None,
    *,
    memory_limit: int | None = None,
    data: Path | None = None,
    check: bool = False,
) -> Planned:
    """Plan every convolution of a model, and execute the whole of it if asked to.

    Parameters
    ----------
    jobs
        Layers planned at the same time.
    memory_limit
        Megabytes of data that the process of each layer may hold.
    data
        Folder of a recorded data set to execute the network on.
    check
        Whether to execute it on random inputs if there is no data set.
    """
    model = load_model(path, batch)
    imported = convolutions(model, machine)
    found = instances(imported, machine, search)
    # A data set that does not fit is refused before the search rather than after it.
    recorded = None if data is None else read_data_set(model, data)
    inputs = recorded or (draw_inputs(model, search.seed) if check else None)
    outcomes = plan(found, out, jobs, tell, memory_limit)
    verification = None
    if inputs is not None:
        strategies = {
            name: out / outcome.strategy
            for name, outcome in outcomes.items()
            if not isinstance(outcome, Failed)
        }
        verification = verify(model, imported, strategies, inputs, search.seed)
    total = totals(imported, outcomes, machine.accelerator)
    return Planned(imported, tuple(found), outcomes, total, verification)


def _comments(path: Path, imported: Imported, entry: Instance) -> list[str]:
    nodes = imported.distinct[entry.name]
    names = ", ".join(c.node for c in nodes[:_NAMED])
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    return ["".join(c if c.isprintable() else "?" for c in f"{path.name}: {names}{more}")]
