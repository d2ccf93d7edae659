"""An order of operations split into smaller ones, which fill steps."""

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import Order
from offloadasp.search.construct.packing.fill import packed
from offloadasp.search.construct.packing.splits import looking_ahead


def packed_order(coarse: Problem, fine: Problem, order: Order) -> tuple[Order, IntArray]:
    """Split the operations of an order, and pack them into steps.

    Parameters
    ----------
    coarse, fine
        The same layer without tiles; the groups of the second one are parts of the first one's.
    order
        Of the operations of ``coarse``.

    Returns
    -------
    Order, array of int
        The operations of ``fine`` in the order of their computation, and the step of each.
    """
    parts = _parts(coarse, fine)
    pair = order.n * coarse.exists.shape[1] + order.q
    # Every other operation turns round: what was used last is used first.
    rows = parts[np.arange(len(pair)) % 2, pair]
    some = rows >= 0
    whole, part = np.nonzero(some)[0], rows[some]
    n, q = np.divmod(part, fine.exists.shape[1])
    sizes = fine.operation_macs[n, q].tolist()
    steps = packed(sizes, fine.accelerator.macs_per_step, looking_ahead(parts.shape[2]))
    place = np.concatenate([np.array(step, dtype=np.int64) for step in steps])
    step = np.repeat(np.arange(len(steps)), [len(step) for step in steps]) + 1
    units = np.arange(len(place))
    i, j = order.i[whole], order.j[whole]
    return Order(n[place], q[place], i[place], j[place], units, units, units), step


def _parts(coarse: Problem, fine: Problem) -> IntArray:
    """List the pairs ``n·Q + q`` of ``fine`` within each pair of groups of ``coarse``.

    Returns
    -------
    array of int, shape (2, pairs of coarse, most parts)
        In ascending and in descending order, padded with −1.
    """
    n, q = fine.exists.every()
    owner = _owner(coarse.kernel_sizes, fine.kernel_sizes)[n] * coarse.exists.shape[1]
    owner += _owner(coarse.channel_sizes, fine.channel_sizes)[q]
    pairs = coarse.exists.shape[0] * coarse.exists.shape[1]
    count = np.bincount(owner, minlength=pairs)
    found = np.full((2, pairs, int(count.max())), -1)
    by_owner = np.argsort(owner, kind="stable")
    pair, owner = (n * fine.exists.shape[1] + q)[by_owner], owner[by_owner]
    nth = np.arange(len(pair)) - (np.cumsum(count) - count)[owner]
    found[0, owner, nth] = pair
    found[1, owner, count[owner] - 1 - nth] = pair
    return found


def _owner(coarse: IntArray, fine: IntArray) -> IntArray:
    """Return the group of ``coarse`` that each group of ``fine`` is a part of, by their sizes."""
    found: IntArray = np.searchsorted(np.cumsum(coarse), np.cumsum(fine))
    return found
