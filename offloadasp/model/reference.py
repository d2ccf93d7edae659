"""The definition of a step in plain loops: docs/model.md, sentence by sentence, as a program.

It reads a strategy step by step, keeps what is on chip in sets of blocks, and stops at the first
step that breaks a rule. Slow and simple on purpose. The rules (``encodings/``) and the simulator
say the same independently; tests compare the three. Nothing that solves, bounds or
judges imports this module, and it takes nothing from them: only the parsed strategy file.

It stops there because what is on chip after a broken rule is not defined, while the first broken
step is.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from offloadasp.model.instance import ResolvedInstance
from offloadasp.model.strategy import Step, Strategy

# --- Blocks and operations, by the names that they have in the rules ---


@dataclass(frozen=True)
class Pixel:
    """Input position (row, column) in all channels of a channel group."""

    row: int
    column: int
    channel_group: int


@dataclass(frozen=True)
class Kernel:
    """The weights of a kernel group for a channel group."""

    kernel_group: int
    channel_group: int


@dataclass(frozen=True)
class Output:
    """Output position (row, column) in all kernels of a kernel group."""

    row: int
    column: int
    kernel_group: int


@dataclass(frozen=True)
class Operation:
    """The patch of an output position, in one channel group, times a kernel group."""

    row: int
    column: int
    kernel_group: int
    channel_group: int

    @property
    def output(self) -> Output:
        """The output block that the operation accumulates into."""
        return Output(self.row, self.column, self.kernel_group)


Input = Pixel | Kernel
Named = TypeVar("Named", bound=Hashable)


# --- What the reading returns ---


@dataclass(frozen=True)
class StepCost:
    """What one step costs.

    Attributes
    ----------
    loaded, written
        Bytes that the step transfers.
    on_chip
        Bytes on chip while it computes, which is the most in this step.
    macs
        Multiply-accumulates, padded taps included.
    cycles
        Its duration.
    """

    loaded: int
    written: int
    on_chip: int
    macs: int
    cycles: Fraction


@dataclass(frozen=True)
class Reading:
    """What a strategy does, up to the first step that breaks a rule.

    Attributes
    ----------
    step
        The first step that breaks a rule, counted from 1; 0 if a strategy without steps does; None
        if the strategy is valid.
    rules
        Names of the rules that this step breaks, as ``offload-asp check`` reports them.
    costs
        What each step costs, up to that one.
    """

    step: int | None
    rules: frozenset[str]
    costs: tuple[StepCost, ...]

    @property
    def duration(self) -> Fraction:
        """Cycles of all steps that were read."""
        return sum((cost.cycles for cost in self.costs), Fraction(0))


def read(strategy: Strategy) -> Reading:
    """Read a strategy up to the first step that breaks a rule."""
    chip = _Chip(_Layer(strategy.instance))
    costs = []
    last = len(strategy.steps)
    for number, step in enumerate(strategy.steps, start=1):
        costs.append(chip.execute(step))
        if number == last:
            chip.require_the_end()
        if chip.broken:
            return Reading(number, frozenset(chip.broken), tuple(costs))
    if not strategy.steps:
        chip.require_the_end()
    return Reading(0 if chip.broken else None, frozenset(chip.broken), tuple(costs))


# --- The layer: which blocks and operations there are ---


class _Layer:
    """The blocks of a layer, their bytes, and its operations."""

    def __init__(self, instance: ResolvedInstance) -> None:
        self.instance = instance
        self.input_bytes: dict[Input, int] = {}
        self.partial_bytes: dict[Output, int] = {}
        self.complete_bytes: dict[Output, int] = {}
        self.needs: dict[Operation, set[Input]] = {}
        self.macs: dict[Operation, int] = {}
        self.operations_on: Counter[Output] = Counter()
        self._add_kernels()
        self._add_outputs()
        self._add_operations()
        self._add_pixels()

    def matching_pairs(self, n: int, q: int) -> int:
        """Count the pairs of a kernel of group n and a channel of group q that belong together.

        In a grouped convolution a kernel sees only the channels of its own convolution group.
        """
        layer, groups = self.instance.layer, self.instance.decomposition
        kernels_each = layer.kernels // layer.group
        channels_each = layer.input[0] // layer.group
        return sum(
            kernel // kernels_each == channel // channels_each
            for kernel in range(*groups.kernel_groups[n])
            for channel in range(*groups.channel_groups[q])
        )

    def pairs_of_groups(self) -> list[tuple[int, int]]:
        """Return the kernel groups and channel groups that have operations together."""
        groups = self.instance.decomposition
        return [
            (n, q)
            for n in range(len(groups.kernel_groups))
            for q in range(len(groups.channel_groups))
            if self.matching_pairs(n, q) > 0
        ]

    def _add_kernels(self) -> None:
        layer, precision = self.instance.layer, self.instance.precision
        height, width = layer.kernel_shape
        with_bias: set[int] = set()
        for n, q in self.pairs_of_groups():
            size = self.matching_pairs(n, q) * height * width * precision.weight
            if layer.bias and n not in with_bias:  # the group's first kernel block brings it
                with_bias.add(n)
                size += self._kernels_in(n) * precision.partial_sum
            self.input_bytes[Kernel(n, q)] = size

    def _add_outputs(self) -> None:
        precision = self.instance.precision
        _, height, width = self.instance.layer.output_shape
        for n in range(len(self.instance.decomposition.kernel_groups)):
            for i in range(height):
                for j in range(width):
                    output = Output(i, j, n)
                    self.partial_bytes[output] = self._kernels_in(n) * precision.partial_sum
                    self.complete_bytes[output] = self._kernels_in(n) * precision.output

    def _add_operations(self) -> None:
        height, width = self.instance.layer.kernel_shape
        for n, q in self.pairs_of_groups():
            for output in self.complete_bytes:
                if output.kernel_group != n:
                    continue
                operation = Operation(output.row, output.column, n, q)
                patch = [Pixel(r, c, q) for r, c in self.patch(output.row, output.column)]
                self.needs[operation] = {Kernel(n, q), *patch}
                self.macs[operation] = self.matching_pairs(n, q) * height * width
                self.operations_on[output] += 1

    def _add_pixels(self) -> None:
        groups, precision = self.instance.decomposition, self.instance.precision
        _, height, width = self.instance.layer.output_shape
        used = {place for i in range(height) for j in range(width) for place in self.patch(i, j)}
        for q, (first, end) in enumerate(groups.channel_groups):
            for r, c in used:
                self.input_bytes[Pixel(r, c, q)] = (end - first) * precision.input

    def patch(self, i: int, j: int) -> list[tuple[int, int]]:
        """Return the input positions under the kernel at output position (i, j); no padding."""
        return [(r, c) for r in self._taps(0, i) for c in self._taps(1, j)]

    def _taps(self, axis: int, position: int) -> list[int]:
        layer = self.instance.layer
        first = position * layer.strides[axis] - layer.pads[axis]
        taps = [first + k * layer.dilations[axis] for k in range(layer.kernel_shape[axis])]
        return [tap for tap in taps if 0 <= tap < layer.input[1 + axis]]

    def _kernels_in(self, n: int) -> int:
        first, end = self.instance.decomposition.kernel_groups[n]
        return end - first


# --- The chip: what a step does to it ---


class _Chip:
    """What is on chip, what has been computed, and the rules broken so far."""

    def __init__(self, layer: _Layer) -> None:
        self.layer = layer
        self.inputs: set[Input] = set()
        self.outputs: set[Output] = set()
        self.in_main_memory: set[Output] = set()  # partial sums that were spilled
        self.done: set[Operation] = set()
        self.missing = Counter(layer.operations_on)  # operations that each output still lacks
        self.broken: set[str] = set()

    def execute(self, step: Step) -> StepCost:
        """Free, write, load and compute, in this order; or free, then all else at the same time."""
        overlap = self.layer.instance.accelerator.overlaps
        if not _acts(step):
            self.broken.add("empty_step")
        self._free(step)
        spilled_before = set(self.in_main_memory)
        written = self._write(step)
        # What is loaded beside a compute action is of no use to it.
        usable = (set(self.inputs), set(self.outputs))
        loaded = self._load(step, spilled_before if overlap else self.in_main_memory)
        # What is written beside it stays until the step ends.
        leaving = written if overlap else 0
        on_chip, macs = self._compute(step, usable if overlap else None, leaving)
        return StepCost(loaded, written, on_chip, macs, self._cycles(step, loaded, written, macs))

    def _cycles(self, step: Step, loaded: int, written: int, macs: int) -> Fraction:
        rates = self.layer.instance.accelerator
        load, write = rates.load_cycles * loaded, rates.write_cycles * written
        compute = rates.compute_cycles + rates.mac_cycles * macs if step.compute else Fraction(0)
        if rates.overlap == "dma":
            return max(compute, load + write)
        if rates.overlap == "duplex":
            return max(compute, load, write)
        return load + write + compute

    def _free(self, step: Step) -> None:
        freed = self._named_inputs(step.free.pixels, step.free.kernels)
        if freed - self.inputs:
            self.broken.add("free_absent")
        self.inputs -= freed

    def _write(self, step: Step) -> int:
        complete = self._leave(self._named_outputs(step.write.outputs))
        if any(self.missing[output] > 0 for output in complete):
            self.broken.add("write_incomplete")
        partial = self._leave(self._named_outputs(step.write.partial_sums))
        if any(self.missing[output] == 0 for output in partial):
            self.broken.add("write_complete_as_partial")
        self.in_main_memory |= partial
        return sum(map(self.size, complete | partial))

    def _leave(self, written: set[Output]) -> set[Output]:
        """Take outputs off the chip; return the ones that were there."""
        if written - self.outputs:
            self.broken.add("write_absent")
        present = written & self.outputs
        self.outputs -= present
        return present

    def _load(self, step: Step, spilled: set[Output]) -> int:
        """Load; of partial sums those that were spilled. Return the bytes."""
        inputs = self._named_inputs(step.load.pixels, step.load.kernels)
        partial = self._named_outputs(step.load.partial_sums)
        if inputs & self.inputs or partial & self.outputs:
            self.broken.add("load_present")
        absent = partial - self.outputs
        if absent - spilled or any(self.missing[output] == 0 for output in absent):
            self.broken.add("load_unspilled")
        self.inputs |= inputs
        self.outputs |= partial
        return sum(map(self.layer.input_bytes.__getitem__, inputs)) + sum(map(self.size, partial))

    def _compute(
        self, step: Step, usable: tuple[set[Input], set[Output]] | None, leaving: int
    ) -> tuple[int, int]:
        """Compute; return the bytes on chip while it does, and the multiply-accumulates.

        ``usable`` is what may be computed with, if that is not all that is on chip; ``leaving``
        are bytes of outputs that are being written.
        """
        inputs, outputs = usable or (self.inputs, self.outputs)
        named = self._named_operations(step)
        if named & self.done:
            self.broken.add("compute_twice")
        new = named - self.done
        if not all(self._has_what_it_needs(operation, inputs, outputs) for operation in new):
            self.broken.add("use_absent")
        before = {output: self.size(output) for output in self.outputs}
        for operation in new:
            self.missing[operation.output] -= 1
            self.outputs.add(operation.output)
        self.done |= new
        # An output that changes counts the larger of its bytes before and after.
        on_chip = leaving + sum(map(self.layer.input_bytes.__getitem__, self.inputs))
        on_chip += sum(max(before.get(output, 0), self.size(output)) for output in self.outputs)
        if on_chip > self.layer.instance.accelerator.memory and not self.broken:
            self.broken.add("memory")
        macs = sum(self.layer.macs[operation] for operation in named)
        if macs > self.layer.instance.accelerator.macs_per_step:
            self.broken.add("macs")
        return on_chip, macs

    def _has_what_it_needs(
        self, operation: Operation, inputs: set[Input], outputs: set[Output]
    ) -> bool:
        begun = self.missing[operation.output] < self.layer.operations_on[operation.output]
        return self.layer.needs[operation] <= inputs and (not begun or operation.output in outputs)

    def size(self, output: Output) -> int:
        """Return the bytes of an output as it is now."""
        complete = self.missing[output] == 0
        return (self.layer.complete_bytes if complete else self.layer.partial_bytes)[output]

    def require_the_end(self) -> None:
        """Note what must not be so after the last step."""
        consistent = not self.broken
        if any(self.missing.values()):
            self.broken.add("never_computed")
        if consistent and (self.inputs or self.outputs):
            self.broken.add("left_on_chip")

    # The lists of a step, block by block.

    def _named_inputs(
        self, pixels: Sequence[Sequence[int]], kernels: Sequence[Sequence[int]]
    ) -> set[Input]:
        blocks = self.layer.input_bytes
        return {
            *self._named(pixels, lambda q, r, c: Pixel(r, c, q), blocks, "not_a_block"),
            *self._listed([[Kernel(*pair)] for pair in kernels], blocks, "not_a_block"),
        }

    def _named_outputs(self, boxes: Sequence[Sequence[int]]) -> set[Output]:
        blocks = self.layer.complete_bytes
        return self._named(boxes, lambda n, i, j: Output(i, j, n), blocks, "not_a_block")

    def _named_operations(self, step: Step) -> set[Operation]:
        known = self.layer.needs
        return self._named(
            step.compute, lambda n, q, i, j: Operation(i, j, n, q), known, "not_an_operation"
        )

    def _named(
        self,
        boxes: Sequence[Sequence[int]],
        block: Callable[..., Named],
        known: Iterable[Named],
        rule: str,
    ) -> set[Named]:
        """Return the blocks of boxes ``[group…, row0, row1, column0, column1]``."""
        cells = [
            [block(*group, row, column) for row in range(r0, r1) for column in range(c0, c1)]
            for *group, r0, r1, c0, c1 in boxes
        ]
        return self._listed(cells, known, rule)

    def _listed(
        self, boxes: Sequence[Sequence[Named]], known: Iterable[Named], rule: str
    ) -> set[Named]:
        """Return the blocks that one list names and that exist."""
        counts = Counter(block for box in boxes for block in box)
        if not all(boxes):
            self.broken.add("empty_box")
        if any(count > 1 for count in counts.values()):
            self.broken.add("overlapping_boxes")
        if counts.keys() - set(known):
            self.broken.add(rule)
        return counts.keys() & set(known)


def _acts(step: Step) -> bool:
    lists = (
        *(step.free.pixels, step.free.kernels),
        *(step.write.outputs, step.write.partial_sums),
        *(step.load.pixels, step.load.kernels, step.load.partial_sums),
        step.compute,
    )
    return any(len(entries) > 0 for entries in lists)
