"""What the rules answer to small questions: what notices a deletion in ``encodings/*.lp``."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import clingo
import clingo.ast

from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import Meter, ground
from offloadasp.asp.rules import Rules
from offloadasp.base.resources import encodings_folder
from offloadasp.judge.by_rules import read_by_lines, read_by_positions, read_by_rules
from offloadasp.model.instance import Energy, Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy
from tests.encodings.test_check import BROKEN, LONELY
from tests.encodings.test_step import DEFINITION, PROBES, TINY
from tests.encodings.test_step import Probe as Asked
from tests.engines import mutants as by_hand
from tests.engines import mutation
from tests.engines.overlapped import BESIDE, OVERLAPS, overlapping, reloading, tiny_beside
from tests.engines.plans import problem
from tests.support.layers import strategy_of, with_energy
from tests.support.solving import operations, plan_of_model

SHIPPED = encodings_folder()
# Other prices than the duration's.
ENERGY = Energy(load=Fraction(4), write=Fraction(9), compute=Fraction(7), static=Fraction(1, 2))
_MOST_MODELS, _MOST_RULES, _MOST_CONFLICTS = 3000, 200_000, 20_000
Probe = Callable[[Path], object]


class TooMuchError(Exception):
    """An answer would take more effort than a probe may."""


def _atoms(
    names: Sequence[str],
    drawn: Problem,
    predicates: Sequence[str],
    more: str = "",
    steps: int = 1,
) -> Probe:
    def probe(folder: Path) -> object:
        control = ground(Rules(folder), names, facts(drawn, steps) + more)
        return {
            str(atom.symbol)
            for name, arity, _ in control.symbolic_atoms.signatures
            if name in predicates
            for atom in control.symbolic_atoms.by_signature(name, arity)
        }

    return probe


_LAYER = ("output_shape", "row_tap", "column_tap", "used")
_GROUPS = ("windows", "pixel_bytes", "kernel_bytes", "result_bytes")
_DECOMPOSITION = (
    "block", "result", "bytes", "operation", "work", "needs", "produces", "tile_size", "reads_row",
    "reads_column",
)  # fmt: skip


def _tiled(drawn: Problem) -> Problem:
    tile = (min(2, drawn.out_height), min(2, drawn.out_width))
    return drawn.with_decomposition(drawn.decomposition.model_copy(update={"tile": tile}))


def _uneven() -> Problem:
    """Groups of kernels and channels across the borders of the convolution groups."""
    layer = Layer(input=(6, 3, 4), kernels=6, kernel_shape=(2, 2), group=3, bias=True)
    spans = ((0, 1), (1, 5), (5, 6))
    made = problem(layer, precision=Precision(input=2, weight=3, output=2, partial_sum=5))
    return made.with_decomposition(
        Resolved(tile=(2, 2), kernel_groups=spans, channel_groups=((0, 3), (3, 6)))
    )


def _geometry(predicates: Sequence[str]) -> list[Probe]:
    drawn = [_uneven(), *(_tiled(mutation.layer_of(k)) for k in range(14))]
    files = ["model/layer.lp", "model/groups.lp", "model/decomposition.lp"]
    return [_atoms(files, one, predicates) for one in drawn]


def _verdicts(read: Callable[[Strategy, Rules], object]) -> Iterator[Probe]:
    def probe(one: Strategy) -> Probe:
        return lambda folder: read(one, Rules(folder))

    return map(probe, _strategies())


def _strategies() -> Iterator[Strategy]:
    """Yield valid and broken strategies, which take long to make last."""
    yield from (Strategy.model_validate(data) for data in by_hand.VALID.values())
    loaded_only = by_hand.mutant(
        by_hand.HALO,
        "",
        by_hand.insert(1, by_hand.step(load={"kernels": [[0, 0]]})),
        by_hand.put(2, "load.kernels", []),
    )
    yield loaded_only.strategy
    # Without a rule that leaves it out, a box of 2^31 columns would be looked at cell by cell.
    outside = by_hand.mutant(by_hand.HALO, "", by_hand.put(3, "free.pixels", [[0, 0, 2, 1, 4]]))
    small = [m for m in (outside, *BROKEN) if str(2**31 - 1) not in str(m.data["steps"])]
    yield from (broken.strategy for broken in small)
    yield from LONELY
    yield from (tiny_beside(BESIDE, 11, "duplex"), tiny_beside(BESIDE, 10), reloading())
    yield from map(reloading, ("create", "load", "compute"))
    # Outputs that are being written take the last bytes beside what is loaded.
    yield from mutation.valid(49)
    for number in (1, 3, 5, 10, 37, 44):
        yield from mutation.valid(number)
        drawn = mutation.mutants(number, 1)
        yield from (m.strategy for m in drawn if not m.kind.startswith("state"))


def _plans(
    names: Sequence[str], *arguments: str, cases: Sequence[Asked] = tuple(PROBES.values())
) -> list[Probe]:
    """Return probes of the least cost, and of what the shipped check says of the plan."""

    def probe(asked: Asked) -> Probe:
        def ask(folder: Path) -> object:
            given = facts(with_energy(asked.problem, ENERGY), asked.steps) + asked.more
            meter = Meter(_MOST_RULES, lambda: False)
            control = ground(Rules(folder), names, given, arguments=arguments, meter=meter)
            found: list[tuple[tuple[int, ...], Sequence[clingo.Symbol]]] = []

            def note(model: clingo.Model) -> None:
                found[:] = [(tuple(model.cost), model.symbols(atoms=True))]

            # Without a cost the first model ends the search.
            if not _solve(control, note).exhausted and not (found and found[0][0] == ()):
                raise TooMuchError
            if not found:
                return None
            costs, atoms = found[0]
            return costs, _accepted(asked.problem, atoms)

        return ask

    return [probe(asked) for asked in cases]


def _accepted(drawn: Problem, atoms: Sequence[clingo.Symbol]) -> bool:
    """Whether atoms are a plan's, and the shipped check accepts that."""
    try:
        plan = plan_of_model(drawn, atoms)
    except KeyError:  # such as a free of an output
        return False
    return read_by_rules(strategy_of(drawn, plan), Rules(SHIPPED)).accepted


