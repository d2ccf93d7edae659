"""Instances as text, ``offload-asp run`` in a process of its own, and the parts of its bound."""

import json
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from bench.child import Children, Ended
from bench.record import Row
from bench.suite import Limits
from offloadasp.bounds import verify_certificate
from offloadasp.model.instance import Instance, parse_instance
from offloadasp.model.instance_text import toml
from offloadasp.model.objectives import Prices
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.construct.decompose import scope

# A step computes one output position, with all kernels and channels.
ONE_A_STEP = {"tile": [1, 1], "kernel_groups": 1, "channel_groups": 1}


def instance_file(
    name: str,
    layer: Mapping[str, Any],
    memory: int,
    macs: int,
    compute: int,
    **tables: Mapping[str, Any],
) -> str:
    """Return an instance file whose accelerator loads and writes a byte a cycle.

    Parameters
    ----------
    memory
        Bytes.
    macs, compute
        Multiply-accumulates and cycles of a compute action.
    tables
        The other tables of the file.
    """
    accelerator = {
        "memory": memory,
        "load_cycles": 1,
        "write_cycles": 1,
        "compute_cycles": compute,
        "macs_per_step": macs,
    }
    return toml({"name": name, "layer": layer, "accelerator": accelerator, **tables})


def parse(text: str) -> Instance:
    """Return the instance that a file's text describes."""
    return parse_instance(tomllib.loads(text, parse_float=Decimal), "instance")


@dataclass(frozen=True)
class Run:
    """One ``offload-asp run --json``.

    Attributes
    ----------
    report
        The JSON object that it printed; empty if it failed.
    ended
        How the process ended.
    """

    report: dict[str, Any]
    ended: Ended

    @property
    def row(self) -> Row:
        """What every row has: an error; or status, time and memory."""
        if not self.report:
            return {"code": self.ended.code, "error": self.ended.last_error}
        report = self.report
        return {
            "status": report["status"],
            "inside": report["seconds"],
            "method": report["method"],
            **self.ending,
        }

    @property
    def ending(self) -> Row:
        """What is known of every run, one that failed included: exit code, time and memory."""
        return {
            "code": self.ended.code,
            "seconds": round(self.ended.seconds, 2),
            "peak_bytes": self.ended.peak_bytes,
        }


def solve(
    children: Children, text: str, limits: Limits, *more: str, keep: Path | None = None
) -> Run:
    """Run ``offload-asp run`` on an instance file.

    Parameters
    ----------
    more
        Further options.
    keep
        Folder for the strategy file; None: it is thrown away.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "instance.toml"
        path.write_text(text, encoding="utf-8")
        out = Path(name) if keep is None else keep
        ended = children.run(
            "offloadasp", "run", str(path), "--json", f"--out={out}", *limits.arguments, *more
        )
    return Run(json.loads(ended.out) if ended.code == 0 else {}, ended)


@dataclass(frozen=True)
class Proved:
    """What a certificate proves, computed anew: bytes loaded and written, compute actions."""

    loads: int
    writes: int
    steps: int


def whole(instance: Instance) -> Problem:
    """Return the problem that a bound speaks of: the finest that the instance leaves open."""
    return problem_of(instance, scope(instance))


def proved(problem: Problem, certificate: Mapping[str, Any]) -> Proved:
    """Return the parts of the bound that a certificate proves without any search."""
    # More memory than all blocks take changes no strategy; certificates are made for that much.
    problem = problem.within(problem.memory)

    def part(load: int, write: int, compute: int) -> int:
        prices = Prices(Fraction(load), Fraction(write), Fraction(compute))
        return int(verify_certificate(problem.at(prices), certificate))

    return Proved(part(1, 0, 0), part(0, 1, 0), part(0, 0, 1))
