"""Clingo on the definition itself, for edited rules; and a stable model read as a plan."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import clingo

from offloadasp.base.errors import InputError
from offloadasp.limits.abandonable import LeftAloneError, aside
from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan, plan_from_rows
from offloadasp.model.problem import Problem

# Thread 1 searches by unsatisfiable cores, thread 2 by branch and bound; measured on tiny layers,
# the first one proves and the second one finds. More threads repeat the two.
_STRATEGIES = ("usc,oll,disjoint", "bb,lin")
_POLL_SECONDS = 0.05
_ACTIONS = ("compute", "load", "free", "write")
# What is kept of a model: what a plan is read off, and steps whose wait is out of range.
_KEPT = {*_ACTIONS, "unmet"}


@dataclass
class Progress:
    """What the solver's threads have found so far."""

    costs: tuple[int, ...] | None = None
    priorities: tuple[int, ...] = ()
    symbols: Sequence[clingo.Symbol] = ()

    @property
    def cost(self) -> int | None:
        """The incumbent's cost of the highest priority."""
        return self.costs[0] if self.costs else None


@dataclass(frozen=True)
class Outcome:
    """The end of a complete search.

    Attributes
    ----------
    symbols
        The actions of the best stable model, or None if none was found.
    costs
        Its cost of each priority, highest first, in units of the rules.
    priorities
        The priorities, in the same order.
    exhausted
        Whether the search space was searched completely.
    """

    symbols: Sequence[clingo.Symbol] | None
    costs: tuple[int, ...] | None
    priorities: tuple[int, ...]
    exhausted: bool


@dataclass(frozen=True)
class Solving:
    """How a solver may run: threads, random seed, and a limit of conflicts or None."""

    threads: int = 1
    seed: int = 0
    conflicts: int | None = None

    @property
    def arguments(self) -> list[str]:
        """Options of clingo that must be known when the program is grounded."""
        return [f"--parallel-mode={self.threads},compete"] if self.threads > 1 else []


def minimise(
    control: clingo.Control,
    clock: Clock,
    effort: Solving,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Minimise a ground program.

    Parameters
    ----------
    effort
        The same that gave its arguments to the grounding.
    on_progress
        Called from the calling thread while the solver works.
    """
    _configure(control, effort)
    progress = Progress()

    def on_model(model: clingo.Model) -> None:
        costs = tuple(model.cost) or (0,)
        if progress.costs is None or costs < progress.costs:
            # Rules may show what they like: the plan is read off all atoms.
            atoms = model.symbols(atoms=True)
            progress.costs, progress.symbols = costs, [a for a in atoms if a.name in _KEPT]
            progress.priorities = tuple(model.priority) or (0,)

    exhausted = False
    with contextlib.suppress(LeftAloneError), solving(control, clock, on_model) as handle:
        while not handle.wait(_POLL_SECONDS):
            on_progress(progress)
            if clock.expired():
                handle.cancel()
                break
        exhausted = bool(handle.get().exhausted)
    on_progress(progress)
    found = None if progress.costs is None else list(progress.symbols)
    return Outcome(found, progress.costs, progress.priorities, exhausted)


def solving(
    control: clingo.Control, clock: Clock, on_model: Callable[[clingo.Model], None]
) -> clingo.SolveHandle:
    """Begin to solve a ground program in threads of clingo's own.

    Raises
    ------
    LeftAloneError
        Time was up while clingo prepared the program, which can take seconds.
    """

    def begin() -> clingo.SolveHandle:
        handle = control.solve(async_=True, on_model=on_model)
        if clock.expired():
            handle.cancel()  # nobody may wait for it any more
        return handle

    return aside(begin, clock.expired)


def _configure(control: clingo.Control, effort: Solving) -> None:
    solve, solver = control.configuration.solve, control.configuration.solver
    assert isinstance(solve, clingo.Configuration)
    assert isinstance(solver, clingo.Configuration)
    if effort.conflicts is not None:
        solve.solve_limit = str(effort.conflicts)
    for thread in range(effort.threads):
        member = solver[thread]
        member.opt_strategy = _STRATEGIES[thread % len(_STRATEGIES)]
        member.seed = str(effort.seed + thread)


@dataclass
class _Rows:
    free_pixels: list[tuple[int, ...]] = field(default_factory=list)
    free_kernels: list[tuple[int, ...]] = field(default_factory=list)
    write_outputs: list[tuple[int, ...]] = field(default_factory=list)
    write_partial_sums: list[tuple[int, ...]] = field(default_factory=list)
    load_pixels: list[tuple[int, ...]] = field(default_factory=list)
    load_kernels: list[tuple[int, ...]] = field(default_factory=list)
    load_partial_sums: list[tuple[int, ...]] = field(default_factory=list)
    compute: list[tuple[int, ...]] = field(default_factory=list)


def plan_of_model(problem: Problem, symbols: Sequence[clingo.Symbol]) -> Plan:
    """Read a plan off the atoms ``compute/2``, ``load/2``, ``free/2`` and ``write/2``.

    Raises
    ------
    InputError
        Edited rules show something that no strategy can say.
    """
    rows = _Rows()
    finished = _completions(symbols)
    for symbol in symbols:
        if symbol.name not in _ACTIONS or len(symbol.arguments) != 2:
            continue
        what, step = symbol.arguments
        try:
            indices = tuple(argument.number for argument in what.arguments)
            _add(rows, problem, symbol.name, what.name, indices, step.number, finished)
        except (RuntimeError, ValueError, IndexError):
            raise InputError(f"the rules derive {symbol}, which no strategy can hold") from None
    return plan_from_rows(problem, vars(rows))


def _completions(symbols: Sequence[clingo.Symbol]) -> dict[tuple[int, int, int], int]:
    """Return the step of the last operation on each tile and kernel group (I, J, N)."""
    last: dict[tuple[int, int, int], int] = {}
    for symbol in symbols:
        if symbol.name == "compute" and len(symbol.arguments) == 2:
            what, step = symbol.arguments
            row, column, n, _ = (argument.number for argument in what.arguments)
            last[row, column, n] = max(last.get((row, column, n), 0), step.number)
    return last


def _add(
    rows: _Rows,
    problem: Problem,
    action: str,
    kind: str,
    indices: tuple[int, ...],
    step: int,
    finished: dict[tuple[int, int, int], int],
) -> None:
    height, width = problem.decomposition.tile
    if action == "compute":
        row, column, n, q = indices
        for i in range(row * height, min((row + 1) * height, problem.out_height)):
            for j in range(column * width, min((column + 1) * width, problem.out_width)):
                rows.compute.append((step, n, q, i, j))
    elif kind == "pixel":
        r, c, q = indices
        (rows.load_pixels if action == "load" else rows.free_pixels).append((step, q, r, c))
    elif kind == "kernel":
        n, q = indices
        (rows.load_kernels if action == "load" else rows.free_kernels).append((step, n, q))
    elif kind == "output" and action == "load":
        i, j, n = indices
        rows.load_partial_sums.append((step, n, i, j))
    elif kind == "output" and action == "write":
        i, j, n = indices
        done = finished.get((i // height, j // width, n), step) < step
        (rows.write_outputs if done else rows.write_partial_sums).append((step, n, i, j))
    else:
        raise ValueError(f"{action} {kind}")
