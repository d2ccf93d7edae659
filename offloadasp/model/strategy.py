"""Strategy files (JSON): a plan as boxes, with its instance, duration, bounds and certificate."""

import contextlib
import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from offloadasp.base.arrays import IntArray
from offloadasp.base.errors import InputError
from offloadasp.base.files import NotTextError, read_text, write_whole
from offloadasp.base.messages import explain
from offloadasp.model.instance import ResolvedInstance, exact_number
from offloadasp.model.objectives import EDITED, OBJECTIVES
from offloadasp.model.plan import TABLES, Plan, plan_from_rows
from offloadasp.model.problem import Problem, problem_of

_FORMAT = "offload-asp/strategy"
_WANTED = f"a strategy file, as 'offload-asp run' writes it with format '{_FORMAT}', is wanted"
_EXACT = re.compile(r"-?\d{1,999}/0*[1-9]\d{0,999}", re.ASCII)
_WORDS = "must be an integer or a fraction like '7/2'"


def _exact_amount(value: object) -> object:
    """Read an integer or a fraction ``"a/b"``, of any size."""
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str) and _EXACT.fullmatch(value):
        return Fraction(value)
    raise PydanticCustomError("amount", _WORDS)


def _exact_duration(value: object) -> object:
    """Read an amount of cycles."""
    with contextlib.suppress(PydanticCustomError):
        amount = _exact_amount(value)
        if isinstance(amount, Fraction) and amount >= 0:
            return amount
    raise PydanticCustomError("duration", f"{_WORDS}, at least 0")


def _exact_value(value: object, info: ValidationInfo) -> object:
    """Read a value of an objective. It is negative only under rules of the user's own."""
    own = str(info.data.get("name", "")).split(",")[0] == EDITED
    return _exact_amount(value) if own else _exact_duration(value)


Value = Annotated[Fraction, BeforeValidator(_exact_value), PlainSerializer(exact_number)]
Duration = Annotated[Fraction, BeforeValidator(_exact_duration), PlainSerializer(exact_number)]
Index = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
PixelBox = tuple[Index, Index, Index, Index, Index]  # q, r0, r1, c0, c1
OutputBox = tuple[Index, Index, Index, Index, Index]  # n, i0, i1, j0, j1
OperationBox = tuple[Index, Index, Index, Index, Index, Index]  # n, q, i0, i1, j0, j1
KernelIndex = tuple[Index, Index]  # n, q


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Free(_Table):
    """Input blocks that leave the chip at no cost."""

    pixels: tuple[PixelBox, ...] = ()
    kernels: tuple[KernelIndex, ...] = ()


class Write(_Table):
    """Output blocks that leave the chip for main memory."""

    outputs: tuple[OutputBox, ...] = ()
    partial_sums: tuple[OutputBox, ...] = ()


class Load(_Table):
    """Blocks that come from main memory."""

    pixels: tuple[PixelBox, ...] = ()
    kernels: tuple[KernelIndex, ...] = ()
    partial_sums: tuple[OutputBox, ...] = ()


class Step(_Table):
    """One step: free, write, load, compute, in this order."""

    free: Free = Free()
    write: Write = Write()
    load: Load = Load()
    compute: tuple[OperationBox, ...] = ()


class Ranked(_Table):
    """One objective that was minimised, its value, and its lower bound.

    The bound holds for strategies whose earlier objectives are at most their values here.
    """

    name: str
    value: Value
    lower_bound: Value


class Objective(Ranked):
    """What was minimised: of several objectives, with their names joined by commas, the first one.

    The others follow in ``then``, in their order.
    """

    then: tuple[Ranked, ...] | None = None

    @property
    def ranking(self) -> tuple[Ranked, ...]:
        """Every objective under its own name, the one that matters most first."""
        first, *_ = self.name.split(",")
        return (
            Ranked(name=first, value=self.value, lower_bound=self.lower_bound),
            *(self.then or ()),
        )

    @model_validator(mode="after")
    def _names_agree(self) -> "Objective":
        if self.name != ",".join(part.name for part in self.ranking):
            raise PydanticCustomError("then", "name and then must name the same objectives")
        return self


class Place(_Table):
    """A statement of the rules."""

    file: str
    line: Index


class RulesFile(_Table):
    """A file of rules, with the SHA-256 digest of its text."""

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Breach(_Table):
    """A rule that a plan breaks: its place, as file and line, and the steps, if it names any."""

    rule: str
    steps: tuple[Index, ...] = ()


class RulesRecord(_Table):
    """The rules that a strategy was found under, where they differ from the shipped ones.

    ``kind`` says what the edit keeps, ``statements`` which ones decided that. ``shipped_breaks``
    says which of the rules the plan breaks that was found without them; None if it breaks none.
    """

    kind: Literal["restriction", "repricing", "both", "redefinition"]
    statements: tuple[Place, ...] = ()
    files: tuple[RulesFile, ...] = ()
    shipped_breaks: tuple[Breach, ...] | None = None

    @property
    def described(self) -> dict[str, Any]:
        """The record as JSON, without what is not known."""
        return self.model_dump(mode="json", exclude_none=True)


