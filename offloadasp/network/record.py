"""Records of planned layers beside their strategy files, so that an interrupted run goes on."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from offloadasp.base.errors import InputError
from offloadasp.base.files import read_text, write_text
from offloadasp.model.instance import Instance, Resolved
from offloadasp.model.strategy import Duration, load
from offloadasp.result import Result

_SUFFIX = ".layer.json"


class Planned(BaseModel):
    """A verified strategy of one layer, for one image.

    Attributes
    ----------
    strategy, sha256
        The name of the strategy file, beside this one, and the digest of its bytes.
    duration, lower_bound
        Cycles.
    loaded, written, peak_memory
        Bytes.
    compute_steps
        Steps with a compute action.
    method
        How it was found.
    seconds
        Of search and verification together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    format: Literal["offload-asp/layer"] = "offload-asp/layer"
    version: Literal[1] = 1
    name: str
    strategy: str
    sha256: str
    status: Literal["optimal", "feasible"]
    duration: Duration
    lower_bound: Duration
    loaded: int
    written: int
    peak_memory: int
    compute_steps: int
    decomposition: Resolved
    method: str
    seconds: float


def planned(result: Result) -> Planned:
    """Return the record of a run whose strategy file is written."""
    strategy, replay, path = result.strategy, result.replay, result.path
    assert path is not None
    return Planned(
        name=strategy.instance.name,
        strategy=path.name,
        sha256=_digest(path),
        status=strategy.status,
        duration=strategy.duration,
        lower_bound=strategy.lower_bound,
        loaded=replay.loads.total,
        written=replay.writes.total,
        peak_memory=replay.peak_memory,
        compute_steps=replay.compute_steps,
        decomposition=strategy.instance.decomposition,
        method=result.answer.method,
        seconds=round(result.seconds["total"], 3),
    )


def keep(found: Planned, out: Path) -> None:
    """Write a record; the layer then counts as finished.

    Raises
    ------
    InputError
        The folder cannot be written.
    """
    text = json.dumps(found.model_dump(mode="json"), indent=1) + "\n"
    write_text(_path(out, found.name), text)


def finished(instance: Instance, out: Path) -> Planned | None:
    """Return the record of a layer that is finished, None if there is none of this instance.

    The strategy file must be the one that was verified, bit for bit, and be for the same layer on
    the same accelerator, with the same element sizes and search options.
    """
    try:
        found = Planned.model_validate(_object(read_text(_path(out, instance.name))))
        path = out / found.strategy
        if found.name != instance.name or _digest(path) != found.sha256:
            return None
        theirs = load(path)
    except (InputError, OSError, ValidationError):
        return None  # not there, not whole, or not ours: planned anew
    same = (
        theirs.instance.described == instance.described
        and theirs.instance.search == instance.search
    )
    stated = (theirs.duration, theirs.lower_bound, theirs.status)
    return found if same and stated == (found.duration, found.lower_bound, found.status) else None


def _path(out: Path, name: str) -> Path:
    return out / f"{name}{_SUFFIX}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("is not valid JSON") from None
