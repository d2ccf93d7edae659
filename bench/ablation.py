"""The suite ``ablation``: what each cut of the search program is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.case import Case, load
from bench.child import Children
from bench.flat import Flat
from bench.offload import instance_file, solve
from bench.record import Row
from bench.suite import SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.base.resources import encodings_folder
from offloadasp.search.refute.cuts import cut_files


class Grouped(Case):
    """A layer with as many groups as kernels and channels, two operations a step."""

    side: tuple[int, int]
    memory: int
    kernels: int = 1
    channels: int = 1

    @property
    def name(self) -> str:
        """Size, groups and bytes of memory."""
        groups = f"{self.channels}-channels" if self.channels > 1 else f"{self.kernels}-kernels"
        return f"{self.side[0]}x{self.side[1]}-{groups}-{self.memory}"

    @property
    def text(self) -> str:
        """The instance file."""
        return instance_file(
            self.name,
            {
                "input": [self.channels, *self.side],
                "kernels": self.kernels,
                "kernel_shape": [2, 2],
            },
            memory=self.memory,
            macs=8,
            compute=4,
            precision={"output": 1, "partial_sum": 2},
            decomposition={
                "tile": [1, 1],
                "kernel_groups": self.kernels,
                "channel_groups": self.channels,
            },
        )


@dataclass(frozen=True)
class Ablated:
    """A layer, the word for what is left out, and the cuts that this means."""

    case: Flat | Grouped
    without: str
    cuts: list[str]

    @property
    def name(self) -> str:
        """The layer, and what is left out."""
        return f"{self.case.name} without {self.without}"


def _cases() -> list[Ablated]:
    cuts = list(cut_files(encodings_folder()))
    variants = {"none": [], **{cut: [cut] for cut in cuts}, "all": cuts}
    layers: list[Flat | Grouped] = [
        *load("ablation", Flat, "flat"),
        *load("ablation", Grouped, "grouped"),
    ]
    return [Ablated(layer, *variant) for layer in layers for variant in variants.items()]


def _work(children: Children, ablated: Ablated, limits: Limits) -> Row:
    options = [f"--without={cut}" for cut in ablated.cuts]
    run = solve(children, ablated.case.text, limits, *options)
    if not run.report:
        return run.row
    return {
        **run.row,
        "case": ablated.case.name,
        "without": ablated.without,
        "found": run.report["duration"],
        "proven": run.report["lower_bound"],
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    found = measured(rows)
    lines = []
    for variant in dict.fromkeys(row["without"] for row in found):
        alike = [row for row in found if row["without"] == variant]
        optimal = sum(row["status"] == "optimal" for row in alike)
        seconds = sum(row["seconds"] for row in alike)
        lines.append(f"Without {variant}: {optimal} of {len(alike)} proved, {seconds:.0f} s.")
    for case in dict.fromkeys(row["case"] for row in found):
        alike = [row for row in found if row["case"] == case]
        if max(row["proven"] for row in alike) > min(row["found"] for row in alike):
            lines.append(f"CONTRADICTION: {case}: a bound exceeds a duration.")
    return lines


SUITE = Suite(
    name="ablation",
    title="Ablation: what each cut is worth",
    about=(
        "Small layers (as in flat; then input, kernels or channels that are groups of their own, "
        "and bytes of memory, with 2x2 kernels, two operations a step and partial sums), solved "
        "with all cuts of encodings/proof/, without each of them in turn, and without all. Found "
        "and proven: duration and lower bound in cycles. s: wall time of the process, which ends "
        "with the proof or at the time limit."
    ),
    columns=(
        Column("case", cell("case")),
        Column("without", cell("without")),
        Column("found", cell("found")),
        Column("proven", cell("proven")),
        Column("status", cell("status")),
        SECONDS,
    ),
    summary=_summary,
    cases=_cases,
    work=_work,
)
