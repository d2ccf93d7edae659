"""Lower bounds on the duration of every strategy, and on the memory that one needs.

Derivations: docs/bounds.md.
"""

from offloadasp.bounds.least_memory import Demand, least_macs, least_memory
from offloadasp.bounds.lower_bound import Bound, lower_bound, verify_certificate

__all__ = ["Bound", "Demand", "least_macs", "least_memory", "lower_bound", "verify_certificate"]
