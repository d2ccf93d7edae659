"""Whether the shapes of a node's inputs fit each other, where ONNX's inference does not ask."""

import math
from collections.abc import Callable, Iterable, Sequence

from offloadasp.network.attributes import Attributes

_Shape = tuple[int | None, ...] | None
_Shapes = Sequence[_Shape]


def misfit(op: str, given: Attributes, shapes: _Shapes) -> str | None:
    """Say which inputs of a standard operator contradict each other; None: none that is known.

    Parameters
    ----------
    shapes
        Of the node's inputs in their order; None for what is missing or not known.
    """
    check = _CHECKS.get(op)
    return None if check is None else check(given, [*shapes, *[None] * (10 - len(shapes))])


def checked(op: str) -> bool:
    """Whether `misfit` looks at an operator."""
    return op in _CHECKS


def reshape_misfit(x: _Shape, target: Sequence[int], *, allow_zero: bool) -> str | None:
    """Say why a tensor cannot be given a constant shape; None if it can, or nobody knows.

    ``target`` is as ONNX's ``Reshape`` takes it: 0 copies a size, -1 is what is left.
    """
    if x is None or None in x:
        return None
    sizes = [size or 0 for size in x]
    wanted = [
        sizes[k] if n == 0 and not allow_zero and k < len(sizes) else n
        for k, n in enumerate(target)
    ]
    there, fixed = math.prod(sizes), math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        return f"its target shape {times(target)} is none"
    fits = there % fixed == 0 if -1 in wanted and fixed else there == fixed
    if fits:
        return None
    return f"its input {times(sizes)} cannot become {times(target)}"


def times(sizes: Iterable[int | None]) -> str:
    """Return a shape in a message, as in ``6x14x14``."""
    found = ["?" if size is None else str(size) for size in sizes]
    return "x".join(found) if found else "of a single number"


