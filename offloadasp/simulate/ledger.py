"""The rules of the model, replayed on masks: what is where, and what a strategy does wrong.

No data is touched here. What remains of a step when everything impossible is left out goes to
:mod:`offloadasp.simulate.chip`, which does it on tensors.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from offloadasp.problem import BoolArray
from offloadasp.simulate.account import Account, Actions, Held
from offloadasp.simulate.blocks import Blocks, Box, Grid, cut
from offloadasp.simulate.sieve import Sieve
from offloadasp.simulate.violations import LIMIT, Log
from offloadasp.strategy import Step


class Ledger:
    """Replays steps in order and reports every rule they break to a log.

    After a violation it goes on with what can be done: what does not exist, is absent or is on
    chip already is left out, an operation computed before is not computed again, a partial sum
    missing on chip counts as there, and a block written too early or as the wrong kind leaves
    the chip as listed.
    """

    def __init__(self, blocks: Blocks, memory: int, macs_per_step: int, log: Log) -> None:
        self._blocks, self._log, self._sieve = blocks, log, Sieve(blocks, log)
        self._memory, self._macs_per_step = memory, macs_per_step
        kernel_groups, channel_groups = blocks.pairs.shape
        outputs = (kernel_groups, *blocks.outputs.positions.shape)
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
        moves = (step.free, step.write, step.load)
        if not step.compute and not any(any(vars(lists).values()) for lists in moves):
            self._log.report("empty_step")
        actions, account = Actions(), Account()
        self._free(step, actions, account)
        self._write(step, actions, account)
        self._load(step, actions, account)
        account.held = replace(self._held)
        if step.compute:
            self._compute(step, actions, account)
        if account.peak > self._memory:
            self._log.report("memory")
        return actions, account

    def finish(self) -> None:
        """Report what is missing, or still on chip, after the last step."""
        blocks, log = self._blocks, self._log
        everywhere = (0, blocks.out_height, 0, blocks.out_width)
        for n, q in np.argwhere(blocks.pairs).tolist():
            if log.full:
                return
            log.keep(blocks.operations, (n, q, *everywhere), self._computed[n, q], "never_computed")
        for grid, present in ((blocks.pixels, self._pixels), (blocks.outputs, self._outputs)):
            for key, row, column in np.argwhere(present)[:LIMIT].tolist():
                log.report("left_on_chip", grid.name(row, column, (key,)))
        for n, q in sorted(self._kernels):
            log.report("left_on_chip", f"kernel({n},{q})")

    def _free(self, step: Step, actions: Actions, account: Account) -> None:
        blocks = self._blocks
        listed = self._sieve.boxes(blocks.pixels, step.free.pixels)
        actions.free_pixels = self._those(blocks.pixels, listed, self._pixels, True, "free_absent")
        _set(self._pixels, actions.free_pixels, False)
        for pair in self._sieve.kernels(step.free.kernels):
            if pair not in self._kernels:
                self._log.report("free_absent", f"kernel({pair[0]},{pair[1]})")
                continue
            self._kernels.remove(pair)
            account.freed += blocks.kernel_bytes(*pair)
            actions.free_kernels.append(pair)
        self._held.kernels -= account.freed
        pixels = sum(_cells(box) * blocks.pixel_bytes(box[0]) for box in actions.free_pixels)
        self._held.pixels -= pixels
        account.freed += pixels

    def _write(self, step: Step, actions: Actions, account: Account) -> None:
        blocks, grid = self._blocks, self._blocks.outputs
        actions.write_outputs = self._leave(step.write.outputs)
        for box in actions.write_outputs:
            self._log.keep(grid, box, self._complete(box), "write_incomplete")
            account.outputs_written += _cells(box) * blocks.output_bytes(box[0])
        actions.write_partial_sums = self._leave(step.write.partial_sums)
        for box in actions.write_partial_sums:
            self._log.keep(grid, box, ~self._complete(box), "write_complete_as_partial")
            account.partial_sums_written += _cells(box) * blocks.partial_bytes(box[0])
        _set(self._spilled, actions.write_partial_sums, True)

    def _leave(self, listed: Sequence[Box]) -> list[Box]:
        """Take outputs off the chip; return those that were there."""
        grid = self._blocks.outputs
        boxes = self._those(
            grid, self._sieve.boxes(grid, listed), self._outputs, True, "write_absent"
        )
        _set(self._outputs, boxes, False)
        self._hold(boxes, -1)
        return boxes

    def _load(self, step: Step, actions: Actions, account: Account) -> None:
        blocks, grid = self._blocks, self._blocks.pixels
        listed = self._sieve.boxes(grid, step.load.pixels)
        actions.load_pixels = self._those(grid, listed, self._pixels, False, "load_present")
        _set(self._pixels, actions.load_pixels, True)
        account.pixels_loaded = sum(
            _cells(box) * blocks.pixel_bytes(box[0]) for box in actions.load_pixels
        )
        for pair in self._sieve.kernels(step.load.kernels):
            if pair in self._kernels:
                self._log.report("load_present", f"kernel({pair[0]},{pair[1]})")
                continue
            self._kernels.add(pair)
            account.kernels_loaded += blocks.kernel_bytes(*pair)
            actions.load_kernels.append(pair)
        grid = blocks.outputs
        listed = self._sieve.boxes(grid, step.load.partial_sums)
        absent = self._those(grid, listed, self._outputs, False, "load_present")
        spilled = self._those(grid, absent, self._spilled, True, "load_unspilled")
        _set(self._outputs, spilled, True)
        _set(self._spilled, spilled, False)
        actions.load_partial_sums = spilled
        account.partial_sums_loaded = sum(
            _cells(box) * blocks.partial_bytes(box[0]) for box in spilled
        )
        self._held.pixels += account.pixels_loaded
        self._held.kernels += account.kernels_loaded
        self._hold(spilled, 1)

    def _compute(self, step: Step, actions: Actions, account: Account) -> None:
        """All operations of a step happen together: check them all, then count them all."""
        grid = self._blocks.operations
        for box in self._sieve.boxes(grid, step.compute):
            n, q, i0, i1, j0, j1 = box
            account.macs += _cells(box) * self._blocks.macs(n, q)
            self._check_inputs(box)
            computed = self._computed[n, q]
            parts = self._log.keep(grid, box, ~computed[i0:i1, j0:j1], "compute_twice")
            computed[i0:i1, j0:j1] = True
            actions.compute += parts
        if account.macs > self._macs_per_step:
            self._log.report("macs")
        touched = [(n, *place) for n, _, *place in actions.compute]
        for output in touched:
            self._check_partial_sums(output)
        larger = self._accumulate(touched)
        actions.create = self._create(touched)
        account.held = replace(self._held, outputs=self._held.outputs + larger)

    def _check_inputs(self, box: Box) -> None:
        n, q, i0, i1, j0, j1 = box
        blocks = self._blocks
        rows, columns = blocks.rows(i0, i1), blocks.columns(j0, j1)
        present = self._pixels[q, rows[:, None], columns]
        if not present.all():
            for a, b in np.argwhere(~present).tolist():
                name = blocks.pixels.name(int(rows[a]), int(columns[b]), (q,))
                self._log.report("use_absent", name)
        if (n, q) not in self._kernels:
            self._log.report("use_absent", f"kernel({n},{q})")

    def _check_partial_sums(self, box: Box) -> None:
        """Report outputs started in an earlier step and gone; go on as if they were there."""
        n, i0, i1, j0, j1 = box
        present = self._outputs[n, i0:i1, j0:j1]
        lost = (self._done[n, i0:i1, j0:j1] > 0) & ~present
        if lost.any():
            self._log.keep(self._blocks.outputs, box, ~lost, "use_absent")
            present |= lost
            self._held.partial_sums += int(np.count_nonzero(lost)) * self._blocks.partial_bytes(n)

    def _accumulate(self, touched: Iterable[Box]) -> int:
        """Count operations done; return the bytes that completed outputs take only while computing.

        A block counts the larger of its bytes before and after: one that was on chip as partial
        sums counts as these, if they are larger than the output that it becomes.
        """
        larger = 0
        for box in touched:
            n, i0, i1, j0, j1 = box
            self._done[n, i0:i1, j0:j1] += 1
            complete = self._complete(box)
            partial, output = self._blocks.partial_bytes(n), self._blocks.output_bytes(n)
            total = int(np.count_nonzero(complete))
            before = int(np.count_nonzero(complete & self._outputs[n, i0:i1, j0:j1]))
            # Blocks that are not on chip yet are counted as partial sums when they are created.
            self._held.partial_sums -= total * partial
            self._held.outputs += total * output
            larger += before * max(partial - output, 0)
        return larger

    def _create(self, touched: Iterable[Box]) -> list[Box]:
        """Put touched outputs on chip; return boxes of those that are new."""
        created = []
        for box in touched:
            n, i0, i1, j0, j1 = box
            present = self._outputs[n, i0:i1, j0:j1]
            for part in cut(box, ~present):
                self._held.partial_sums += _cells(part) * self._blocks.partial_bytes(n)
                created.append(part)
            present[...] = True
        return created

    def _hold(self, boxes: Iterable[Box], sign: int) -> None:
        """Count outputs that come on chip (1) or leave it (−1)."""
        for box in boxes:
            complete = int(np.count_nonzero(self._complete(box)))
            partial = (_cells(box) - complete) * self._blocks.partial_bytes(box[0])
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
            cells = mask[k, r0:r1, c0:c1]
            found += self._log.keep(grid, box, cells if wanted else ~cells, rule)
        return found


def _set(mask: BoolArray, boxes: Iterable[Box], value: bool) -> None:
    for k, r0, r1, c0, c1 in boxes:
        mask[k, r0:r1, c0:c1] = value


def _cells(box: Box) -> int:
    *_, r0, r1, c0, c1 = box
    return (r1 - r0) * (c1 - c0)
