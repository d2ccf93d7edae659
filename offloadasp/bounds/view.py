"""Views of a problem under which bounds are proved: which decomposition, which positions.

A bound under any view holds for the problem itself. The finest decomposition contains all
strategies of the problem's own; and a strategy for all positions is one for some of them, with
other actions between. Derivation: docs/bounds.md, section 4.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from offloadasp.bounds.geometry.operations import OperationFootprint
from offloadasp.bounds.geometry.sizes import Sizes, finest_sizes, inner_sizes, is_finest, sizes_of
from offloadasp.bounds.parameters import Flag, Params
from offloadasp.model.problem import Problem


class _Name(Params):
    decomposition: Literal["given", "finest"]
    inner: Flag


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

    @staticmethod
    def named(problem: Problem, entry: Mapping[str, Any]) -> "View":
        """Return the view of a problem that an entry of a certificate names.

        Raises
        ------
        InputError
            It names none; one line that begins with the key.
        """
        name = _Name.read(entry)
        return View(problem, name.decomposition == "finest", name.inner)

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
        limit = self.problem.accelerator.macs_per_step
        least = min(macs for macs, _ in self.sizes.operation_macs)
        most = self.footprint.most_in_step(self.problem.capacity)
        return min(most, max(1, limit // least))


def views_of(problem: Problem) -> Iterator[View]:
    """Yield the views worth trying, without those that show the same."""
    for fine in (True,) if is_finest(problem) else (False, True):
        whole = View(problem, fine)
        yield whole
        inner = View(problem, fine, inner=True)
        if inner.sizes.tiles < whole.sizes.tiles:
            yield inner