def _solve(control: clingo.Control, note: Callable[[clingo.Model], None]) -> clingo.SolveResult:
    solve = control.configuration.solve
    assert isinstance(solve, clingo.Configuration)
    solve.solve_limit = str(_MOST_CONFLICTS)
    return control.solve(on_model=note)


def _beside() -> list[Asked]:
    """Return small problems in which transfers go on beside the compute action."""
    row = Layer(input=(1, 1, 3), kernels=1, kernel_shape=(1, 1))
    large = Precision(output=3)
    chip: dict[str, Any] = {"compute_cycles": Fraction(4), "macs_per_step": 1}
    one = problem(Layer(input=(1, 1, 1), kernels=1, kernel_shape=(1, 1)), memory=9, **chip)
    spilling = problem(
        Layer(input=(2, 1, 2), kernels=1, kernel_shape=(1, 1)),
        channel_groups=2,
        memory=7,
        precision=Precision(partial_sum=3),
        **chip,
    )
    # Both positions in one channel first: one of the two partial sums is spilled, and comes back.
    rows_first = ":- compute(op(0, X, 0, 1), T), compute(op(0, Y, 0, 0), T'), T <= T'."
    drawn = [
        (one, 4, ""),
        (problem(row, memory=8, precision=large, **chip), 6, ""),
        (problem(row, memory=99, precision=large, mac_cycles=Fraction(2), **chip), 6, ""),
        (spilling, 9, rows_first),
    ]
    return [
        Asked(overlapping(serial, overlap), steps, more)
        for serial, steps, more in drawn
        for overlap in OVERLAPS
    ]


