"""Views of a problem under which bounds are proved: which decomposition, which positions.

A bound under any view holds for the problem itself. The finest decomposition contains all
strategies of the problem's own; and a strategy for all positions is one for some of them, with
other actions between. Derivation: docs/bounds.md, section 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from offloadasp.bounds.arguments.phases import Phases, best_phases, phase_value
from offloadasp.bounds.arguments.separator import extra_loads
from offloadasp.bounds.arguments.steps import largest_group
from offloadasp.bounds.geometry.operations import OperationFootprint, block_capacity, input_capacity
from offloadasp.bounds.geometry.sizes import Sizes, finest_sizes, inner_sizes, is_finest, sizes_of
from offloadasp.model.problem import Problem


@dataclass(frozen=True)
class View:
    """A problem seen at one decomposition and without some of its border positions.

    Attributes
    ----------
    problem
        The problem that bounds are wanted for.
    finest
        Whether to look at the finest decomposition instead of the problem's own.
    inner
        Whether to leave out the rows and columns of tiles that lose taps to the padding.
    """

    problem: Problem
    finest: bool
    inner: bool = False

    @property
    def name(self) -> dict[str, Any]:
        """What a certificate says of the view."""
        return {"decomposition": "finest" if self.finest else "given", "inner": self.inner}

    @property
    def tile(self) -> tuple[int, int]:
        """Output positions of a full tile."""
        return (1, 1) if self.finest else self.problem.decomposition.tile

    @cached_property
    def sizes(self) -> Sizes:
        """Blocks and operations in view."""
        sizes = finest_sizes(self.problem) if self.finest else sizes_of(self.problem)
        if not self.inner:
            return sizes
        return inner_sizes(sizes, self.problem.layer, self.tile)

    @cached_property
    def footprint(self) -> OperationFootprint:
        """Least bytes of the operations in view."""
        return OperationFootprint(self.sizes)

    @cached_property
    def group(self) -> int:
        """Bound the operations in view of one step, by their MACs and by the memory."""
        chip = self.problem.accelerator
        least = min(macs for macs, _ in self.sizes.operation_macs)
        return min(largest_group(self.footprint, chip.memory), max(1, chip.macs_per_step // least))

    def phases(self, *, partial_sums: bool) -> Phases:
        """Choose phases, see `phases.best_phases`."""
        need, capacity = self._need(partial_sums), self._capacity(partial_sums)
        return best_phases(need, capacity, self.sizes.operations)

    def phase_loads(self, phases: Phases, *, partial_sums: bool) -> int:
        """Return the bytes of loads that phases prove.

        With partial sums, every output block counts as loaded when it is begun, and all of these
        loads are taken off again.
        """
        need, capacity = self._need(partial_sums), self._capacity(partial_sums)
        begun = self.sizes.partial_bytes * self.sizes.output_blocks if partial_sums else 0
        return phase_value(need, capacity, phases) - begun + self.sizes.apart_bytes

    def extra_loads(self) -> int:
        """Return the bytes of loads beyond the compulsory ones that the cut bound proves."""
        layer, memory = self.problem.layer, self.problem.capacity
        return extra_loads(layer, memory, self.sizes, self.tile)

    def _need(self, partial_sums: bool) -> partial[Any]:
        output_bytes = self.sizes.partial_bytes if partial_sums else 0
        return partial(self.footprint.at, output_bytes=output_bytes)

    def _capacity(self, partial_sums: bool) -> int:
        memory = self.problem.capacity
        return (block_capacity if partial_sums else input_capacity)(self.sizes, memory)


def views_of(problem: Problem) -> Iterator[View]:
    """Yield the views worth trying, without those that show the same."""
    for fine in (True,) if is_finest(problem) else (False, True):
        whole = View(problem, fine)
        yield whole
        inner = View(problem, fine, inner=True)
        if inner.sizes.tiles < whole.sizes.tiles:
            yield inner
