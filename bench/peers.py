"""The suites of ``peers``: CP-SAT on the flat instances, ZigZag and AccelForge on one layer."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.case import Case, load
from bench.child import Children
from bench.flat import Flat, pixel_loads
from bench.flat import cases as flat_cases
from bench.offload import Run, instance_file, parse, proved, solve, whole
from bench.record import Row
from bench.scale import FIRST_PLAN
from bench.suite import Column, Limits, Suite, cell, measured

# The module whose presence says that a peer is installed, and the package that brings it.
PACKAGES = {
    "cpsat": ("ortools", "ortools"),
    "zigzag": ("zigzag", "zigzag-dse"),
    "accelforge": ("accelforge", "accelforge, which needs Python 3.12,"),
}
# Where scripts/bench puts AccelForge if this Python is too old for it.
_APART = Path(__file__).resolve().parents[1] / ".venv-accelforge" / "bin" / "python"

# The least time that the command takes for a search.
_LEAST_SECONDS = 0.01


def installed(peer: str) -> bool:
    """Return whether a peer can be run."""
    return python_of(peer) is not None


def python_of(peer: str) -> str | None:
    """Return a Python that has a peer: this one, or one apart; None: there is none."""
    module = PACKAGES[peer][0]
    if find_spec(module) is not None:
        return sys.executable
    if peer != "accelforge" or not _APART.exists():
        return None
    asked = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    there = subprocess.run([_APART, "-P", "-c", asked], check=False, capture_output=True)
    return str(_APART) if there.returncode == 0 else None


def _cpsat(children: Children, case: Flat, limits: Limits) -> Row:
    ours = pixel_loads(children, case.text, limits)
    if "error" in ours:
        return ours
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instance.toml"
        path.write_text(case.text, encoding="utf-8")
        limit = (str(limits.time_limit), str(limits.threads), str(limits.seed))
        ended = children.run("bench.cpsat", str(path), *limit)
    if ended.code:
        return {"code": ended.code, "error": f"CP-SAT: {ended.last_error}"}
    theirs: dict[str, Any] = json.loads(ended.out)
    no_worse = theirs["found"] is None or ours["found"] <= theirs["found"]
    return {
        **ours,
        "theirs": theirs,
        "no_worse": no_worse,
        "proof": theirs["status"] != "optimal" or ours["status"] == "optimal",
    }


def _cpsat_summary(rows: Sequence[Row]) -> list[str]:
    found = measured(rows)
    fewer = sum(
        row["theirs"]["found"] is None or row["found"] < row["theirs"]["found"] for row in found
    )
    proofs, theirs = (
        sum(part["status"] == "optimal" for part in parts)
        for parts in (found, [row["theirs"] for row in found])
    )
    worse = [str(row["name"]) for row in found if not (row["no_worse"] and row["proof"])]
    return [
        f"Of {len(found)} rows ours has fewer loads in {fewer}; proofs: ours {proofs}, "
        f"CP-SAT {theirs}.",
        f"Rows with more loads than CP-SAT, or without a proof where it has one: "
        f"{', '.join(worse) or 'none'}.",
    ]


def _theirs(key: str, form: str = "{}") -> Callable[[Row], str]:
    return lambda row: cell(key, form)(row["theirs"])


CPSAT = Suite(
    name="cpsat",
    title="Peers: CP-SAT on the flat instances",
    about=(
        "The cases of flat, each by offload-asp and then by CP-SAT with the same time limit, as "
        "many workers as threads, and the same seed. CP-SAT's model: patches assigned to the "
        "fewest steps, pixels that stay on chip, loads minimised, and each used pixel loaded at "
        "least once. Pixel loads found and proven; s: ours for the whole process, CP-SAT's for "
        "model and search."
    ),
    columns=(
        Column("case", cell("name")),
        Column("found", cell("found")),
        Column("proven", cell("proven")),
        Column("status", cell("status")),
        Column("s", cell("seconds", "{:.1f}")),
        Column("CP-SAT", _theirs("found")),
        Column("proven", _theirs("proven")),
        Column("status", _theirs("status")),
        Column("s", _theirs("seconds", "{:.1f}")),
    ),
    summary=_cpsat_summary,
    cases=flat_cases,
    work=_cpsat,
)


class Memory(Case):
    """Bytes of memory, and what ZigZag 3.9.1 and AccelForge 1.0.467 were reported to move."""

    memory: int
    zigzag: int
    accelforge: int

    @property
    def name(self) -> str:
        """The bytes."""
        return str(self.memory)

    @property
    def text(self) -> str:
        """The instance of the layer; partial sums take the schema's four bytes."""
        return instance_file(
            f"zigzag-layer-{self.memory}",
            {
                "input": [16, 32, 32],
                "kernels": 16,
                "kernel_shape": [3, 3],
                "pads": [1, 1, 1, 1],
            },
            memory=self.memory,
            macs=2304,
            compute=9,
        )