def _waiting() -> list[tuple[Problem, int, str]]:
    """Return strategies whose steps wait for loads and for writes, each the only one allowed."""
    row = Layer(input=(1, 1, 3), kernels=1, kernel_shape=(1, 1))
    forced = "".join(
        f":- not {action}(pixel(0,{k},0),{t}). :- not {last}(output(0,{k},0),{t + 2})."
        f":- not compute(op(0,{k},0,0),{t + 1})."
        for k, t in enumerate((1, 2, 3))
        for action, last in (("load", "write"),)
    )
    found = []
    for load, write, size in ((9, 1, 3), (1, 9, 1), (4, 3, 2)):
        serial = problem(
            row,
            memory=99,
            precision=Precision(output=size),
            load_cycles=Fraction(load),
            write_cycles=Fraction(write),
            compute_cycles=Fraction(2),
            mac_cycles=Fraction(1),
        )
        found += [(overlapping(serial, one), 5, f"{forced} #show waits/2.") for one in OVERLAPS]
    beyond = "cost(load, 1, more, 900000000)."  # more than all powers of two
    return [*found, (*found[0][:2], found[0][2] + beyond)]


def _models(
    names: Sequence[str], cases: Sequence[tuple[Problem, int, str]], *arguments: str
) -> list[Probe]:
    """Return probes of all stable models, as far as they are shown."""

    def probe(drawn: Problem, steps: int, more: str) -> Probe:
        def ask(folder: Path) -> object:
            given = facts(drawn, steps) + more
            meter = Meter(_MOST_RULES, lambda: False)
            control = ground(Rules(folder), names, given, arguments=arguments, meter=meter)
            control.configuration.solve.models = str(_MOST_MODELS)  # type: ignore[union-attr]
            found: list[str] = []

            def note(model: clingo.Model) -> None:
                found.append(" ".join(sorted(map(str, model.symbols(shown=True)))))

            exhausted = _solve(control, note).exhausted
            if len(found) == _MOST_MODELS:
                return "many"  # which ones come first is a matter of the solver
            if not exhausted:
                raise TooMuchError
            return sorted(found)

        return ask

    return [probe(*case) for case in cases]


def _small() -> list[Problem]:
    """Return problems on which strategies can be counted."""
    wide = Layer(input=(1, 1, 4), kernels=1, kernel_shape=(1, 2))
    return [TINY[name] for name in TINY] + [
        problem(wide, memory=5, macs_per_step=4, compute_cycles=Fraction(2)),
        problem(wide, memory=9, macs_per_step=2, compute_cycles=Fraction(2)),
        problem(wide, memory=7, macs_per_step=4, load_cycles=Fraction(0)),
        problem(
            Layer(input=(2, 1, 2), kernels=1, kernel_shape=(1, 1)),
            channel_groups=2,
            memory=8,
            precision=Precision(output=5, partial_sum=1),
            macs_per_step=1,
        ),
        problem(Layer(input=(1, 1, 4), kernels=1, kernel_shape=(1, 1)), macs_per_step=1),
        problem(Layer(input=(1, 1, 4), kernels=1, kernel_shape=(1, 1)), macs_per_step=2),
    ]


def _shown(folder: Path) -> object:
    control = ground(Rules(folder), ["definition.lp"], facts(PROBES["spilling"].problem, 5))
    found: set[str] = set()

    def note(model: clingo.Model) -> None:
        found.update(f"{s.name}/{len(s.arguments)}" for s in model.symbols(shown=True))

    control.configuration.solve.models = "50"  # type: ignore[union-attr]
    control.solve(on_model=note)
    return found


