"""What a step's lists name: boxes of existing, distinct blocks; anything else is reported."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, starmap

import numpy as np

from offloadasp.judge.simulator.blocks import Blocks, Box, Grid, cells
from offloadasp.judge.simulator.violations import Log

# So many boxes are compared pair by pair, which is faster than marking their cells.
_FEW = 4


class Sieve:
    """Checks the form of boxes, whatever the state of the chip."""

    def __init__(self, blocks: Blocks, log: Log) -> None:
        self._blocks, self._log = blocks, log
        # Scratch to find overlaps, one plane a kind of block; clear between calls.
        self._seen = {
            grid.kind: np.zeros_like(grid.positions)
            for grid in (blocks.pixels, blocks.outputs, blocks.operations)
        }

    def boxes(self, grid: Grid, listed: Sequence[Box]) -> list[Box]:
        """Return what exists of the listed boxes ``(key…, r0, r1, c0, c1)``, each cell once."""
        rows, columns = grid.positions.shape
        found: list[Box] = []
        for box in listed:
            r0, r1, c0, c1 = box[-4:]
            inside = r0 < r1 <= rows and c0 < c1 <= columns
            if inside and grid.full and box[:-4] in grid.existing:
                found.append(box)
            else:
                found += self._existing(grid, box)
        return self._distinct(grid, found) if len(found) > 1 else found

    def _existing(self, grid: Grid, box: Box) -> list[Box]:
        """Return boxes of the cells of a box that exist; report the others."""
        rows, columns = grid.positions.shape
        key, (r0, r1, c0, c1) = box[:-4], box[-4:]
        if r0 >= r1 or c0 >= c1:
            self._log.report("empty_box", grid.name(r0, c0, key))
            return []
        if key not in grid.existing or r0 >= rows or c0 >= columns:
            self._log.report(grid.unknown, grid.name(r0, c0, key))
            return []
        if r1 > rows or c1 > columns:
            row, column = (rows, c0) if r1 > rows else (r0, columns)
            self._log.report(grid.unknown, grid.name(row, column, key))
            r1, c1 = min(r1, rows), min(c1, columns)
        exist = grid.positions[r0:r1, c0:c1]
        return self._log.keep(grid, (*key, r0, r1, c0, c1), exist, grid.unknown)

    def kernels(self, listed: Sequence[Box]) -> list[Box]:
        """Return the listed pairs ``(n, q)`` that exist, each once."""
        if not listed:
            return []
        existing = self._blocks.operations.existing
        counts = Counter(listed)
        for (n, q), count in counts.items():
            if (n, q) not in existing:
                self._log.report("not_a_block", f"kernel({n},{q})")
            elif count > 1:
                self._log.report("overlapping_boxes", f"kernel({n},{q})")
        return [pair for pair in counts if pair in existing]

    def _distinct(self, grid: Grid, boxes: list[Box]) -> list[Box]:
        """Return the boxes, every cell once; report cells that come again."""
        by_key: dict[Box, list[Box]] = {}
        for box in boxes:
            by_key.setdefault(box[:-4], []).append(box)
        found: list[Box] = []
        for same in by_key.values():
            found += self._disjoint(grid, same) if len(same) > 1 else same
        return found

    def _disjoint(self, grid: Grid, boxes: list[Box]) -> list[Box]:
        """Return the boxes of one key, every cell once; report cells that come again."""
        if len(boxes) <= _FEW and all(starmap(_apart, combinations(boxes, 2))):
            return boxes
        tops, bottoms, lefts, rights = list(zip(*boxes, strict=True))[-4:]
        plane = self._seen[grid.kind]
        seen = plane[min(tops) : max(bottoms), min(lefts) : max(rights)]
        for *_, r0, r1, c0, c1 in boxes:
            plane[r0:r1, c0:c1] = True
        disjoint = np.count_nonzero(seen) == sum(map(cells, boxes))
        seen[...] = False
        if disjoint:
            return boxes
        found: list[Box] = []
        for box in boxes:
            part = plane[box[-4] : box[-3], box[-2] : box[-1]]
            found += self._log.keep(grid, box, ~part, "overlapping_boxes")
            part[...] = True
        seen[...] = False
        return found


def _apart(one: Box, other: Box) -> bool:
    """Whether two boxes of one key have no cell in common."""
    *_, r0, r1, c0, c1 = one
    *_, top, bottom, left, right = other
    return r1 <= top or bottom <= r0 or c1 <= left or right <= c0
