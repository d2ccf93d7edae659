"""From an ONNX model to instance files, or to plans of all its layers and a check of the whole.

Needs the package onnx.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from offloadasp.base.errors import InterruptedEarly, OffloadError, VerificationError
from offloadasp.base.files import write_text
from offloadasp.model.instance import Instance, SearchOptions
from offloadasp.model.instance_text import instance_text
from offloadasp.network.accelerators import Machine
from offloadasp.network.convolutions import Imported, convolutions, instances
from offloadasp.network.dataset import draw_inputs, read_data_set
from offloadasp.network.model import load_model
from offloadasp.network.plan import Failed, Outcome, Progress, plan
from offloadasp.network.totals import Totals, totals
from offloadasp.network.verify import Expected, Verification, expect, verify

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
    notes
        Sentences on what the model states and what its inputs and weights say.
    interrupted
        Whether the check was.
    """

    imported: Imported
    instances: tuple[Instance, ...]
    outcomes: Mapping[str, Outcome]
    totals: Totals
    verification: Verification | None
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """That of the first layer without a strategy, 5 if a node or output is wrong, else 0."""
        if self.interrupted:
            return InterruptedEarly.exit_code
        for outcome in self.outcomes.values():
            if isinstance(outcome, Failed):
                return outcome.exit_code
        wrong = self.verification is not None and self.verification.verified is False
        return VerificationError.exit_code if wrong else 0


@dataclass(frozen=True)
class Written:
    """What was imported of a model, instance files by path, and notes as in `Planned`."""

    imported: Imported
    files: Mapping[Path, Instance]
    notes: tuple[str, ...]


def write_instances(path: Path, machine: Machine, out: Path, batch: int | None) -> Written:
    """Write one instance file for every distinct convolution of a model."""
    model = load_model(path, batch)
    imported = convolutions(model, machine)
    found = instances(imported, machine, SearchOptions())
    files = {out / f"{entry.name}.toml": entry for entry in found}
    for file, entry in files.items():
        write_text(file, instance_text(entry, _comments(path, imported, entry)))
    return Written(imported, files, model.notes)


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
    # A data set that does not fit, or a node that the evaluator cannot run, is refused before the
    # search rather than after it.
    recorded = None if data is None else read_data_set(model, data)
    inputs = recorded or (draw_inputs(model, search.seed) if check else None)
    expected = None if inputs is None else expect(model, imported, inputs, search.seed)
    outcomes = plan(found, out, jobs, tell, memory_limit)
    total = totals(imported, outcomes, machine.accelerator)
    verification, interrupted = None, False
    if expected is not None:
        verification, interrupted = _verified(expected, outcomes, out)
    notes = model.notes
    return Planned(imported, tuple(found), outcomes, total, verification, notes, interrupted)


def _verified(
    expected: Expected, outcomes: Mapping[str, Outcome], out: Path
) -> tuple[Verification, bool]:
    """Check a planned network; whatever ends the check, the plans are not lost.

    Returns
    -------
    tuple
        The check, and whether it was interrupted.
    """
    strategies = {
        name: out / outcome.strategy
        for name, outcome in outcomes.items()
        if not isinstance(outcome, Failed)
    }
    against = "evaluator" if expected.data.outputs is None else "recorded"
    try:
        return verify(expected, strategies), False
    except KeyboardInterrupt:
        return Verification(against, (), (), (), (), ("the check was interrupted",)), True
    except OffloadError as error:
        reason = f"the check could not be made: {error}"
    except MemoryError:
        reason = "the check ran out of memory"
    return Verification(against, (), (), (), (), (reason,)), False


def _comments(path: Path, imported: Imported, entry: Instance) -> list[str]:
    nodes = imported.distinct[entry.name]
    names = ", ".join(c.node for c in nodes[:_NAMED])
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    return ["".join(c if c.isprintable() else "?" for c in f"{path.name}: {names}{more}")]
