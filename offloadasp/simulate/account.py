"""What a step does, what it costs, and what it has on chip."""

from dataclasses import dataclass, field

from offloadasp.simulate.blocks import Box


@dataclass
class Actions:
    """What a step really does: boxes of existing, disjoint blocks in a state that allows it.

    ``create`` are outputs whose accumulators are set to zero just before computing.
    """

    free_pixels: list[Box] = field(default_factory=list)
    free_kernels: list[Box] = field(default_factory=list)
    write_outputs: list[Box] = field(default_factory=list)
    write_partial_sums: list[Box] = field(default_factory=list)
    load_pixels: list[Box] = field(default_factory=list)
    load_kernels: list[Box] = field(default_factory=list)
    load_partial_sums: list[Box] = field(default_factory=list)
    create: list[Box] = field(default_factory=list)
    compute: list[Box] = field(default_factory=list)


@dataclass
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


@dataclass
class Account:
    """Bytes moved in a step by kind, what is on chip at its peak, and multiply-accumulates.

    ``held`` is what is on chip while computing, when an output counts the larger of its sizes
    before and after; without a compute action, what is there after loading.
    """

    freed: int = 0
    outputs_written: int = 0
    partial_sums_written: int = 0
    pixels_loaded: int = 0
    kernels_loaded: int = 0
    partial_sums_loaded: int = 0
    held: Held = field(default_factory=Held)
    macs: int = 0

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
        return self.held.total