class Strategy(_Table):
    """The content of a strategy file."""

    format: Literal["offload-asp/strategy"] = "offload-asp/strategy"
    version: Literal[1] = 1
    instance: ResolvedInstance
    duration: Duration
    lower_bound: Duration
    status: Literal["optimal", "feasible"]
    objective: Objective | None = None
    certificate: dict[str, Any] = Field(default_factory=dict)
    rules: RulesRecord | None = None
    steps: tuple[Step, ...]

    @property
    def ranking(self) -> tuple[Ranked, ...]:
        """What was minimised, the objective that matters most first."""
        if self.objective is not None:
            return self.objective.ranking
        return (Ranked(name="duration", value=self.duration, lower_bound=self.lower_bound),)

    @model_validator(mode="after")
    def _objectives_are_defined(self) -> "Strategy":
        for part in self.ranking:
            known = OBJECTIVES.get(part.name)
            if known is not None and not known.defined(self.instance):
                needs = f"{part.name} needs the table [{known.table}] of the instance"
                raise PydanticCustomError("objective", "objective {needs}", {"needs": needs})
        return self

    @property
    def problem(self) -> Problem:
        """The problem that the strategy claims to solve."""
        return problem_of(self.instance, self.instance.decomposition)


def boxes(rows: IntArray) -> list[list[int]]:
    """Cover cells exactly by disjoint boxes: runs along columns, joined over consecutive rows.

    Parameters
    ----------
    rows
        Distinct cells ``(key…, row, column)``, shape (cells, keys + 2).

    Returns
    -------
    list of list of int
        ``[key…, row0, row1, column0, column1]``, half-open, sorted.
    """
    if len(rows) == 0:
        return []
    rows = rows[np.lexsort(rows.T[::-1])]
    step = np.diff(rows, axis=0)
    starts = np.r_[True, (step[:, :-1] != 0).any(axis=1) | (step[:, -1] != 1)]
    first = np.flatnonzero(starts)
    last = np.r_[first[1:], len(rows)] - 1
    # runs: key…, column0, column1, row
    runs = np.column_stack([rows[first, :-2], rows[first, -1], rows[last, -1] + 1, rows[first, -2]])
    runs = runs[np.lexsort(runs.T[::-1])]
    step = np.diff(runs, axis=0)
    starts = np.r_[True, (step[:, :-1] != 0).any(axis=1) | (step[:, -1] != 1)]
    first = np.flatnonzero(starts)
    last = np.r_[first[1:], len(runs)] - 1
    joined = np.column_stack(
        [runs[first, :-3], runs[first, -1], runs[last, -1] + 1, runs[first, -3:-1]]
    )
    found: list[list[int]] = joined[np.lexsort(joined.T[::-1])].tolist()
    return found


def _by_step(table: IntArray, steps: int, *, boxed: bool) -> list[list[list[int]]]:
    found: list[list[list[int]]] = [[] for _ in range(steps + 1)]
    for row in boxes(table) if boxed else table[np.lexsort(table.T[::-1])].tolist():
        found[row[0]].append(row[1:])
    return found


def steps_of(plan: Plan) -> tuple[Step, ...]:
    """Write a plan's actions as boxes, one :class:`Step` a step."""
    count = plan.steps
    parts = {
        name: _by_step(getattr(plan, name), count, boxed=not name.endswith("kernels"))
        for name in TABLES
    }
    return tuple(
        Step.model_validate(
            {
                "free": {"pixels": parts["free_pixels"][t], "kernels": parts["free_kernels"][t]},
                "write": {
                    "outputs": parts["write_outputs"][t],
                    "partial_sums": parts["write_partial_sums"][t],
                },
                "load": {
                    "pixels": parts["load_pixels"][t],
                    "kernels": parts["load_kernels"][t],
                    "partial_sums": parts["load_partial_sums"][t],
                },
                "compute": parts["compute"][t],
            }
        )
        for t in range(1, count + 1)
    )


def plan_of(strategy: Strategy) -> Plan:
    """Return the actions of a strategy, block by block: the reverse of `steps_of`."""
    rows: dict[str, list[tuple[int, ...]]] = {name: [] for name in TABLES}
    for t, step in enumerate(strategy.steps, start=1):
        for name, found in rows.items():
            action, _, kind = name.partition("_")
            table = getattr(step, action)
            entries: tuple[tuple[int, ...], ...] = getattr(table, kind) if kind else table
            if kind == "kernels":
                found += [(t, *entry) for entry in entries]
                continue
            for *key, r0, r1, c0, c1 in entries:
                found += [(t, *key, r, c) for r in range(r0, r1) for c in range(c0, c1)]
    return plan_from_rows(strategy.problem, rows)


def dumps(strategy: Strategy) -> str:
    """Return the file's text: one line a step, keys in a fixed order."""
    head = strategy.model_dump(mode="json", exclude={"steps"}, exclude_none=True)
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    steps = [f"  {json.dumps(step.model_dump(mode='json'))}" for step in strategy.steps]
    return "\n".join(["{", *lines, ' "steps": [', ",\n".join(steps), " ]", "}", ""])


def save(strategy: Strategy, path: Path) -> None:
    """Write a strategy file whole or not at all.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    text = dumps(strategy).encode()
    write_whole(path, lambda file: file.write(text))


def load(path: Path) -> Strategy:
    """Read and validate a strategy file.

    Raises
    ------
    InputError
        The file cannot be read, is no JSON, or breaks the schema of strategy files.
    """
    try:
        text = read_text(path)
    except NotTextError as error:
        raise InputError(f"{error}; {_WANTED}") from None
    try:
        data = json.loads(text, parse_constant=_refuse, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise InputError(f"{path}: is not valid JSON: {reason}; {_WANTED}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be a JSON object; {_WANTED}")
    try:
        strategy = Strategy.model_validate(data)
        _ = strategy.problem
    except ValidationError as error:
        # Of a file that does not even say that it is a strategy, that matters more than a key.
        wanted = "" if data.get("format") == _FORMAT else f"; {_WANTED}"
        raise InputError(f"{path}: {explain(error, Strategy)}{wanted}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return strategy


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number of the format")