def _budgets(names: Sequence[str], drawn: Sequence[Problem], most: int) -> list[Probe]:
    """Return probes of which strategies there are within budgets."""
    cases = []
    for one in drawn:
        count = operations(one)
        for budget, steps in product((0, 1, 2, most), sorted({count, (count + 1) // 2})):
            more = f"slack({budget}). least_steps({max(1, steps - 1)})."
            cases.append((one, steps, more))
    return _models(names, cases)


def _loose(folder: Path) -> Path:
    """Write a copy of the evictions without limits on memory, work and costs beside the cuts.

    A cut follows from these limits. Only without them is it seen what the cut itself rules out.
    """
    text = (folder / "proof" / "evict.lp").read_text(encoding="utf-8")
    nodes: list[str] = []
    clingo.ast.parse_string(text, lambda node: nodes.append(str(node)))
    limits = ("memory(M)", "windows_per_step(X)", "slack(Slack)")
    kept = [line for line in nodes if not any(limit in line for limit in limits)]
    parts = ("layer", "groups", "decomposition", "show")
    head = "".join(f'#include "../model/{part}.lp".\n' for part in parts)
    (folder / "proof" / "loose.lp").write_text(head + "\n".join(kept), encoding="utf-8")
    return folder


def _alone(cut: str, drawn: Sequence[Problem]) -> list[Probe]:
    def probe(one: Probe) -> Probe:
        return lambda folder: one(_loose(folder))

    return [probe(one) for one in _budgets(["proof/loose.lp", cut], drawn, 6)]


def _mirrored() -> list[Problem]:
    """Return problems that mirrors, transposition, exchanges of groups or of tiles leave alike."""
    one = Precision(output=1, partial_sum=1)

    def made(layer: Layer, kernels: int = 1, channels: int = 1) -> Problem:
        return problem(
            layer, kernel_groups=kernels, channel_groups=channels, memory=60, precision=one
        )

    def layer(channels: int, height: int, width: int, kernels: int = 1, **more: Any) -> Layer:
        return Layer.model_validate(
            {"input": (channels, height, width), "kernels": kernels, "kernel_shape": (1, 1)} | more
        )

    two: dict[str, Any] = {"kernel_shape": (2, 2)}
    found = [
        made(layer(1, 3, 3, **two)),
        made(layer(1, 4, 4, **two)),
        made(layer(1, 2, 4, **two)),
        made(layer(1, 4, 2, **two)),
        made(layer(1, 2, 3, kernel_shape=(1, 2))),
        made(layer(1, 3, 2, kernel_shape=(2, 1))),
        made(layer(1, 2, 2)),
        made(layer(1, 2, 2, kernels=2), kernels=2),
        made(layer(1, 3, 3, kernels=2, **two), kernels=2),
        made(layer(1, 3, 1)),
        made(layer(1, 1, 3)),
        made(layer(1, 1, 2, kernels=3), kernels=3),
        made(layer(1, 1, 2, kernels=3), kernels=2),
        made(layer(3, 1, 1), channels=3),
        made(layer(3, 1, 1), channels=2),
        made(layer(2, 1, 2, kernels=2, group=2), kernels=2, channels=2),
        made(layer(2, 1, 1, kernels=2), kernels=2, channels=2),
        made(layer(2, 1, 1, kernels=2, bias=True), kernels=2, channels=2),
        made(layer(1, 2, 2, kernel_shape=(2, 2), pads=(1, 0, 0, 0))),
        made(layer(1, 2, 2, kernel_shape=(2, 2), pads=(1, 1, 0, 0))),
        made(layer(1, 2, 2, kernel_shape=(2, 2), pads=(1, 0, 0, 1))),
        made(layer(1, 2, 2, pads=(0, 0, 1, 0))),
        made(layer(1, 2, 2, pads=(0, 0, 0, 1))),
        made(layer(1, 3, 3, strides=(2, 2))),
        # All rows, or all columns, lie in the padding.
        made(layer(1, 1, 1, strides=(2, 1), pads=(1, 0, 0, 0))),
        made(layer(1, 1, 1, strides=(1, 2), pads=(0, 1, 0, 0))),
        made(layer(1, 5, 1, strides=(2, 1), kernel_shape=(2, 1))),
    ]
    tiles: list[tuple[tuple[int, int], Layer]] = [
        ((2, 1), layer(1, 3, 2)),
        ((1, 2), layer(1, 2, 3)),
        ((2, 2), layer(1, 3, 3)),
        # Tiles of different sizes that read equally much.
        ((2, 1), layer(1, 2, 1, pads=(1, 0, 0, 0))),
        ((1, 2), layer(1, 1, 2, pads=(0, 1, 0, 0))),
    ]
    for tile, shape in tiles:
        found.append(_regrouped(made(shape), tile=tile))
    # Groups across the borders of the convolution groups.
    across = ((0, 1), (1, 3), (3, 4))
    found += [
        _regrouped(made(layer(2, 1, 1, 4, group=2), channels=2), kernel_groups=across),
        _regrouped(made(layer(4, 1, 1, 2, group=2), kernels=2), channel_groups=across),
    ]
    return found


def _regrouped(drawn: Problem, **update: Any) -> Problem:
    return drawn.with_decomposition(drawn.decomposition.model_copy(update=update))


_SYMMETRIES = (
    "mirror_rows", "mirror_columns", "transpose", "reverse", "corner", "scattered", "twin_kernels",
    "twin_channels",
)  # fmt: skip


def _symmetries(cut: str) -> list[Probe]:
    """Return probes of the symmetries that are found, and of the strategies that are left."""
    names, drawn = ["proof/refute.lp", cut], _mirrored()
    least = "slack(0). least_steps(2)."
    found = [_atoms(names, one, _SYMMETRIES, least, steps=2) for one in drawn]
    cases = [(one, 2, f"slack(2). least_steps({k}).") for one in drawn for k in (1, 2)]
    cases += [
        (one, operations(one), f"slack(4). least_steps({operations(one) - k}).")
        for one in drawn
        if operations(one) <= 4
        for k in (0, 1)
    ]
    return [*found, *_models(names, cases)]


def probes(file: str) -> Iterator[Probe]:
    """Yield what notices deletions of a file, the quickest first."""
    evictions = [drawn for drawn in _small() if operations(drawn) <= 4]
    cuts = ("proof/live_cut.lp", "proof/pace_cut.lp", "proof/symmetry.lp")
    known: dict[str, Callable[[], Iterable[Probe]]] = {
        "model/layer.lp": lambda: _geometry(_LAYER),
        "model/decomposition.lp": lambda: _geometry(_DECOMPOSITION),
        "model/groups.lp": lambda: _geometry(_GROUPS),
        "check/boxes.lp": lambda: _verdicts(read_by_positions),
        "check/unpack.lp": lambda: _verdicts(read_by_positions),
        "check/lines.lp": lambda: _verdicts(read_by_lines),
        "check/replay.lp": lambda: _verdicts(read_by_positions),
        "model/step.lp": lambda: _plans(DEFINITION),
        "model/overlap.lp": lambda: [*_plans(DEFINITION, cases=_beside()), *_plans(DEFINITION)],
        "model/show.lp": lambda: [_shown],
        "proof/lean.lp": lambda: _models(
            ["definition.lp", "proof/lean.lp"],
            [(PROBES[n].problem, PROBES[n].steps, "") for n in PROBES]
            + [(TINY["patches that overlap"], 4, ""), (TINY["partial sums are spilled"], 5, "")]
            + [(asked.problem, asked.steps, "") for asked in _beside()[:2]],
        ),
        "model/objective/duration.lp": lambda: [
            *_plans(DEFINITION),
            *_plans(
                ("definition.lp", "model/objective/duration.lp", "model/objective/traffic.lp"),
                "-c duration_priority=2",
            ),
            *_plans(DEFINITION, cases=_beside()),
            *_models(DEFINITION, _waiting(), "--opt-mode=ignore"),
        ],
        "model/objective/traffic.lp": lambda: _plans(
            ("definition.lp", "model/objective/traffic.lp")
        ),
        "model/objective/energy.lp": lambda: [
            *_plans(("definition.lp", "model/objective/energy.lp")),
            *_plans(
                ("definition.lp", "model/objective/duration.lp", "model/objective/energy.lp"),
                "-c energy_priority=2",
                cases=_beside()[:3],
            ),
        ],
        "model/objective/peak_memory.lp": lambda: [
            *_plans(("definition.lp", "model/objective/peak_memory.lp")),
            *_models(
                ["definition.lp", "model/objective/peak_memory.lp"],
                [(PROBES["one operation a step"].problem, 3, "#show room/1.")],
                "--opt-mode=ignore",
            ),
        ],
        "proof/evict.lp": lambda: [
            *_budgets(["proof/refute.lp"], evictions, 8),
            *_alone(cuts[0], evictions),
        ],
        "proof/live_cut.lp": lambda: _alone(cuts[0], evictions),
        "proof/pace_cut.lp": lambda: _alone(cuts[1], evictions),
        "proof/symmetry.lp": lambda: _symmetries(cuts[2]),
    }
    return iter(known[file]())
