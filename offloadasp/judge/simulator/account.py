"""What a step does, what it costs, and what it has on chip."""

from collections.abc import Sequence
from dataclasses import dataclass

from offloadasp.judge.simulator.blocks import Box


@dataclass(slots=True)
class Actions:
    """What a step really does: boxes of existing, disjoint blocks in a state that allows it.

    ``create`` are outputs whose accumulators are set to zero just before computing. The ledger
    gives tuples: there are many steps, and the garbage collector does not look at those again.
    """

    free_pixels: Sequence[Box] = ()
    free_kernels: Sequence[Box] = ()
    write_outputs: Sequence[Box] = ()
    write_partial_sums: Sequence[Box] = ()
    load_pixels: Sequence[Box] = ()
    load_kernels: Sequence[Box] = ()
    load_partial_sums: Sequence[Box] = ()
    create: Sequence[Box] = ()
    compute: Sequence[Box] = ()


@dataclass(slots=True)
class Held:
    """Bytes on chip by kind. A block counts as partial sums while operations on it are missing."""

    pixels: int = 0
    kernels: int = 0
    partial_sums: int = 0
    outputs: int = 0

    @property
    def total(self) -> int:
        """Bytes on chip."""
        return self.pixels + self.kernels + self.partial_sums + self.outputs


@dataclass(slots=True)
class Account:
    """Bytes moved in a step by kind, what is on chip at its peak, and multiply-accumulates.

    ``held_…`` is what is on chip while computing, when an output counts the larger of its sizes
    before and after; without a compute action, what is there after loading.
    """

    freed: int = 0
    outputs_written: int = 0
    partial_sums_written: int = 0
    pixels_loaded: int = 0
    kernels_loaded: int = 0
    partial_sums_loaded: int = 0
    held_pixels: int = 0
    held_kernels: int = 0
    held_partial_sums: int = 0
    held_outputs: int = 0
    macs: int = 0

    def hold(self, held: Held) -> None:
        """Take over what is on chip."""
        self.held_pixels, self.held_kernels = held.pixels, held.kernels
        self.held_partial_sums, self.held_outputs = held.partial_sums, held.outputs

    @property
    def held(self) -> Held:
        """What is on chip at the step's peak."""
        return Held(self.held_pixels, self.held_kernels, self.held_partial_sums, self.held_outputs)

    @property
    def loaded(self) -> int:
        """Bytes loaded."""
        return self.pixels_loaded + self.kernels_loaded + self.partial_sums_loaded

    @property
    def written(self) -> int:
        """Bytes written."""
        return self.outputs_written + self.partial_sums_written

    @property
    def peak(self) -> int:
        """The most bytes on chip before, during and after the compute action."""
        return self.held_pixels + self.held_kernels + self.held_partial_sums + self.held_outputs
