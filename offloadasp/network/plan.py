"""Plans all layers of a network in parallel processes, and skips layers that are finished."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from offloadasp.asp.grounding import SMALLER
from offloadasp.asp.rules import shipped_rules
from offloadasp.base.errors import InputError, NoStrategyError, OffloadError
from offloadasp.limits.clock import Clock
from offloadasp.limits.process_memory import MemoryLimit
from offloadasp.model.instance import Instance, exact_number
from offloadasp.network.record import Planned, finished, keep, planned
from offloadasp.pipeline import run
from offloadasp.result import UnwrittenError
from offloadasp.search.effort import Effort


@dataclass(frozen=True)
class Failed:
    """A layer without a strategy.

    Attributes
    ----------
    exit_code, reason
        Those that ``offload-asp run`` would end with; the reason without the name.
    """

    name: str
    exit_code: int
    reason: str


Outcome = Planned | Failed


@dataclass(frozen=True)
class Progress:
    """What is known while layers are planned.

    Attributes
    ----------
    last
        The layer that ended most recently; None at the beginning.
    kept
        Layers that were finished before this run.
    """

    done: int
    total: int
    kept: int
    last: Outcome | None = None


def plan(
    instances: Sequence[Instance],
    out: Path,
    jobs: int,
    tell: Callable[[Progress], None] = lambda _: None,
    memory_limit: int | None = None,
) -> dict[str, Outcome]:
    """Plan every instance that is not finished yet; return all outcomes by name.

    Parameters
    ----------
    out
        Folder of strategy files and records. What another run has finished there is used if it is
        of the same instance.
    jobs
        Processes at the same time; each plans one layer with the threads of its instance.
    memory_limit
        Megabytes of data that each of them may hold.

    Raises
    ------
    InputError
        The folder cannot be written.
    NoStrategyError
        A process ended from outside.
    KeyboardInterrupt
        By Ctrl-C or SIGTERM, once all processes have ended; finished layers are kept.
    """
    known = {entry.name: finished(entry, out) for entry in instances}
    found: dict[str, Outcome] = {name: entry for name, entry in known.items() if entry}
    kept = len(found)
    tell(Progress(kept, len(instances), kept))
    missing = [entry for entry in instances if entry.name not in found]
    if missing:
        # Closed whatever happens here, so that its processes end.
        with closing(_in_processes(missing, out, jobs, memory_limit)) as outcomes:
            for outcome in outcomes:
                found[outcome.name] = outcome
                tell(Progress(len(found), len(instances), kept, outcome))
    return {entry.name: found[entry.name] for entry in instances}


def plan_layer(instance: Instance, out: Path, memory_limit: int | None = None) -> Outcome:
    """Plan one layer, and keep its record."""
    clock = Clock(instance.search.time_limit)
    effort = Effort(clock, instance.search.threads, instance.search.seed)
    try:
        with MemoryLimit(memory_limit, clock):
            found = planned(run(instance, shipped_rules(), effort, out))
    except UnwrittenError as error:
        cycles = exact_number(error.result.strategy.duration)
        reason = f"a plan of {cycles} cycles was found and verified, but: {error}"
        return Failed(instance.name, error.exit_code, reason)
    except OffloadError as error:
        reason = str(error).removeprefix(f"{instance.name}: ")
        return Failed(instance.name, error.exit_code, reason)
    except MemoryError:
        return Failed(instance.name, NoStrategyError.exit_code, f"out of memory; {SMALLER}")
    # Without a record the layer is planned again another time; its plan is there.
    with suppress(InputError):
        keep(found, out)
    return found


def _in_processes(
    instances: Sequence[Instance], out: Path, jobs: int, memory_limit: int | None
) -> Generator[Outcome]:
    """Yield outcomes as they come."""
    before = set(multiprocessing.active_children())
    # A fork would copy locks that threads of this process may hold.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(instances)), mp_context=context)
    with _terminable():
        try:
            yield from _collect(pool, instances, out, memory_limit)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Files are written whole or not at all, so the processes may end anywhere.
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
            raise
        finally:
            pool.shutdown(wait=True)


def _collect(
    pool: ProcessPoolExecutor, instances: Sequence[Instance], out: Path, memory_limit: int | None
) -> Iterator[Outcome]:
    # Processes inherit the mask: Ctrl-C is this one's affair, which ends them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        open_ = {pool.submit(plan_layer, entry, out, memory_limit) for entry in instances}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    while open_:
        done, open_ = wait(open_, return_when=FIRST_COMPLETED)
        for future in done:
            try:
                yield future.result()
            except BrokenProcessPool:
                raise NoStrategyError(
                    "a process that planned a layer was ended from outside, perhaps for want of "
                    f"memory; what is finished is kept in {out}"
                ) from None


@contextmanager
def _terminable() -> Iterator[None]:
    """Have SIGTERM end what runs as Ctrl-C does."""
    # Only the main thread may set handlers; elsewhere the program around decides.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
