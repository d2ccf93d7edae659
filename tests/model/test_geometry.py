"""encodings/model, problem.py and a reading of ONNX Conv by plain loops agree on a layer."""

from collections.abc import Iterator
from itertools import product
from typing import TypeAlias

import clingo
from hypothesis import given, settings

from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import ground
from offloadasp.asp.rules import shipped_rules
from offloadasp.model.problem import Problem
from offloadasp.model.reads import Reads
from tests.support.layers import problems

Term: TypeAlias = "int | str | tuple[Term, ...]"
Atoms = set[tuple[Term, ...]]


def term(symbol: clingo.Symbol) -> Term:
    """A clingo term as Python values: pixel(1,2,0) becomes ("pixel", 1, 2, 0)."""
    if symbol.type == clingo.SymbolType.Number:
        return symbol.number
    return (symbol.name, *map(term, symbol.arguments))


def atoms(problem: Problem) -> dict[str, Atoms]:
    """What the rules derive, by predicate."""
    files = ["model/layer.lp", "model/groups.lp", "model/decomposition.lp"]
    control = ground(shipped_rules(), files, facts(problem, 1))
    found: dict[str, Atoms] = {}
    for name, arity, _ in control.symbolic_atoms.signatures:
        found.setdefault(name, set())
        for atom in control.symbolic_atoms.by_signature(name, arity):
            assert atom.is_fact, f"{atom.symbol} is no fact: the layer leaves nothing to decide"
            found[name].add(tuple(map(term, atom.symbol.arguments)))
    return found


def placements(problem: Problem, axis: int) -> list[int]:
    """Where a kernel starts along an axis, in input coordinates: every stride that fits."""
    layer = problem.layer
    reach = (layer.kernel_shape[axis] - 1) * layer.dilations[axis]
    end = layer.input[1 + axis] + layer.pads[2 + axis]
    return [at for at in range(-layer.pads[axis], end, layer.strides[axis]) if at + reach < end]


def reads(problem: Problem, axis: int) -> list[set[int]]:
    """For each output row (column) the input rows (columns) it reads."""
    layer = problem.layer
    found = []
    for start in placements(problem, axis):
        taps = (start + k * layer.dilations[axis] for k in range(layer.kernel_shape[axis]))
        found.append({at for at in taps if 0 <= at < layer.input[1 + axis]})
    return found


def windows(problem: Problem) -> dict[tuple[int, int], int]:
    """Pairs of one kernel and one channel of the same convolution group, by (N, Q)."""
    layer = problem.layer
    count: dict[tuple[int, int], int] = {}
    for n, kernels in enumerate(problem.decomposition.kernel_groups):
        for q, channels in enumerate(problem.decomposition.channel_groups):
            pairs = sum(
                k * layer.group // layer.kernels == d * layer.group // layer.input[0]
                for k, d in product(range(*kernels), range(*channels))
            )
            if pairs:
                count[n, q] = pairs
    return count


