"""The package from Python: load, solve, check, simulate, bound. The command line uses the same.

Everything returns frozen data with exact numbers: integers, or `fractions.Fraction`.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from numpy.typing import ArrayLike

from offloadasp.asp.rules import rules_in_force
from offloadasp.base.errors import InputError, NoStrategyError
from offloadasp.base.resources import encodings_folder
from offloadasp.bounds import Bound, lower_bound
from offloadasp.judge.simulator import Replay
from offloadasp.judge.simulator import simulate as replay
from offloadasp.judge.verdict import Verdict, judge
from offloadasp.limits.given import Limits
from offloadasp.limits.interrupt import Interrupts
from offloadasp.model.catalogue import find_instance
from offloadasp.model.instance import Instance, load_instance
from offloadasp.model.objectives import (
    DURATION,
    OBJECTIVES,
    Objective,
    is_linear,
    objectives,
    prices_of,
    require_defined,
)
from offloadasp.model.plan import Plan
from offloadasp.model.strategy import Strategy
from offloadasp.model.strategy import load as load_strategy
from offloadasp.pipeline import run
from offloadasp.result import Result
from offloadasp.search.effort import effort_of
from offloadasp.search.pool import Status
from offloadasp.search.question import whole_of
from offloadasp.search.refute.cuts import known_cuts

PathText = str | PathLike[str]
Progress = Callable[[Status], None]
AnyStrategy = Strategy | Result | PathText


def load(name: PathText) -> Instance:
    """Read an instance: a TOML file, or the name of a shipped instance.

    Raises
    ------
    InputError
        There is none, or it breaks the schema; one line names file, key, value and what is allowed.
    """
    return load_instance(find_instance(str(_path("instance", name))))


def solve(
    instance: Instance | PathText,
    *,
    objective: str = DURATION,
    time_limit: float | None = None,
    threads: int | None = None,
    seed: int | None = None,
    budget: int | None = None,
    encoding: PathText | Sequence[PathText] = (),
    encodings: PathText | None = None,
    without: str | Sequence[str] = (),
    out: PathText | None = None,
    progress: Progress = lambda _: None,
) -> Result:
    """Find a strategy, verify it, and say how far it can be from the optimum.

    Parameters
    ----------
    instance
        An instance, a TOML file, or the name of a shipped instance.
    objective
        What to minimise; several names with commas, the one that matters most first.
    time_limit
        Seconds of search; default: the instance's.
    threads, seed
        Of the search; default: the instance's.
    budget
        Deterministic effort instead of a time limit; implies one thread.
    encoding, encodings
        Files of rules to add, and a folder of rules to use instead of the shipped ones.
    without
        Names of separators that the complete search is to do without.
    out
        Folder for the strategy file; None: no file is written.
    progress
        Called with a `Status` at every change of incumbent or bound.

    Raises
    ------
    InputError
        An argument, the instance or a file of rules is wrong.
    InfeasibleError
        No strategy exists; the message says the least value that would do.
    NoStrategyError
        None was found within the limits.
    VerificationError
        A reading refuses what was found: a bug, or edited rules that permit too much.
    KeyboardInterrupt
        Ctrl-C before there was any strategy; later ones end the search, and the best strategy so
        far is verified and returned with ``interrupted = True``.
    """
    described = _instance(instance)
    names = objectives(objective)
    require_defined(names, described)
    limits = Limits(time_limit, threads, seed, budget)
    folder = _optional("out", out)
    rules = rules_in_force(_optional("encodings", encodings), _paths(encoding))
    cuts = known_cuts([without] if isinstance(without, str) else without, encodings_folder())
    described = limits.applied(described)
    effort = effort_of(described.search, limits.budget, cuts)
    with Interrupts(effort.clock, twice_ends=False):
        try:
            return run(described, rules, effort, folder, progress, names)
        except NoStrategyError:
            if effort.clock.interrupted:
                raise KeyboardInterrupt from None
            raise


def check(
    strategy: AnyStrategy,
    *,
    encoding: PathText | Sequence[PathText] = (),
    encodings: PathText | None = None,
) -> Verdict:
    """Read a strategy by the rules and by the simulator, and verify its bounds.

    Raises
    ------
    InputError
        The file of the strategy or of rules is wrong.
    """
    rules = rules_in_force(_optional("encodings", encodings), _paths(encoding))
    return judge(_strategy(strategy), rules)


def simulate(
    strategy: AnyStrategy,
    input: ArrayLike | None = None,  # noqa: A002 (the layer's word)
    weights: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    seed: int | None = None,
) -> Replay:
    """Execute a strategy on tensors and compare with direct convolution.

    Parameters
    ----------
    input
        Shape (C, H, W), or (B, C, H, W) for a batch; None: integers drawn at random.
    weights
        Shape (M, C/G, Kh, Kw); None: likewise.
    bias
        Shape (M,); None: likewise, if the layer has a bias.
    seed
        Of the tensors that are drawn; default: the strategy's.

    Raises
    ------
    InputError
        The strategy or a tensor is wrong.
    """
    read = _strategy(strategy)
    chosen = read.instance.search.seed if seed is None else seed
    return replay(read, input, weights, bias, chosen)


def bound(instance: Instance | PathText, *, objective: str = DURATION) -> Bound:
    """Return a lower bound that no search is needed for, with its certificate.

    Parameters
    ----------
    objective
        A linear one: everything but the peak of memory, whose least value is known.

    Raises
    ------
    InputError
        The instance is wrong, or the objective is not linear or not defined for it.
    """
    described = _instance(instance)
    name, *_ = objectives(objective)
    require_defined([name], described)
    if not is_linear(name):
        linear = ", ".join(other for other in OBJECTIVES if is_linear(other))
        raise InputError(f"objective: must be one of {linear}, not '{objective}'")
    whole = whole_of(described, prices_of(name, described), described.accelerator.memory)
    return lower_bound(whole.within(whole.memory))


def _strategy(given: AnyStrategy) -> Strategy:
    if isinstance(given, Strategy):
        return given
    return given.strategy if isinstance(given, Result) else load_strategy(_path("strategy", given))


def _instance(given: Instance | PathText) -> Instance:
    return given if isinstance(given, Instance) else load(given)


def _paths(given: PathText | Sequence[PathText]) -> list[Path]:
    """Return the paths of files of rules: of one, or of several."""
    several = [given] if isinstance(given, str | PathLike) else given
    return [_path("encoding", one) for one in several]


def _optional(argument: str, given: PathText | None) -> Path | None:
    return None if given is None else _path(argument, given)


def _path(argument: str, given: PathText) -> Path:
    """Return the path that an argument gives."""
    if not isinstance(given, str | PathLike) or not str(given) or "\0" in str(given):
        kind = repr(given) if isinstance(given, str) else f"a {type(given).__name__}"
        raise InputError(f"{argument}: must be a path, not {kind}")
    return Path(given)


__all__ = [
    "Instance",
    "Objective",
    "Plan",
    "Result",
    "Status",
    "Strategy",
    "bound",
    "check",
    "load",
    "simulate",
    "solve",
]
