"""A claim: the value of a plan by an objective, and a proven lower bound on this value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from offloadasp.model.objectives import gap


@dataclass(frozen=True)
class Claim:
    """The value of a plan by one objective, and a lower bound on it.

    Attributes
    ----------
    objective
        A key of :data:`~offloadasp.model.objectives.OBJECTIVES`, or
        :data:`~offloadasp.model.objectives.EDITED` where edited rules say what counts.
    value
        In the objective's unit. Edited rules may pay: then it may be below 0.
    lower_bound
        No strategy whose earlier objectives are at most the values claimed has less. The first
        objective has no earlier ones: its bound holds for every strategy.
    certificate
        What proves the bound, as a strategy file holds it.
    """

    objective: str
    value: Fraction
    lower_bound: Fraction
    certificate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def proved(self) -> bool:
        """Whether the value is optimal."""
        return self.value == self.lower_bound

    @property
    def gap(self) -> Fraction:
        """The distance of the bound from the value, as a share of the value."""
        return gap(self.value, self.lower_bound)
