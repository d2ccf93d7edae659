"""What a step's lists name: boxes of existing, distinct blocks; anything else is reported."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from offloadasp.simulate.blocks import Blocks, Box, Grid
from offloadasp.simulate.violations import Log


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
        for listed_box in listed:
            box = listed_box
            key, (r0, r1, c0, c1) = box[:-4], box[-4:]
            if r0 >= r1 or c0 >= c1:
                self._log.report("empty_box", grid.name(r0, c0, key))
                continue
            if not grid.has(key) or r0 >= rows or c0 >= columns:
                self._log.report(grid.unknown, grid.name(r0, c0, key))
                continue
            if r1 > rows or c1 > columns:
                row, column = (rows, c0) if r1 > rows else (r0, columns)
                self._log.report(grid.unknown, grid.name(row, column, key))
                box = (*key, r0, min(r1, rows), c0, min(c1, columns))
            if grid.full:
                found.append(box)
            else:
                exist = grid.positions[box[-4] : box[-3], box[-2] : box[-1]]
                found += self._log.keep(grid, box, exist, grid.unknown)
        return self._distinct(grid, found) if len(found) > 1 else found

    def kernels(self, listed: Sequence[Box]) -> list[Box]:
        """Return the listed pairs ``(n, q)`` that exist, each once."""
        pairs = self._blocks.operations
        for (n, q), count in Counter(listed).items():
            if not pairs.has((n, q)):
                self._log.report("not_a_block", f"kernel({n},{q})")
            elif count > 1:
                self._log.report("overlapping_boxes", f"kernel({n},{q})")
        return [pair for pair in dict.fromkeys(listed) if pairs.has(pair)]

    def _distinct(self, grid: Grid, boxes: list[Box]) -> list[Box]:
        counts = Counter(box[:-4] for box in boxes)
        found = [box for box in boxes if counts[box[:-4]] == 1]
        seen = self._seen[grid.kind]
        for key in (key for key, count in counts.items() if count > 1):
            same = [box for box in boxes if box[:-4] == key]
            for box in same:
                part = seen[box[-4] : box[-3], box[-2] : box[-1]]
                found += self._log.keep(grid, box, ~part, "overlapping_boxes")
                part[...] = True
            for *_, r0, r1, c0, c1 in same:
                seen[r0:r1, c0:c1] = False
        return found
