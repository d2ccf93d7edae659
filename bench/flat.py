"""The suite ``flat``: one channel, one kernel, several patches a step, as few steps as possible."""

from collections.abc import Sequence

from bench.case import Case, load
from bench.child import Children
from bench.offload import ONE_A_STEP, instance_file, parse, proved, solve, whole
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured

_COMPUTE_CYCLES = 1000


class Flat(Case):
    """One channel, one kernel, and as many steps as patches need; see ``bench/cases/flat.toml``."""

    side: tuple[int, int]
    patches: int
    pixels: int
    kernel: int = 3
    stride: int = 1
    pad: int = 0
    best: int | None = None
    bound: int | None = None

    @property
    def name(self) -> str:
        """A name that says everything."""
        parts = [
            f"{self.side[0]}x{self.side[1]}",
            f"k{self.kernel}" if self.kernel != 3 else "",
            f"s{self.stride}" if self.stride != 1 else "",
            f"p{self.pad}" if self.pad else "",
            f"g{self.patches}",
            f"m{self.pixels}",
        ]
        return "-".join(part for part in parts if part)

    @property
    def text(self) -> str:
        """The instance file."""
        return pixels_text(
            self.name,
            self.side,
            kernel=self.kernel,
            stride=self.stride,
            pad=self.pad,
            pixels=self.pixels,
            patches=self.patches,
            compute=_COMPUTE_CYCLES,
        )


def pixels_text(
    name: str,
    side: tuple[int, int],
    *,
    kernel: int,
    stride: int,
    pixels: int,
    pad: int = 0,
    patches: int = 1,
    compute: int = 1,
) -> str:
    """Return the instance of one channel and one kernel, whose outputs have no bytes.

    ``pixels`` fit beside the kernel; a step computes ``patches`` in ``compute`` cycles.
    """
    layer = {
        "input": [1, *side],
        "kernels": 1,
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [pad] * 4,
    }
    return instance_file(
        name,
        layer,
        memory=pixels + kernel**2,
        macs=patches * kernel**2,
        compute=compute,
        precision={"output": 0},
        decomposition=ONE_A_STEP,
    )


def pixel_loads(children: Children, text: str, limits: Limits) -> Row:
    """Solve such an instance; return pixel loads found and proven beside what every row has."""
    run = solve(children, text, limits)
    if not run.report:
        return run.row
    instance = parse(text)
    taps = instance.layer.kernel_shape[0] ** 2
    parts = proved(whole(instance), run.report["certificate"])
    fixed = int(instance.accelerator.compute_cycles) * parts.steps + taps
    return {
        **run.row,
        "found": run.report["duration"] - fixed,
        "proven": run.report["lower_bound"] - fixed,
        "steps": run.report["steps"],
    }


def cases() -> list[Flat]:
    """Return all cases."""
    return load("flat", Flat)


def _work(children: Children, case: Flat, limits: Limits) -> Row:
    row = pixel_loads(children, case.text, limits)
    if case.best is not None and case.bound is not None and "error" not in row:
        row |= {"best": case.best, "bound": case.bound}
        row["met"] = row["found"] <= case.best and row["proven"] >= case.bound
    return row


def _summary(rows: Sequence[Row]) -> list[str]:
    known = [row for row in measured(rows) if "met" in row]
    others = [row for row in measured(rows) if "met" not in row]
    lines = []
    if known:
        met = sum(row["met"] for row in known)
        first = sum(row["status"] == "optimal" and row["bound"] < row["best"] for row in known)
        lines.append(f"With figures to reach: {met} of {len(known)} met.")
        lines.append(f"Proved optimal where that would be a first: {first}.")
    if others:
        optimal = sum(row["status"] == "optimal" for row in others)
        lines.append(f"Others: {optimal} of {len(others)} proved optimal.")
    return lines


def _met(row: Row) -> str:
    return {None: "-", True: "yes", False: "no"}[row.get("met")]


SUITE = Suite(
    name="flat",
    title="Flat: one channel, one kernel, fewest steps",
    about=(
        "Input height x width, k: kernel (3), s: stride (1), p: pad (0), g: patches a step, "
        f"m: pixels that fit beside the kernel. Outputs have no bytes; compute_cycles is "
        f"{_COMPUTE_CYCLES}, so that the number of steps is the least. Found and proven: pixel "
        "loads, that is duration and lower bound less the compute cycles of the least number of "
        f"steps and the kernel's bytes; a plan with a step more has {_COMPUTE_CYCLES} more. "
        "Goal: pixel loads to reach and to prove. s and MB: wall time and peak memory of the "
        "process."
    ),
    columns=(
        Column("case", cell("name")),
        Column("found", cell("found")),
        Column("proven", cell("proven")),
        Column("status", cell("status")),
        Column("goal", cell("best")),
        Column("to prove", cell("bound")),
        Column("met", _met),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=cases,
    work=_work,
)
