"""Loop nests within a budget: at fixed memories, and more of them with more budget."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from offloadasp.limits.clock import Clock
from offloadasp.search.nests.actions import Light
from offloadasp.search.nests.enumerate import Ranking, enumerate_nests
from offloadasp.search.nests.family import Mapping
from offloadasp.search.nests.keep import as_memory_allows, cheapest
from offloadasp.search.nests.plan import lay_out
from offloadasp.search.nests.worker import free, offer_of
from offloadasp.search.pool import Offer, Pool
from offloadasp.search.question import Question
from offloadasp.search.size_limits import CHECKED

# One nest is tried for so much budget; so a budget below this tries none. To enumerate the family
# takes as long as some hundred evaluations.
_BUDGET_EACH = 128
# Nests at one memory, at most.
_MOST = 24


@dataclass
class BudgetedNests:
    """The best nests at each memory that is asked for, each made once.

    Attributes
    ----------
    question
        Its memory is the one that plans may use in the end.
    """

    question: Question
    _ranked: dict[int, Ranking] = field(default_factory=dict)
    _made: dict[tuple[int, int], list[Offer]] = field(default_factory=dict)

    def offer(self, pool: Pool, budget: int) -> list[Offer]:
        """Offer the best nests at a pool's memory; return plans that use all memory."""
        whole = pool.question.whole
        count = min(budget // _BUDGET_EACH, _MOST)
        if count == 0 or not free(whole):
            return []
        if whole.memory not in self._ranked:
            light = Light(operations=CHECKED)
            self._ranked[whole.memory] = enumerate_nests(whole, Clock(), _MOST, light)
        again: list[Offer] = []
        for nth, (_, mapping) in enumerate(self._ranked[whole.memory].best[:count]):
            key = whole.memory, nth
            if key not in self._made:
                self._made[key] = list(self._plans(pool, mapping))
            for offered in self._made[key]:
                if offered.plan.problem.memory == whole.memory:
                    pool.offer(offered.plan, offered.source)
                else:
                    again.append(offered)
        return again

    def _plans(self, pool: Pool, mapping: Mapping) -> Iterator[Offer]:
        """Yield a nest as a plan at the pool's memory, then with what all memory can keep."""
        laid = lay_out(pool.question.whole, mapping)
        made = cheapest(laid, mapping)
        if made is not None:
            yield offer_of(laid, mapping, made)
        memory = self.question.whole.memory
        if memory > laid.problem.memory:
            more = replace(laid, problem=laid.problem.within(memory))
            for made in as_memory_allows(more, mapping, (0.0,)):
                yield offer_of(more, mapping, made)
