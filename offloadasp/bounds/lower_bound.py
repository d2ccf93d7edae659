"""The lower bound on the duration of every strategy, and certificates that are checked anew.

Derivations: docs/bounds.md. A certificate names the bounds used and their parameters; every
number that counts is computed again when it is verified.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeGuard

from offloadasp.base.errors import InputError
from offloadasp.bounds.arguments import lines
from offloadasp.bounds.arguments.pace import Pace, paced, paces
from offloadasp.bounds.arguments.passes import KINDS, best_limit, passes_of
from offloadasp.bounds.arguments.phases import EXACT_LIMIT, Phases
from offloadasp.bounds.arguments.steps import (
    largest_group,
    steps_by_macs,
    steps_by_memory,
    steps_by_size,
)
from offloadasp.bounds.arguments.together import Floor, Proofs, relaxed, together
from offloadasp.bounds.geometry.profile import used_inputs
from offloadasp.bounds.view import View, views_of
from offloadasp.model.problem import Problem

# Far more phases than any bound found has; keeps a forged certificate cheap to refuse.
_MOST_PHASES = 10_000
_MOST_PROOFS = 16


@dataclass(frozen=True)
class Bound:
    """A proven lower bound on the duration of every strategy for one decomposition.

    Attributes
    ----------
    value
        Cycles: the three parts below at their costs, or more, where loads and steps are bounded
        together.
    load_bytes, write_bytes
        Least bytes loaded and written.
    steps
        Least number of compute actions.
    certificate
        What proves it, for JSON; see `verify_certificate`.
    """

    value: Fraction
    load_bytes: int
    write_bytes: int
    steps: int
    certificate: dict[str, Any]


def compulsory_loads(problem: Problem) -> int:
    """Return the bytes of all used pixels, kernels and biases: the same for all decompositions."""
    layer, precision = problem.layer, problem.precision
    pixels = used_inputs(layer, 0) * used_inputs(layer, 1) * layer.input[0] * precision.input
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    weights = layer.kernels * (layer.input[0] // layer.group) * taps * precision.weight
    return pixels + weights + (layer.kernels * precision.partial_sum if layer.bias else 0)


def compulsory_writes(problem: Problem) -> int:
    """Return the bytes of all outputs: the same for all decompositions."""
    return problem.layer.kernels * problem.positions * problem.precision.output


def lower_bound(problem: Problem) -> Bound:
    """Bound the duration of every strategy for exactly this decomposition from below.

    Loads, writes and compute actions are bounded each on its own, by the best of several
    bounds, for the decomposition and for the finest one, whose strategies include its own. Then
    loads and compute actions are bounded together.
    """
    views = list(views_of(problem))
    loads, load_certificate = max(_load_bounds(problem, views), key=lambda found: found[0])
    steps, step_certificate = max(_step_bounds(problem, views), key=lambda found: found[0])
    writes = compulsory_writes(problem)
    certificate = {
        "loads": load_certificate,
        "writes": {"bound": "compulsory"},
        "steps": step_certificate,
    }
    floor = Floor(loads, compulsory_loads(problem), steps)
    apart = _apart(problem, loads, steps)
    cycles, joint = max(
        _joint_bounds(views, floor), key=lambda found: found[0], default=(apart, {})
    )
    if cycles > apart:
        certificate["together"] = joint
    value = max(cycles, apart) + problem.prices.write * writes + problem.prices.fixed
    return Bound(value, loads, writes, steps, certificate)


def _apart(problem: Problem, loads: int, steps: int) -> Fraction:
    """Bound loads and compute actions, in cycles, from bounds on each of them."""
    return problem.prices.load * loads + problem.prices.compute * steps


def _joint_bounds(views: list[View], floor: Floor) -> Iterator[tuple[Fraction, dict[str, Any]]]:
    """Yield bounds on loads and compute actions together, in cycles."""
    for view in views:
        if view.problem.prices.compute == 0:
            return
        if not view.inner:
            proofs = relaxed(view, floor)
            windows = [list(pair) for pair in proofs]
            certificate = {"bound": "step_sizes", **view.name, "windows": windows}
            yield together(view, floor, proofs), certificate
        for pace in paces(view, floor.steps):
            value = paced(pace, floor.loads, floor.steps)
            if value is not None:
                yield value, {"bound": "pace", **view.name, "length": pace.length}


Found = Iterator[tuple[int, dict[str, Any]]]


def _load_bounds(problem: Problem, views: list[View]) -> Found:
    compulsory = compulsory_loads(problem)
    yield compulsory, {"bound": "compulsory"}
    for view in views:
        if not view.inner:
            yield compulsory + view.extra_loads(), {"bound": "cut"} | view.name
            yield compulsory + _line_loads(view), {"bound": "lines"} | view.name
        for partial_sums in _ways(view):
            phases = view.phases(partial_sums=partial_sums)
            yield (
                view.phase_loads(phases, partial_sums=partial_sums),
                {
                    "bound": "phases",
                    **view.name,
                    "partial_sums": partial_sums,
                    "phases": [list(run) for run in phases],
                },
            )
        for kind in KINDS:
            passes = passes_of(view, kind)
            if passes is not None:
                limit = best_limit(passes)
                certificate = {"bound": "passes", **view.name, "kind": kind, "limit": limit}
                yield passes.loads(limit), certificate


def _line_loads(view: View) -> int:
    problem = view.problem
    return lines.extra_loads(problem.layer, problem.capacity, view.sizes, view.tile)


def _ways(view: View) -> tuple[bool, ...]:
    """Count partial sums or not: not counting them pays for small layers at most."""
    if view.sizes.depth == 1:
        return (False,)
    return (False, True) if view.sizes.operations <= EXACT_LIMIT else (True,)


def _step_bounds(problem: Problem, views: list[View]) -> Found:
    limit, memory = problem.accelerator.macs_per_step, problem.capacity
    for view in views:
        if not view.inner:
            yield steps_by_macs(view.sizes, limit), {"bound": "macs"} | view.name
            for least, _ in view.sizes.operation_macs:
                certificate = {"bound": "size", **view.name, "least_macs": least}
                yield steps_by_size(view.sizes, limit, least), certificate
        group = largest_group(view.footprint, memory)
        certificate = {"bound": "memory", **view.name, "group": group}
        yield steps_by_memory(view.footprint, memory, group), certificate


def verify_certificate(problem: Problem, certificate: Mapping[str, Any]) -> Fraction:
    """Compute the lower bound on the duration that a certificate proves, in cycles.

    Only the names of bounds, phase lengths and thresholds are taken from the certificate; any
    choice of them gives a valid bound.

    Raises
    ------
    InputError
        The certificate is malformed; one line.
    """
    loads = _verified_loads(problem, _table(certificate, "loads"))
    if _table(certificate, "writes").get("bound") != "compulsory":
        raise InputError("certificate.writes.bound: must be 'compulsory'")
    steps = _verified_steps(problem, _table(certificate, "steps"))
    writes = problem.prices.write * compulsory_writes(problem) + problem.prices.fixed
    apart = _apart(problem, loads, steps)
    if "together" not in certificate:
        return apart + writes
    floor = Floor(loads, compulsory_loads(problem), steps)
    joint = _verified_together(problem, floor, _table(certificate, "together"))
    return max(apart, joint) + writes


def _verified_together(problem: Problem, floor: Floor, part: Mapping[str, Any]) -> Fraction:
    name = part.get("bound")
    if name not in ("pace", "step_sizes"):
        raise InputError("certificate.together.bound: must be 'pace' or 'step_sizes'")
    view = _view(problem, part, "together")
    if name == "pace":
        pace = Pace(view, _count(part, "together", "length"))
        return paced(pace, floor.loads, floor.steps) or Fraction(0)
    if view.inner:
        raise InputError("certificate.together.inner: must be false")
    return together(view, floor, _proofs(part.get("windows")))


def _proofs(value: object) -> Proofs:
    where = "certificate.together.windows"
    if not isinstance(value, list | tuple) or len(value) > _MOST_PROOFS:
        raise InputError(f"{where}: must be a list of at most {_MOST_PROOFS} pairs [steps, bytes]")
    pairs = [tuple(pair) if isinstance(pair, list | tuple) else () for pair in value]
    if not all(len(pair) == 2 and all(map(_is_count, pair)) for pair in pairs):
        raise InputError(f"{where}: must hold pairs of positive integers")
    return pairs


def _verified_loads(problem: Problem, part: Mapping[str, Any]) -> int:
    name = part.get("bound")
    if name == "compulsory":
        return compulsory_loads(problem)
    if name == "cut":
        return compulsory_loads(problem) + _view(problem, part, "loads").extra_loads()
    if name == "lines":
        return compulsory_loads(problem) + _line_loads(_view(problem, part, "loads"))
    if name == "passes":
        return _verified_passes(problem, part)
    if name != "phases":
        allowed = "'compulsory', 'cut', 'lines', 'passes' or 'phases'"
        raise InputError(f"certificate.loads.bound: must be {allowed}")
    view = _view(problem, part, "loads")
    partial_sums = part.get("partial_sums")
    if not isinstance(partial_sums, bool):
        raise InputError("certificate.loads.partial_sums: must be true or false")
    phases = _phases(part.get("phases"), view.sizes.operations)
    return view.phase_loads(phases, partial_sums=partial_sums)


def _verified_passes(problem: Problem, part: Mapping[str, Any]) -> int:
    kind = part.get("kind")
    if kind not in KINDS:
        raise InputError(f"certificate.loads.kind: must be {' or '.join(map(repr, KINDS))}")
    passes = passes_of(_view(problem, part, "loads"), kind)
    limit = _count(part, "loads", "limit")
    return 0 if passes is None else passes.loads(limit)


def _phases(value: object, operations: int) -> Phases:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST_PHASES:
        raise InputError("certificate.loads.phases: must be a list of pairs [length, count]")
    pairs = [tuple(run) if isinstance(run, list | tuple) else () for run in value]
    if not all(len(pair) == 2 and all(map(_is_count, pair)) for pair in pairs):
        raise InputError("certificate.loads.phases: must hold pairs of positive integers")
    if sum(length * count for length, count in pairs) != operations:
        raise InputError(
            "certificate.loads.phases: lengths must add up to the number of operations, "
            f"{operations}"
        )
    return pairs


def _verified_steps(problem: Problem, part: Mapping[str, Any]) -> int:
    name, limit = part.get("bound"), problem.accelerator.macs_per_step
    if name not in ("macs", "size", "memory"):
        raise InputError("certificate.steps.bound: must be 'macs', 'size' or 'memory'")
    view = _view(problem, part, "steps")
    if name == "macs":
        return steps_by_macs(view.sizes, limit)
    if name == "size":
        return steps_by_size(view.sizes, limit, _count(part, "steps", "least_macs"))
    return steps_by_memory(view.footprint, problem.capacity, _count(part, "steps", "group"))


def _table(certificate: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = certificate.get(key) if isinstance(certificate, Mapping) else None
    if not isinstance(value, Mapping):
        raise InputError(f"certificate.{key}: must be a table")
    return value


def _view(problem: Problem, part: Mapping[str, Any], where: str) -> View:
    name, inner = part.get("decomposition"), part.get("inner")
    if name not in ("given", "finest"):
        raise InputError(f"certificate.{where}.decomposition: must be 'given' or 'finest'")
    if not isinstance(inner, bool):
        raise InputError(f"certificate.{where}.inner: must be true or false")
    return View(problem, name == "finest", inner)


def _count(part: Mapping[str, Any], where: str, key: str) -> int:
    value = part.get(key)
    if not _is_count(value):
        raise InputError(f"certificate.{where}.{key}: must be a positive integer")
    return value


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**62
