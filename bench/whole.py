"""The suite ``networks``: whole ONNX models planned, and executed under their plans."""

import importlib.util
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.case import Case, load
from bench.child import Children
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.base.errors import InputError

# What a judged row may take on two cores.
_MOST_SECONDS = 600


class Model(Case):
    """One of the light models of the package onnx, on a shipped accelerator.

    ``judged``: whether it is among those that must be planned within ten minutes together.
    """

    network: str
    accelerator: str
    judged: bool = False

    @property
    def name(self) -> str:
        """Network and accelerator."""
        return f"{self.network} on {self.accelerator}"


def model_path(network: str) -> Path:
    """Return the file of a light model.

    Raises
    ------
    InputError
        The package onnx is not installed, or has no such model.
    """
    found = importlib.util.find_spec("onnx")
    if found is None or found.origin is None:
        raise InputError("networks: the package onnx is not installed; the extra 'onnx' has it")
    path = Path(found.origin).parent / f"backend/test/data/light/light_{network}.onnx"
    if not path.is_file():
        raise InputError(f"networks: the package onnx that is installed has no {path.name}")
    return path


def _cases() -> list[Model]:
    cases = load("networks", Model)
    for case in cases:
        model_path(case.network)  # A missing package or model is said before anything is planned.
    return cases


def _work(children: Children, case: Model, limits: Limits) -> Row:
    # Threads are processes that plan a layer each.
    with tempfile.TemporaryDirectory() as folder:
        ended = children.run(
            "offloadasp",
            "network",
            str(model_path(case.network)),
            f"--accelerator={case.accelerator}",
            f"--time-limit={limits.time_limit}",
            f"--jobs={limits.threads}",
            f"--seed={limits.seed}",
            f"--out={folder}",
            "--verify",
            "--json",
        )
    seconds = round(ended.seconds, 2)
    if not ended.out:
        return {"code": ended.code, "error": ended.last_error}
    report = json.loads(ended.out)
    total, verification = report["totals"], report["verification"]
    return {
        "layers": total["runs"],
        "distinct": len(report["layers"]),
        "optimal": sum(layer["status"] == "optimal" for layer in report["layers"]),
        "missing": total["runs_without_strategy"],
        "skipped": len(report["not_offloaded"]),
        "duration": total["duration"],
        "lower_bound": total["lower_bound"],
        "gap": total["gap"],
        "shares": total["shares"],
        "verified": verification["verified"],
        "executed": len(verification["executed"]),
        "judged": case.judged,
        "seconds": seconds,
        "peak_bytes": ended.peak_bytes,
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    there = measured(rows)
    judged = [row for row in there if row["judged"]]
    lines = []
    expected = [case for case in load("networks", Model) if case.judged]
    if len(judged) == len(expected):
        networks = " and ".join(case.network for case in expected)
        total = sum(row["seconds"] for row in judged)
        lines.append(
            f"{networks} on {expected[0].accelerator}: {total:.0f} s together, check of the "
            f"whole network included; goal {_MOST_SECONDS} s."
        )
    wrong = [str(row["name"]) for row in there if not row["verified"]]
    missing = [str(row["name"]) for row in there if row["missing"]]
    lines += [f"WRONG RESULT: {', '.join(wrong)}."] if wrong else []
    return lines + ([f"Layers without a strategy: {', '.join(missing)}."] if missing else [])


def _shares(row: Row) -> str:
    return " ".join(f"{row['shares'][part] * 100:.0f}" for part in ("load", "write", "compute"))


SUITE = Suite(
    name="networks",
    title="Networks: whole ONNX models planned and executed",
    about=(
        "The light models of the package onnx. Every convolution and fully connected layer is "
        "planned, equal ones once, by as many processes as threads are allowed, each within the "
        "time limit; then the network runs on random inputs and weights, every such node executed "
        "step by step by the simulator, and all their outputs are compared with ONNX's reference "
        "evaluator. Layers: all, and distinct ones; optimal: of these. Gap: of the sums of all "
        "layers' durations and bounds. Shares: percent of load, write and compute in the duration. "
        "s: everything. MB: the largest process."
    ),
    columns=(
        Column("network", cell("name")),
        Column("layers", lambda row: f"{row['layers']} ({row['distinct']})"),
        Column("optimal", cell("optimal")),
        Column("gap", lambda row: f"{row['gap']:.2%}"),
        Column("shares", _shares),
        Column("verified", lambda row: "yes" if row["verified"] else "NO"),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=_cases,
    work=_work,
)