def _mapped(children: Children, case: Memory, limits: Limits, peer: str, *options: str) -> Row:
    """Run another mapper, then ours in the time that it took."""
    ended = children.run(f"bench.{peer}_layer", case.name, python=python_of(peer))
    if ended.code:
        return {"code": ended.code, "error": f"{peer}: {ended.last_error}"}
    theirs: dict[str, Any] = json.loads(ended.out)
    # What the first plan takes besides the search is left for checking the last one.
    first = solve(children, case.text, replace(limits, time_limit=FIRST_PLAN), *options)
    if not first.report:
        return first.row
    search = round(max(_LEAST_SECONDS, theirs["seconds"] - _besides(first)), 3)
    run = solve(children, case.text, replace(limits, time_limit=search), *options)
    if not run.report:
        return run.row
    return {
        **run.row,
        **_moved(case.text, run, first),
        "time_limit": search,
        "theirs": theirs | {"process_seconds": ended.seconds},
        "reported": getattr(case, peer),
    }


def _besides(run: Run) -> float:
    inside = run.report["seconds"]
    return float(inside["total"] - inside["ground"] - inside["solve"])


def _moved(text: str, run: Run, first: Run) -> Row:
    def moved(report: dict[str, Any]) -> int:
        return int(report["loads"]["bytes"] + report["writes"]["bytes"])

    report = run.report
    parts = proved(whole(parse(text)), report["certificate"])
    return {
        "moved": moved(report),
        "proven": parts.loads + parts.writes,
        "total": report["seconds"]["total"],
        "first_moved": moved(first.report),
        "first_total": first.report["seconds"]["total"],
    }


def _mapped_summary(rows: Sequence[Row], peer: str) -> list[str]:
    found = measured(rows)
    more = [str(row["name"]) for row in found if row["moved"] >= row["theirs"]["moved"]]
    net = [str(row["name"]) for row in found if row["moved"] > row["theirs"]["moved_net"]]
    longer = [str(row["name"]) for row in found if row["total"] > row["theirs"]["seconds"]]
    other = [str(row["name"]) for row in found if row["theirs"]["moved"] != row["reported"]]
    return [
        f"Memories at which ours moves as many bytes or more: {', '.join(more) or 'none'}.",
        f"Memories at which ours moves more than its net figure: {', '.join(net) or 'none'}.",
        f"Memories at which ours takes longer: {', '.join(longer) or 'none'}.",
        f"Memories at which {peer}'s figure is not the one reported: {', '.join(other) or 'none'}.",
    ]


def _mapper(name: str, peer: str, about: str, *options: str) -> Suite:
    return Suite(
        name=name,
        title=f"Peers: {peer}",
        about=(
            "Input 16x32x32, 16 kernels 3x3, pad 1, one byte an element; a step of ours does one "
            f"output position (2304 multiply-accumulates, 9 cycles). {about} Ours: bytes loaded "
            "and written; proven: no plan moves less, by the certificate. s: "
            f"{peer}'s call without the import of its modules; ours from the start of the "
            "search to the verified file, with a time limit such that both take as long."
        ),
        columns=(
            Column("memory", cell("name")),
            Column(peer, _theirs("moved")),
            Column("net", _theirs("moved_net")),
            Column("reported", cell("reported")),
            Column("s", _theirs("seconds", "{:.2f}")),
            Column("ours", cell("moved")),
            Column("proven", cell("proven")),
            Column("status", cell("status")),
            Column("s", cell("total", "{:.2f}")),
            Column("limit", cell("time_limit", "{:.2f}")),
        ),
        summary=partial(_mapped_summary, peer=peer),
        cases=partial(load, "zigzag", Memory),
        work=lambda children, case, limits: _mapped(children, case, limits, name, *options),
    )


ZIGZAG = _mapper(
    "zigzag",
    "ZigZag",
    "ZigZag: its processing array does 16 kernels x 16 channels at once, which fixes part of the "
    "mapping; one memory for all operands under main memory; only accesses to main memory cost, "
    "and the cost is minimised. Moved: elements, as its cost model charges them; net: without the "
    "first reading of partial sums, which it also charges. A partial sum takes four bytes in ours "
    "and one in ZigZag.",
)

ACCELFORGE = _mapper(
    "accelforge",
    "AccelForge",
    "AccelForge: the same memories, and its mapper, which is optimal over its mappings. A partial "
    "sum takes four bytes in both. Moved: bytes, as it charges them, padding included, which it "
    "loads; net: its mapping without the loads of padding. Ours minimises bytes too "
    "(--objective traffic).",
    "--objective=traffic",
)
