"""Totals of a network: the sums over its layers, each counted as often as it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.model.instance import Accelerator
from offloadasp.model.objectives import gap
from offloadasp.network.convolutions import Imported
from offloadasp.network.plan import Failed, Outcome


@dataclass(frozen=True)
class Totals:
    """Sums over the layers that have a strategy, for the whole batch.

    Attributes
    ----------
    duration, lower_bound
        Cycles. The bound is the sum of the layers' bounds: no plan that runs one layer after the
        other, each from an empty chip to an empty chip, is shorter.
    load, write, compute
        The parts of the duration.
    loaded, written
        Bytes.
    runs
        Executions of a layer.
    missing
        Executions of layers without a strategy, which no sum includes.
    macs
        Multiply-accumulates of the layers that have one.
    macs_left, unknown
        Those of the layers without a strategy and of the nodes that are not offloaded, as far as
        they are known; the number of nodes of which they are not.
    """

    duration: Fraction
    lower_bound: Fraction
    load: Fraction
    write: Fraction
    compute: Fraction
    loaded: int
    written: int
    runs: int
    missing: int
    macs: int
    macs_left: int
    unknown: int

    @property
    def gap(self) -> Fraction:
        """That of the duration."""
        return gap(self.duration, self.lower_bound)

    def share(self, part: Fraction) -> Fraction:
        """Return a part's share of the duration; 0 for a duration of 0."""
        return part / self.duration if self.duration else Fraction(0)


def totals(imported: Imported, outcomes: Mapping[str, Outcome], accelerator: Accelerator) -> Totals:
    """Add up the layers of a network."""
    duration = lower_bound = Fraction(0)
    loaded = written = steps = macs = runs = missing = macs_left = 0
    for convolution in imported.convolutions:
        outcome, images = outcomes[convolution.name], convolution.images
        if isinstance(outcome, Failed):
            missing += images
            macs_left += convolution.layer.macs * images
            continue
        duration += outcome.duration * images
        lower_bound += outcome.lower_bound * images
        loaded += outcome.loaded * images
        written += outcome.written * images
        steps += outcome.compute_steps * images
        macs += convolution.layer.macs * images
        runs += images
    left = [entry.macs for entry in imported.skipped]
    return Totals(
        duration=duration,
        lower_bound=lower_bound,
        load=accelerator.load_cycles * loaded,
        write=accelerator.write_cycles * written,
        compute=accelerator.compute_cycles * steps + accelerator.mac_cycles * macs,
        loaded=loaded,
        written=written,
        runs=runs,
        missing=missing,
        macs=macs,
        macs_left=macs_left + sum(count for count in left if count is not None),
        unknown=left.count(None),
    )
