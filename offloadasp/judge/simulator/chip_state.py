"""The rules of the model, replayed on masks: what is where, and what a strategy does wrong.

No data is touched here. What remains of a step when everything impossible is left out goes to
:mod:`offloadasp.judge.simulator.chip`, which does it on tensors.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from offloadasp.base.arrays import BoolArray
from offloadasp.judge.simulator.account import Account, Actions, Held
from offloadasp.judge.simulator.blocks import Blocks, Box, Grid, cells, cut
from offloadasp.judge.simulator.sieve import Sieve
from offloadasp.judge.simulator.violations import LIMIT, Log
from offloadasp.model.strategy import Free, Load, Step, Write


class Ledger:
    """Replays steps in order and reports every rule they break to a log.

    After a violation it goes on with what can be done: what does not exist, is absent or is on
    chip already is left out, an operation computed before is not computed again, a partial sum
    missing on chip counts as there, and a block written too early or as the wrong kind leaves
    the chip as listed.
    """

    def __init__(
        self, blocks: Blocks, memory: int, macs_per_step: int, log: Log, *, overlaps: bool = False
    ) -> None:
        self._blocks, self._log, self._sieve = blocks, log, Sieve(blocks, log)
        self._memory, self._macs_per_step, self._overlaps = memory, macs_per_step, overlaps
        channel_groups = len(blocks.channel_groups)
        outputs = (len(blocks.kernel_groups), *blocks.outputs.positions.shape)
        self._held = Held()
        self._pixels = np.zeros((channel_groups, *blocks.pixels.positions.shape), dtype=bool)
        self._kernels: set[Box] = set()
        self._outputs = np.zeros(outputs, dtype=bool)
        self._spilled = np.zeros(outputs, dtype=bool)
        self._done = np.zeros(outputs, dtype=np.int32)  # operations computed on each output
        self._computed: dict[Box, BoolArray] = defaultdict(
            lambda: np.zeros_like(blocks.operations.positions)
        )

    def replay(self, step: Step) -> tuple[Actions, Account]:
        """Do one step; return what was possible of it, and what that costs."""
        self._log.step += 1
        actions, account = Actions(), Account()
        self._free(step.free, actions, account)
        self._write(step.write, actions, account)
        if self._overlaps:
            # What the step loads is not there for its compute action, nor what it spills for its
            # loads; and what it writes stays until it ends.
            sums = self._reloadable(step.load.partial_sums)
            larger = self._compute(step.compute, actions, account)
            self._load(step.load, sums, actions, account)
            _set(self._spilled, actions.write_partial_sums, True)
            account.hold(self._held)
            account.held_outputs += larger + account.outputs_written
            account.held_partial_sums += account.partial_sums_written
        else:
            _set(self._spilled, actions.write_partial_sums, True)
            self._load(step.load, None, actions, account)
            larger = self._compute(step.compute, actions, account)
            account.hold(self._held)
            account.held_outputs += larger
        parts = (step.free, step.write, step.load)
        if not step.compute and not any(any(vars(lists).values()) for lists in parts):
            self._log.report("empty_step")
        if account.peak > self._memory:
            self._log.report("memory")
        return actions, account

    def finish(self) -> None:
        """Report what is missing, or still on chip, after the last step."""
        blocks, log = self._blocks, self._log
        everywhere = (0, blocks.out_height, 0, blocks.out_width)
        for n, q in blocks.pairs:
            if log.full:
                return
            log.keep(blocks.operations, (n, q, *everywhere), self._computed[n, q], "never_computed")
        for grid, present in ((blocks.pixels, self._pixels), (blocks.outputs, self._outputs)):
            for key, row, column in np.argwhere(present)[:LIMIT].tolist():
                log.report("left_on_chip", grid.name(row, column, (key,)))
        for n, q in sorted(self._kernels):
            log.report("left_on_chip", f"kernel({n},{q})")

    def _free(self, listed: Free, actions: Actions, account: Account) -> None:
        blocks = self._blocks
        if listed.pixels:
            boxes = self._sieve.boxes(blocks.pixels, listed.pixels)
            boxes = self._flip(blocks.pixels, boxes, self._pixels, True, "free_absent")
            account.freed = sum(cells(box) * blocks.pixel_bytes(box[0]) for box in boxes)
            self._held.pixels -= account.freed
            actions.free_pixels = tuple(boxes)
        if listed.kernels:
            pairs = self._sieve.kernels(listed.kernels)
            for n, q in (pair for pair in pairs if pair not in self._kernels):
                self._log.report("free_absent", f"kernel({n},{q})")
            actions.free_kernels = tuple(pair for pair in pairs if pair in self._kernels)
            self._kernels.difference_update(actions.free_kernels)
            freed = sum(blocks.kernel_bytes(*pair) for pair in actions.free_kernels)
            self._held.kernels -= freed
            account.freed += freed

    def _write(self, listed: Write, actions: Actions, account: Account) -> None:
        blocks, grid, log = self._blocks, self._blocks.outputs, self._log
        if listed.outputs:
            leaving = self._leave(listed.outputs)
            for box, complete in leaving.items():
                if complete < cells(box):
                    log.keep(grid, box, self._complete(box), "write_incomplete")
                account.outputs_written += cells(box) * blocks.output_bytes(box[0])
            actions.write_outputs = tuple(leaving)
        if listed.partial_sums:
            leaving = self._leave(listed.partial_sums)
            for box, complete in leaving.items():
                if complete:
                    log.keep(grid, box, ~self._complete(box), "write_complete_as_partial")
                account.partial_sums_written += cells(box) * blocks.partial_bytes(box[0])
            actions.write_partial_sums = tuple(leaving)

    def _leave(self, listed: Sequence[Box]) -> dict[Box, int]:
        """Take outputs off the chip; return those that were there, and how many are complete."""
        grid = self._blocks.outputs
        boxes = self._sieve.boxes(grid, listed)
        boxes = self._flip(grid, boxes, self._outputs, True, "write_absent")
        leaving = {box: int(np.count_nonzero(self._complete(box))) for box in boxes}
        for box, complete in leaving.items():
            self._hold(box, complete, -1)
        return leaving

    def _load(
        self, listed: Load, sums: list[Box] | None, actions: Actions, account: Account
    ) -> None:
        """Load; ``sums`` are the partial sums that can be reloaded, if that is known already."""
        blocks = self._blocks
        if listed.pixels:
            boxes = self._sieve.boxes(blocks.pixels, listed.pixels)
            boxes = self._flip(blocks.pixels, boxes, self._pixels, False, "load_present")
            account.pixels_loaded = sum(cells(box) * blocks.pixel_bytes(box[0]) for box in boxes)
            actions.load_pixels = tuple(boxes)
        if listed.kernels:
            pairs = self._sieve.kernels(listed.kernels)
            for n, q in (pair for pair in pairs if pair in self._kernels):
                self._log.report("load_present", f"kernel({n},{q})")
            actions.load_kernels = tuple(pair for pair in pairs if pair not in self._kernels)
            self._kernels.update(actions.load_kernels)
            account.kernels_loaded = sum(
                blocks.kernel_bytes(*pair) for pair in actions.load_kernels
            )
        if sums is None:
            sums = self._reloadable(listed.partial_sums)
        if sums:
            self._load_partial_sums(sums, actions, account)
        self._held.pixels += account.pixels_loaded
        self._held.kernels += account.kernels_loaded

    def _reloadable(self, listed: Sequence[Box]) -> list[Box]:
        """Return what main memory holds of the listed partial sums, and the chip does not."""
        if not listed:
            return []
        grid = self._blocks.outputs
        boxes = self._those(
            grid, self._sieve.boxes(grid, listed), self._outputs, False, "load_present"
        )
        return self._flip(grid, boxes, self._spilled, True, "load_unspilled")

    def _load_partial_sums(self, boxes: Sequence[Box], actions: Actions, account: Account) -> None:
        blocks = self._blocks
        _set(self._outputs, boxes, True)
        account.partial_sums_loaded = sum(
            cells(box) * blocks.partial_bytes(box[0]) for box in boxes
        )
        actions.load_partial_sums = tuple(boxes)
        for box in boxes:
            self._hold(box, int(np.count_nonzero(self._complete(box))), 1)

    def _compute(self, listed: Sequence[Box], actions: Actions, account: Account) -> int:
        """All operations of a step happen together: check them all, then count them all.

        Returns the bytes that completed outputs take only while computing.
        """
        if not listed:
            return 0
        grid = self._blocks.operations
        computed: list[Box] = []
        patches: set[Box] = set()  # kernel groups share them
        for box in self._sieve.boxes(grid, listed):
            n, q, i0, i1, j0, j1 = box
            account.macs += cells(box) * self._blocks.macs(n, q)
            patch = (q, i0, i1, j0, j1)
            if patch not in patches:
                patches.add(patch)
                self._check_pixels(patch)
            if (n, q) not in self._kernels:
                self._log.report("use_absent", f"kernel({n},{q})")
            before = self._computed[n, q][i0:i1, j0:j1]
            if np.count_nonzero(before):
                computed += self._log.keep(grid, box, ~before, "compute_twice")
            else:
                computed.append(box)
            before[...] = True
        if account.macs > self._macs_per_step:
            self._log.report("macs")
        actions.compute = tuple(computed)
        # How many operations of this step each box of outputs accumulates.
        touched: dict[Box, int] = {}
        for n, _, *place in computed:
            touched[n, *place] = touched.get((n, *place), 0) + 1
        for output in touched:
            self._check_partial_sums(output)
        larger = self._accumulate(touched)
        actions.create = self._create(touched)
        return larger

    def _check_pixels(self, patch: Box) -> None:
        """Report what is absent of the pixels that a box of output positions reads."""
        q, i0, i1, j0, j1 = patch
        blocks = self._blocks
        rows, columns = blocks.rows(i0, i1), blocks.columns(j0, j1)
        present = self._pixels[q, rows][:, columns]
        if np.count_nonzero(present) < present.size:
            r, c = np.arange(blocks.height)[rows], np.arange(blocks.width)[columns]
            for a, b in np.argwhere(~present).tolist():
                name = blocks.pixels.name(int(r[a]), int(c[b]), (q,))
                self._log.report("use_absent", name)

    def _check_partial_sums(self, box: Box) -> None:
        """Report outputs started in an earlier step and gone; go on as if they were there."""
        n, i0, i1, j0, j1 = box
        present = self._outputs[n, i0:i1, j0:j1]
        if np.count_nonzero(present) == present.size:
            return
        lost = (self._done[n, i0:i1, j0:j1] > 0) & ~present
        if np.count_nonzero(lost):
            self._log.keep(self._blocks.outputs, box, ~lost, "use_absent")
            present |= lost
            self._held.partial_sums += int(np.count_nonzero(lost)) * self._blocks.partial_bytes(n)

    def _accumulate(self, touched: Mapping[Box, int]) -> int:
        """Count operations done; return the bytes that completed outputs take only while computing.

        A block counts the larger of its bytes before and after: one that was on chip as partial
        sums counts as these, if they are larger than the output that it becomes.
        """
        larger = 0
        for box, operations in touched.items():
            n, i0, i1, j0, j1 = box
            self._done[n, i0:i1, j0:j1] += operations
            complete = self._complete(box)
            total = int(np.count_nonzero(complete))
            if total == 0:
                continue
            partial, output = self._blocks.partial_bytes(n), self._blocks.output_bytes(n)
            # Blocks that are not on chip yet are counted as partial sums when they are created.
            self._held.partial_sums -= total * partial
            self._held.outputs += total * output
            if partial > output:
                before = int(np.count_nonzero(complete & self._outputs[n, i0:i1, j0:j1]))
                larger += before * (partial - output)
        return larger

    def _create(self, touched: Iterable[Box]) -> tuple[Box, ...]:
        """Put touched outputs on chip; return boxes of those that are new."""
        created = []
        for box in touched:
            n, i0, i1, j0, j1 = box
            present = self._outputs[n, i0:i1, j0:j1]
            for part in cut(box, ~present):
                self._held.partial_sums += cells(part) * self._blocks.partial_bytes(n)
                created.append(part)
            present[...] = True
        return tuple(created)

    def _hold(self, box: Box, complete: int, sign: int) -> None:
        """Count outputs, of which so many are complete, that come on chip (1) or leave it (−1)."""
        partial = (cells(box) - complete) * self._blocks.partial_bytes(box[0])
        self._held.partial_sums += sign * partial
        self._held.outputs += sign * complete * self._blocks.output_bytes(box[0])

    def _complete(self, box: Box) -> BoolArray:
        n, i0, i1, j0, j1 = box
        mask: BoolArray = self._done[n, i0:i1, j0:j1] == self._blocks.needed[n]
        return mask

    def _those(
        self, grid: Grid, boxes: list[Box], mask: BoolArray, wanted: bool, rule: str
    ) -> list[Box]:
        """Return the boxes of cells where the mask is as wanted; report the others."""
        found: list[Box] = []
        for box in boxes:
            k, r0, r1, c0, c1 = box
            here = mask[k, r0:r1, c0:c1]
            if np.count_nonzero(here) == (here.size if wanted else 0):
                found.append(box)
            else:
                found += self._log.keep(grid, box, here if wanted else ~here, rule)
        return found

    def _flip(
        self, grid: Grid, boxes: list[Box], mask: BoolArray, wanted: bool, rule: str
    ) -> list[Box]:
        """Turn the mask round where it is as wanted; return those boxes, and report the others."""
        found = self._those(grid, boxes, mask, wanted, rule)
        _set(mask, found, not wanted)
        return found


def _set(mask: BoolArray, boxes: Iterable[Box], value: bool) -> None:
    for k, r0, r1, c0, c1 in boxes:
        mask[k, r0:r1, c0:c1] = value
