"""The suite ``layers``: real layers at several memories, judged on transfers alone."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from bench.child import Children
from bench.networks import networks
from bench.offload import Run, instance_file, parse, proved, solve, whole
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.base.errors import InfeasibleError
from offloadasp.base.resources import instances_folder
from offloadasp.bounds.geometry.compulsory import compulsory_loads, compulsory_writes
from offloadasp.model import objectives
from offloadasp.model.instance import Instance, Layer, load_instance

_MACS_PER_CYCLE = 256
_DENOMINATORS = (64, 32, 16, 8)
# What the rows of the networks are judged by.
_GAP_TO_EXPLAIN, _MOST_SECONDS, _MOST_BYTES = 0.1, 60, 4 * 10**9
_MEDIAN_GAP, _OPTIMAL_SHARE = 0.03, 1 / 3


@dataclass(frozen=True)
class Case:
    """An instance file, and whether its row is one of those that are judged."""

    name: str
    text: str
    judged: bool


def cases() -> Iterator[Case]:
    """Yield the networks and other layers at each memory, then all instances made by hand."""
    names, known = set(), []
    for name, layer in networks():
        names.add(name)
        known.append(Layer.model_validate(layer))
        yield from _at_every_memory(name, layer, judged=True)
    shipped = {path: load_instance(path) for path in sorted(instances_folder().glob("*.toml"))}
    for path, instance in shipped.items():
        without_bias = instance.layer.model_copy(update={"bias": False})
        if path.stem not in names and without_bias not in known:
            layer = instance.layer.model_dump(mode="json")
            yield from _at_every_memory(path.stem, layer, judged=False)
    for path in shipped:
        yield Case(f"{path.stem} as shipped", path.read_text(encoding="utf-8"), judged=False)


def _at_every_memory(name: str, table: Mapping[str, Any], *, judged: bool) -> Iterator[Case]:
    layer = Layer.model_validate(table)
    channels, height, width = layer.input
    kernels, rows, columns = layer.output_shape
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    weights = kernels * (channels // layer.group) * taps
    data = channels * height * width + weights + kernels * rows * columns
    for denominator in _DENOMINATORS:
        text = instance_file(
            f"{name}-{denominator}",
            table,
            memory=max(1, data // denominator),
            macs=weights,
            compute=-(-weights // _MACS_PER_CYCLE),
        )
        yield Case(f"{name} 1/{denominator}", text, judged)


def _work(
    children: Children, case: Case, limits: Limits, objective: str = objectives.DURATION
) -> Row:
    run = solve(children, case.text, limits, f"--objective={objective}")
    if run.ended.code == InfeasibleError.exit_code:
        return {"judged": case.judged, "unfit": True, **run.row}
    if not run.report:
        return {"judged": case.judged, **run.row}
    return {"judged": case.judged, **run.row, **_transfers(parse(case.text), run)}


def _transfers(instance: Instance, run: Run) -> Row:
    """Return a row's transfers: compulsory, proven and planned, and the gap between the two."""
    report, problem = run.report, whole(instance)
    parts = proved(problem, report["certificate"])
    compulsory = compulsory_loads(problem) + compulsory_writes(problem)
    planned = report["loads"]["bytes"] + report["writes"]["bytes"]
    duration, bound = Fraction(report["duration"]), Fraction(report["lower_bound"])
    above = duration - instance.accelerator.compute_cycles * parts.steps
    groups = report["decomposition"]
    return {
        "memory": instance.accelerator.memory,
        "compulsory": compulsory,
        "proven": parts.loads + parts.writes,
        "planned": planned,
        "gap": float((duration - bound) / above) if above else 0.0,
        "bytes_gap": (planned - parts.loads - parts.writes) / planned if planned else 0.0,
        "steps": report["steps"],
        "proven_steps": parts.steps,
        "by_compulsory": report["status"] == "optimal" and planned == compulsory,
        "kernel_groups": len(groups["kernel_groups"]),
        "channel_groups": len(groups["channel_groups"]),
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    unfit = [row for row in rows if "unfit" in row]
    failed = sum(row["judged"] for row in rows if "error" in row and "unfit" not in row)
    judged = [row for row in measured(rows) if row["judged"]]
    open_ = [row for row in judged if not row["by_compulsory"]]
    lines = [
        f"LeNet-5, ResNet-8 and VGG-16: {len(judged)} rows, and {failed} that failed. Compulsory "
        f"traffic alone closes {len(judged) - len(open_)}."
    ]
    if open_:
        optimal = sum(row["status"] == "optimal" for row in open_)
        median = statistics.median(row["gap"] for row in open_)
        lines.append(
            f"Of the other {len(open_)}, {optimal} are proved optimal, {optimal / len(open_):.1%} "
            f"(goal: {_OPTIMAL_SHARE:.0%}); median gap {median:.2%} (goal: {_MEDIAN_GAP:.0%})."
        )
        bytes_ = [row["bytes_gap"] for row in open_]
        lines.append(
            "In bytes, (plan - proven) / plan, where more compute actions than the least cost "
            f"nothing: median gap {statistics.median(bytes_):.2%}, "
            f"{sum(gap > _GAP_TO_EXPLAIN for gap in bytes_)} rows above 10 %."
        )
    large = [f"{row['name']} ({row['gap']:.1%})" for row in open_ if row["gap"] > _GAP_TO_EXPLAIN]
    slow = [str(row["name"]) for row in judged if row["seconds"] > _MOST_SECONDS]
    wide = [str(row["name"]) for row in judged if row["peak_bytes"] > _MOST_BYTES]
    for text, found in (
        ("Gap above 10 %", large),
        (f"Longer than {_MOST_SECONDS} s, start and verification included", slow),
        ("More than 4 GB", wide),
        ("Rows, of all layers, where not one operation fits", [str(row["name"]) for row in unfit]),
    ):
        lines.append(f"{text}: {len(found)}{': ' if found else ''}{', '.join(found)}.")
    return lines


def _status(row: Row) -> str:
    if row["by_compulsory"]:
        return "comp."
    return "opt." if row["status"] == "optimal" else ""


SUITE = Suite(
    name="layers",
    title="Layers: transfers of real layers",
    about=(
        "Memory: a fraction of inputs + weights + outputs, at 1 byte an element; partial sums 4 "
        "bytes; 1 cycle a byte each way; a step does one output position with all kernels and "
        f"channels, at {_MACS_PER_CYCLE} multiply-accumulates a cycle; no bias; decomposition "
        "auto. 'As shipped': the instance file. compuls., proven, plan: bytes loaded and written: "
        "compulsory, proven by the certificate, and of the plan. gap: on transfers alone, "
        "(duration - lower bound) / (duration - compute_cycles x compute actions proven), so that "
        "compute actions beyond those count. steps: compute actions of the plan, and proven. by: "
        "comp. where compulsory traffic alone closes the row, opt. where it is proved optimal "
        "otherwise. s and MB: wall time and peak memory of the process, start and verification "
        "included."
    ),
    columns=(
        Column("layer", cell("name")),
        Column("compuls.", cell("compulsory")),
        Column("proven", cell("proven")),
        Column("plan", cell("planned")),
        Column("gap", lambda row: f"{row['gap']:.2%}"),
        Column("steps", lambda row: f"{row['steps']}/{row['proven_steps']}"),
        Column("by", _status),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=cases,
    work=_work,
)

TRAFFIC = replace(
    SUITE,
    name=f"{SUITE.name}-{objectives.TRAFFIC}",
    title=f"{SUITE.title}, plans by bytes moved",
    work=partial(_work, objective=objectives.TRAFFIC),
)
"""The same layers with plans that minimise bytes moved; the gap still counts compute actions."""
