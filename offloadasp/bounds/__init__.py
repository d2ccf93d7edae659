"""Lower bounds on the duration of every strategy, and on the memory that one needs.

Derivations: docs/bounds.md.
"""

from offloadasp.bounds.combine import Bound, lower_bound, verify_certificate
from offloadasp.bounds.memory import Demand, least_macs, least_memory

__all__ = ["Bound", "Demand", "least_macs", "least_memory", "lower_bound", "verify_certificate"]
