"""What the commands on whole networks print: the layers, their plans, totals, and the check.

Needs the package onnx.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from offloadasp.base.messages import one_line, plural
from offloadasp.model.instance import Instance, Precision, Resolved, exact_number
from offloadasp.model.objectives import gap
from offloadasp.network.convolutions import Convolution, Skipped
from offloadasp.network.plan import Failed, Outcome
from offloadasp.network.plan import Progress as State
from offloadasp.network.totals import Totals
from offloadasp.network.whole_model import Planned, Written
from offloadasp.report.text.instances import data_bytes
from offloadasp.report.text.screen import Rows, console, show_rows
from offloadasp.report.text.table import show_table
from offloadasp.report.text.verification import verification_object, verification_rows
from offloadasp.report.text.words import cycles, layer_words, mixed, percent

_LEGEND = (
    "runs: nodes with this layer times images; duration, bound and bytes: of one run",
    "shape: channels x height x width, kernels; groups: of kernels x of channels",
)
# Columns that matter least come first.
_SPARE = ("s", "peak", "groups", "bytes", "runs", "bound")


def show_import(written: Written, out: Path) -> None:
    """Print a row an instance, and what cannot be offloaded."""
    instances, skipped = list(written.files.values()), written.imported.skipped
    alike = written.imported.distinct
    rows = [
        (
            entry.name,
            str(_runs(alike[entry.name])),
            layer_words(entry.layer),
            _precision_words(entry.precision),
            str(data_bytes(entry)),
        )
        for entry in instances
    ]
    screen = console(wide=True)
    show_table(
        screen,
        ("name", "runs", "layer", "bytes each", "all data"),
        rows,
        flexible=2,
        spare=("bytes each",),
    )
    screen.print()
    screen.print("bytes each: of an element of input, weight, output and partial sum")
    _show_skipped(screen, skipped)
    _show_notes(screen, written.notes)
    screen.print()
    screen.print(Text(f"{plural(len(instances), 'instance')} in {out}"))


def import_object(written: Written) -> dict[str, Any]:
    """Return what was imported as JSON; instances by the files that hold them."""
    imported = written.imported
    alike = imported.distinct
    layers = [
        {
            "name": entry.name,
            "nodes": [c.node for c in alike[entry.name]],
            "op": alike[entry.name][0].op,
            "runs": _runs(alike[entry.name]),
            "layer": entry.layer.model_dump(mode="json"),
            "output": list(entry.layer.output_shape),
            "precision": entry.precision.model_dump(mode="json"),
            "data_bytes": data_bytes(entry),
            "instance": str(file),
        }
        for file, entry in written.files.items()
    ]
    found = {"layers": layers, "not_offloaded": _skipped_object(imported.skipped)}
    return found | _notes_object(written.notes)


@contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[State], None]]:
    """Show a bar of progress on standard error, if that is a terminal; yield what updates it."""
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    bar = Progress(
        TextColumn("layers"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
        console=screen,
        transient=True,
        disable=not (shown and screen.is_terminal),
    )
    task = bar.add_task("", total=None, last="")

    def tell(state: State) -> None:
        last = "" if state.last is None else _news(state.last)
        if state.last is None and state.kept:
            last = f"{state.kept} finished before"
        bar.update(task, completed=state.done, total=state.total, last=last)

    with bar:
        yield tell


def show_network(planned: Planned) -> None:
    """Print a row a layer, totals, what cannot be offloaded, and the check of the whole."""
    imported, outcomes = planned.imported, planned.outcomes
    screen = console(wide=True)
    alike = imported.distinct
    head = ("layer", "runs", "shape", "duration", "bound", "gap", "bytes", "peak")
    rows = [
        _row(entry, _runs(alike[entry.name]), outcomes[entry.name]) for entry in planned.instances
    ]
    show_table(screen, (*head, "groups", "status", "s"), rows, flexible=2, spare=_SPARE)
    screen.print()
    for line in _LEGEND:
        screen.print(line)
    for failed in (entry for entry in outcomes.values() if isinstance(entry, Failed)):
        screen.print(Text(f"{failed.name}: {failed.reason}", "bold red"))
    _show_skipped(screen, imported.skipped)
    _show_notes(screen, planned.notes)
    screen.print()
    show_rows(console(), _total_rows(planned.totals) + verification_rows(planned.verification))


def network_object(planned: Planned, out: Path) -> dict[str, Any]:
    """Return the same as JSON."""
    imported, total = planned.imported, planned.totals
    alike = imported.distinct
    layers = []
    for entry in planned.instances:
        found: dict[str, Any] = {
            "name": entry.name,
            "nodes": [c.node for c in alike[entry.name]],
            "runs": _runs(alike[entry.name]),
            "layer": entry.layer.model_dump(mode="json"),
            "precision": entry.precision.model_dump(mode="json"),
        }
        layers.append(found | _outcome_object(planned.outcomes[entry.name], out))
    return {
        "layers": layers,
        "not_offloaded": _skipped_object(imported.skipped),
        "totals": {
            "duration": exact_number(total.duration),
            "lower_bound": exact_number(total.lower_bound),
            "gap": float(total.gap),
            "shares": {
                "load": float(total.share(total.load)),
                "write": float(total.share(total.write)),
                "compute": float(total.share(total.compute)),
            },
            "loaded": total.loaded,
            "written": total.written,
            "runs": total.runs,
            "runs_without_strategy": total.missing,
            "macs": total.macs,
            "macs_not_offloaded": total.macs_left,
            "nodes_of_unknown_macs": total.unknown,
        },
        "verification": verification_object(planned.verification),
    } | _notes_object(planned.notes)


def _runs(alike: Sequence[Convolution]) -> int:
    return sum(entry.images for entry in alike)


def _precision_words(precision: Precision) -> str:
    sizes = (precision.input, precision.weight, precision.output, precision.partial_sum)
    return " ".join(map(str, sizes))


def _groups_words(decomposition: Resolved) -> str:
    return f"{len(decomposition.kernel_groups)} x {len(decomposition.channel_groups)}"


def _news(last: Outcome) -> str:
    if isinstance(last, Failed):
        return f"{last.name}: {last.reason}"
    return f"{last.name}: {last.status}, gap {percent(gap(last.duration, last.lower_bound))}"


def _row(entry: Instance, runs: int, outcome: Outcome) -> tuple[str, ...]:
    start = (entry.name, str(runs), layer_words(entry.layer))
    if isinstance(outcome, Failed):
        return (*start, "-", "-", "-", "-", "-", "-", "none", "-")
    return (
        *start,
        mixed(outcome.duration),
        mixed(outcome.lower_bound),
        percent(gap(outcome.duration, outcome.lower_bound)),
        str(outcome.loaded + outcome.written),
        str(outcome.peak_memory),
        _groups_words(outcome.decomposition),
        outcome.status,
        f"{outcome.seconds:.1f}",
    )


def _outcome_object(outcome: Outcome, out: Path) -> dict[str, Any]:
    if isinstance(outcome, Failed):
        return {"status": "none", "exit_code": outcome.exit_code, "reason": outcome.reason}
    return {
        "status": outcome.status,
        "duration": exact_number(outcome.duration),
        "lower_bound": exact_number(outcome.lower_bound),
        "gap": float(gap(outcome.duration, outcome.lower_bound)),
        "loaded": outcome.loaded,
        "written": outcome.written,
        "steps": outcome.compute_steps,
        "peak_memory": outcome.peak_memory,
        "decomposition": outcome.decomposition.model_dump(mode="json"),
        "method": outcome.method,
        "seconds": outcome.seconds,
        "strategy": str(out / outcome.strategy),
    }


def _total_rows(total: Totals) -> Rows:
    layers = plural(total.runs, "run") + " of a layer"
    if total.missing:
        layers += f"; {total.missing} more have no strategy and are in none of these sums"
    parts = {"load": total.load, "write": total.write, "compute": total.compute}
    return [
        ("network", layers),
        ("duration", cycles(total.duration)),
        ("lower bound", cycles(total.lower_bound)),
        ("gap", percent(total.gap)),
        ("shares", ", ".join(f"{name} {percent(total.share(v))}" for name, v in parts.items())),
        ("bytes", f"{total.loaded} loaded, {total.written} written"),
        *_left_rows(total),
    ]


def _left_rows(total: Totals) -> Rows:
    """Return a row on what the sums leave out; none if they leave out nothing."""
    parts = []
    if total.macs_left:
        share = percent(Fraction(total.macs_left, total.macs + total.macs_left))
        parts.append(f"{plural(total.macs_left, 'multiply-accumulate')} ({share})")
    if total.unknown:
        more = "those of " if parts else "the multiply-accumulates of "
        parts.append(f"{more}{plural(total.unknown, 'node')}, which are not known")
    return [("not offloaded", " and ".join(parts))] if parts else []


def _show_skipped(screen: Console, skipped: Sequence[Skipped]) -> None:
    if skipped:
        screen.print()
        screen.print(Text("not offloaded:", "bold"))
    for entry in skipped:
        screen.print(Text("  " + one_line(f"{entry.node} ({entry.op}): {entry.reason}")))


def _show_notes(screen: Console, notes: Sequence[str]) -> None:
    for note in notes:
        screen.print()
        screen.print(Text(one_line(f"note: {note}")))


def _notes_object(notes: Sequence[str]) -> dict[str, list[str]]:
    """Return notes as JSON; nothing where there are none."""
    return {"notes": list(notes)} if notes else {}


def _skipped_object(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    return [{"node": s.node, "op": s.op, "reason": s.reason} for s in skipped]
