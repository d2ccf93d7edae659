"""A search: the workers in turn, under a clock or within a budget."""

from offloadasp.bounds import lower_bound
from offloadasp.limits.abandonable import aside
from offloadasp.search.deterministic import LessMemory, climb
from offloadasp.search.effort import Effort
from offloadasp.search.nests.tiles import AnnealTiles
from offloadasp.search.nests.worker import Nests
from offloadasp.search.pool import Listener, Pool
from offloadasp.search.question import Question
from offloadasp.search.workers import Anneal, Construct, Refute, Worker


def search(question: Question, effort: Effort, tell: Listener = lambda _: None) -> Pool:
    """Look for the cheapest plan, and for a proof that none is cheaper.

    Raises
    ------
    NoStrategyError
        No plan was found within the limits.
    """
    if effort.budget is not None:
        return climb(question, effort, tell)
    return _by_the_clock(question.within(question.whole.memory), effort, tell)


def _by_the_clock(question: Question, effort: Effort, tell: Listener) -> Pool:
    # Bounds of a large layer take a while; aside, so that Ctrl-C and a full memory end them.
    bound = aside(lambda: lower_bound(question.whole), lambda: effort.clock.in_vain)
    pool = Pool(question, bound, tell)
    first = Anneal(turns=effort.threads == 1)
    nests = Nests()
    early: list[Worker] = [Construct(), nests, AnnealTiles(), LessMemory()]
    workers = [*early, first, Refute(beside=first)]
    for worker in workers:
        if not pool.closed and worker.fits(pool):
            worker.run(pool, effort)
    if not pool.closed:
        Anneal(first.improver, last=True).run(pool, effort)
    nests.finish(pool)
    return pool
