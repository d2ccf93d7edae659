"""The simulator: executes a strategy on tensors and checks every rule of the model.

One of two independent readings of the model's semantics; ``encodings/check.lp`` is the other.
"""

from offloadasp.simulate.books import Books, Loads, TraceRow, Writes, keep_books
from offloadasp.simulate.convolution import direct_convolution
from offloadasp.simulate.replay import Replay, simulate
from offloadasp.simulate.violations import RULES, Violation

__all__ = [
    "RULES",
    "Books",
    "Loads",
    "Replay",
    "TraceRow",
    "Violation",
    "Writes",
    "direct_convolution",
    "keep_books",
    "simulate",
]
