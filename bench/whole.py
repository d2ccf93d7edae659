"""The suite ``networks``: whole ONNX models planned, and executed under their plans."""

import importlib.util
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.child import Children
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, Task, cell, measured
from offloadasp.base.errors import InputError

# What a judged row may take on two cores.
_MOST_SECONDS = 600
_NETWORKS, _JUDGED_ON = ("squeezenet", "resnet50"), "ethos-u65-256"


@dataclass(frozen=True)
class Case:
    """One of the light models of the package onnx, on a shipped accelerator.

    ``judged``: whether it is among those that must be planned within ten minutes together.
    """

    network: str
    accelerator: str

    @property
    def name(self) -> str:
        """Network and accelerator."""
        return f"{self.network} on {self.accelerator}"

    @property
    def judged(self) -> bool:
        """Whether its time counts."""
        return self.network in _NETWORKS and self.accelerator == _JUDGED_ON


CASES = (
    *(Case(network, _JUDGED_ON) for network in _NETWORKS),
    Case("squeezenet", "gap8"),
    Case("squeezenet", "vta-pynq"),
    Case("shufflenet", "gap8"),
)


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


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every case; the threads are processes that plan a layer each."""

    def task(case: Case) -> Task:
        path = model_path(case.network)

        def work(children: Children) -> Row:
            with tempfile.TemporaryDirectory() as folder:
                ended = children.run(
                    "offloadasp",
                    "network",
                    str(path),
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

        return Task(case.name, work)

    return [task(case) for case in CASES]


def _summary(rows: Sequence[Row]) -> list[str]:
    there = measured(rows)
    judged = [row for row in there if row["judged"]]
    lines = []
    if len(judged) == len(_NETWORKS):
        total = sum(row["seconds"] for row in judged)
        lines.append(
            f"{' and '.join(_NETWORKS)} on {_JUDGED_ON}: {total:.0f} s together, check of the "
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
)