def explicit_pads(given: Attributes, sizes: Sequence[int], kernel: Sequence[int]) -> list[int]:
    """Return pads before and after each axis, as ONNX defines ``auto_pad``.

    Parameters
    ----------
    given
        Their lists are of the length that the axes demand.
    sizes, kernel
        Of the input's axes and of the window's.
    """
    axes = len(sizes)
    if given.auto_pad in ("NOTSET", ""):
        return list(given.pads or [0] * (2 * axes))
    if given.auto_pad == "VALID":
        return [0] * (2 * axes)
    strides, holes = given.strides or [1] * axes, given.dilations or [1] * axes
    before, after = [], []
    for size, taps, stride, hole in zip(sizes, kernel, strides, holes, strict=True):
        outputs = -(-size // stride)
        total = max(0, (outputs - 1) * stride + hole * (taps - 1) + 1 - size)
        less, more = total // 2, total - total // 2
        before.append(less if given.auto_pad == "SAME_UPPER" else more)
        after.append(more if given.auto_pad == "SAME_UPPER" else less)
    return before + after


def _convolution(
    weight: int, each_kernel: Sequence[tuple[int, str]], single: Sequence[tuple[int, str]] = ()
) -> Callable[..., str | None]:
    """Return the check of ``Conv`` or of an operator like it.

    Parameters
    ----------
    weight
        The place of the weights among the inputs.
    each_kernel
        Place and name of each input with one value for every kernel. All but the bias may have one
        value for all kernels instead.
    single
        Place and name of each input that must be a single number.
    """

    def check(given: Attributes, shapes: _Shapes) -> str | None:
        x, w = shapes[0], shapes[weight]
        several = next(
            (f"its {what} {times(shape)} is not a single number"
             for shape, what in ((shapes[k], what) for k, what in single)
             if shape is not None and any(_differ(size, 1) for size in shape)),
            None,
        )  # fmt: skip
        if w is None:
            return several
        wrong = _window_misfit(given, x, w) or several
        return wrong or _each_kernel_misfit(w, [(shapes[k], what) for k, what in each_kernel])

    return check


def _window_misfit(given: Attributes, x: _Shape, w: tuple[int | None, ...]) -> str | None:
    axes = len(w) - 2
    if axes < 1 or (x is not None and len(x) != len(w)):
        return _unfit("weight", w, x)
    wrong = given.misfit(axes)
    if wrong is not None:
        return wrong
    if min(given.pads or (0,)) < 0:
        return f"negative pads, {', '.join(map(str, given.pads or ()))}: they cut the input"
    if x is not None and _differ(x[1], None if w[1] is None else w[1] * given.group):
        groups = f" in {given.group} groups" if given.group > 1 else ""
        return _unfit("weight", w, x) + groups
    if w[0] is not None and w[0] % given.group:
        return f"its {w[0]} kernels do not divide into {given.group} groups"
    if given.kernel_shape is not None and any(map(_differ, given.kernel_shape, w[2:])):
        return f"its weight {times(w)} does not fit its kernel_shape {times(given.kernel_shape)}"
    return _pads_misfit(given, x, w)


def _pads_misfit(given: Attributes, x: _Shape, w: tuple[int | None, ...]) -> str | None:
    """Say whether pads are given in both ways, of which ONNX allows one, and differ."""
    if given.pads is None or given.auto_pad in ("NOTSET", ""):
        return None
    sizes, kernel = [[n for n in shape[2:] if n is not None] for shape in (x or (), w)]
    if given.auto_pad != "VALID" and (len(sizes), len(kernel)) != (len(w) - 2, len(w) - 2):
        return None
    meant = explicit_pads(given, sizes or [1] * (len(w) - 2), kernel)
    if meant == list(given.pads):
        return None
    stated, demanded = (", ".join(map(str, pads)) for pads in (given.pads, meant))
    return f"its pads {stated} contradict its auto_pad {given.auto_pad}, which demands {demanded}"


def _each_kernel_misfit(
    w: tuple[int | None, ...], given: Sequence[tuple[_Shape, str]]
) -> str | None:
    for shape, what in given:
        if shape is None or (what != "bias" and all(size == 1 for size in shape)):
            continue
        if len(shape) != 1 or _differ(shape[0], w[0]):
            return f"its {what} {times(shape)} does not fit its weight {times(w)}"
    return None


def _gemm(given: Attributes, shapes: _Shapes) -> str | None:
    a, b, c = shapes[0], shapes[1], shapes[2]
    if a is not None and len(a) != 2:
        return f"its factor {times(a)} is no matrix"
    if b is not None and len(b) != 2:
        return f"its factor {times(b)} is no matrix"
    if a is None or b is None:
        return None
    rows, inner = a[::-1] if given.transA else a
    left, columns = b[::-1] if given.transB else b
    if _differ(inner, left):
        turned = [name for name in ("transA", "transB") if getattr(given, name)]
        return _unfit("weight", b, a) + (f" ({', '.join(turned)})" if turned else "")
    if c is not None and not _broadcasts(c, (rows, columns)):
        return f"its C {times(c)} does not fit its product {times((rows, columns))}"
    return None


def _matmul(second: int) -> Callable[..., str | None]:
    def check(_: Attributes, shapes: _Shapes) -> str | None:
        a, b = shapes[0], shapes[second]
        if a is None or b is None:
            return None
        if not a or not b or _differ(a[-1], b[-2] if len(b) > 1 else b[0]):
            return f"its factors {times(a)} and {times(b)} do not fit"
        if not _broadcasts(a[:-2], b[:-2]) and not _broadcasts(b[:-2], a[:-2]):
            stacks = zip(a[-3::-1], b[-3::-1], strict=False)
            if any(_differ(m, n) and 1 not in (m, n) for m, n in stacks):
                return f"its factors {times(a)} and {times(b)} do not fit"
        return None

    return check


def _unfit(what: str, w: Sequence[int | None], x: Sequence[int | None] | None) -> str:
    there = "" if x is None else f" {times(x)}"
    return f"its {what} {times(w)} does not fit its input{there}"


def _differ(one: int | None, other: int | None) -> bool:
    """Whether two sizes are known and not the same."""
    return one is not None and other is not None and one != other


def _broadcasts(c: Sequence[int | None], to: Sequence[int | None]) -> bool:
    """Whether a tensor can be repeated to a shape, as far as both are known."""
    if len(c) > len(to):
        return False
    pairs = zip(reversed(c), reversed(to), strict=False)
    return not any(_differ(size, whole) and size != 1 for size, whole in pairs)


_CHECKS: dict[str, Callable[..., str | None]] = {
    "Conv": _convolution(1, [(2, "bias")]),
    "ConvInteger": _convolution(
        1, [(3, "weight's zero point")], single=[(2, "input's zero point")]
    ),
    "Gemm": _gemm,
    "MatMul": _matmul(1),
    "MatMulInteger": _matmul(1),
    "QLinearConv": _convolution(
        3,
        [(8, "bias"), (4, "weight's scale"), (5, "weight's zero point")],
        single=[
            (1, "input's scale"),
            (2, "input's zero point"),
            (6, "output's scale"),
            (7, "output's zero point"),
        ],
    ),
    "QLinearMatMul": _matmul(3),
}