def tiles(problem: Problem) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Each tile's row and column, and its output positions."""
    rows, columns = len(reads(problem, 0)), len(reads(problem, 1))
    height, width = problem.decomposition.tile
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, j in product(range(rows), range(columns)):
        found.setdefault((i // height, j // width), []).append((i, j))
    for (row, column), positions in found.items():
        yield row, column, positions


@settings(max_examples=50, deadline=None)
@given(problems())
def test_the_geometry_of_the_rules_is_that_of_onnx_conv(problem: Problem) -> None:
    rows, columns = reads(problem, 0), reads(problem, 1)
    found = atoms(problem)
    assert found["output_shape"] == {(len(rows), len(columns))}
    assert found["row_tap"] == {(i, r) for i, reached in enumerate(rows) for r in reached}
    assert found["column_tap"] == {(j, c) for j, reached in enumerate(columns) for c in reached}
    assert found["used"] == set(product(set().union(*rows), set().union(*columns)))


@settings(max_examples=50, deadline=None)
@given(problems())
def test_the_blocks_of_the_rules_hold_what_they_are_said_to_hold(problem: Problem) -> None:
    layer, precision, decomposition = problem.layer, problem.precision, problem.decomposition
    used = product(set().union(*reads(problem, 0)), set().union(*reads(problem, 1)))
    pairs = windows(problem)
    blocks: Atoms = {
        (("pixel", r, c, q), (b - a) * precision.input)
        for r, c in used
        for q, (a, b) in enumerate(decomposition.channel_groups)
    }
    for (n, q), count in pairs.items():
        size = count * layer.kernel_shape[0] * layer.kernel_shape[1] * precision.weight
        if layer.bias and q == min(q for m, q in pairs if m == n):
            first, last = decomposition.kernel_groups[n]
            size += (last - first) * precision.partial_sum
        blocks.add((("kernel", n, q), size))
    positions = product(range(len(reads(problem, 0))), range(len(reads(problem, 1))))
    results = {
        (("output", i, j, n), (b - a) * precision.output, (b - a) * precision.partial_sum)
        for i, j in positions
        for n, (a, b) in enumerate(decomposition.kernel_groups)
    }
    found = atoms(problem)
    assert found["block"] == blocks
    assert found["result"] == results
    assert found["windows"] == {(n, q, count) for (n, q), count in pairs.items()}


@settings(max_examples=50, deadline=None)
@given(problems())
def test_operations_need_and_produce_what_their_positions_do(problem: Problem) -> None:
    rows, columns = reads(problem, 0), reads(problem, 1)
    work: Atoms = set()
    needs: Atoms = set()
    produces: Atoms = set()
    for (n, q), count in windows(problem).items():
        for row, column, positions in tiles(problem):
            operation: Term = ("op", row, column, n, q)
            work.add((operation, count * len(positions)))
            needs.add((operation, ("kernel", n, q)))
            for i, j in positions:
                produces.add((operation, ("output", i, j, n)))
                needs |= {(operation, ("pixel", r, c, q)) for r, c in product(rows[i], columns[j])}
    found = atoms(problem)
    assert found["work"] == work
    assert found["operation"] == {(operation,) for operation, _ in work}
    assert found["needs"] == needs
    assert found["produces"] == produces


def _taps(reads: Reads) -> Atoms:
    return {
        (output, int(line))
        for output, lines in enumerate(reads.listed())
        for line in lines
        if line >= 0
    }


@settings(max_examples=50, deadline=None)
@given(problems())
def test_python_and_the_rules_see_the_same_sizes(problem: Problem) -> None:
    found = atoms(problem)
    rows, columns = (_taps(reads) for reads in problem.reads)
    assert found["output_shape"] == {(problem.out_height, problem.out_width)}
    assert found["row_tap"] == rows
    assert found["column_tap"] == columns
    assert found["used"] == set(
        zip(*(axis.tolist() for axis in problem.used.nonzero()), strict=True)
    )
    existing = [(int(n), int(q)) for n, q in zip(*problem.exists.every(), strict=True)]
    assert found["windows"] == {(n, q, int(problem.exists.shared(n, q))) for n, q in existing}
    used, groups = problem.used.nonzero(), enumerate(problem.pixel_bytes.tolist())
    blocks = {
        (("pixel", int(r), int(c), q), size)
        for q, size in groups
        for r, c in zip(*used, strict=True)
    } | {(("kernel", n, q), int(problem.kernel_bytes[n, q])) for n, q in existing}
    assert found["block"] == blocks
    assert sum(size for _, size in blocks) == problem.input_total + problem.kernel_total
    assert found["result"] == {
        (("output", i, j, n), size, partial)
        for i, j in product(range(problem.out_height), range(problem.out_width))
        for n, (size, partial) in enumerate(
            zip(problem.output_bytes.tolist(), problem.partial_bytes.tolist(), strict=True)
        )
    }
    taps = problem.layer.kernel_shape[0] * problem.layer.kernel_shape[1]
    height, width = problem.decomposition.tile
    grid = problem.tile_grid
    work = {
        (
            ("op", row, column, n, q),
            int(problem.operation_macs[n, q])
            // taps
            * min(height, problem.out_height - row * height)
            * min(width, problem.out_width - column * width),
        )
        for n, q in existing
        for row, column in product(range(grid[0]), range(grid[1]))
    }
    assert found["work"] == work
    assert sum(amount for _, amount in work) == problem.total_windows
