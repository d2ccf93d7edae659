"""The commands on whole networks. What needs the optional package onnx is loaded when they run."""

import os
from pathlib import Path
from typing import Annotated

import typer

from offloadasp.base.errors import InputError
from offloadasp.base.extras import require
from offloadasp.cli.errors import InterruptedEarly, MemoryOption, require_between, require_folder
from offloadasp.limits.process_memory import require_memory
from offloadasp.model.catalogue import find_accelerator
from offloadasp.network.accelerators import load_machine
from offloadasp.search.effort import checked

_Model = Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX model.")]
_Accelerator = Annotated[
    str, typer.Option(help="A TOML file, or the name of a shipped accelerator.")
]
_Batch = Annotated[
    int | None, typer.Option(help="What a symbolic first dimension of an input is; default 1.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
_BATCH_LIMIT = 2**16
_JOBS_LIMIT = 256


def import_(
    model: _Model,
    accelerator: _Accelerator,
    out: Annotated[Path, typer.Option(help="Folder for the instance files.")],
    batch: _Batch = None,
    json: _Json = False,
) -> None:
    """Write an instance for every distinct convolution of an ONNX model."""
    machine = load_machine(find_accelerator(accelerator))
    require_between("--batch", batch, _BATCH_LIMIT)
    require_folder(out)
    require("onnx", "onnx", "reading ONNX models")
    from offloadasp.cli.network_runs import import_model

    import_model(model, machine, out, batch, json=json)


def network(
    model: _Model,
    accelerator: _Accelerator,
    time_limit: Annotated[float, typer.Option(help="Seconds of search for each layer.")] = 60,
    jobs: Annotated[
        int | None,
        typer.Option(help="Layers planned at the same time; default: one for each processor."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the strategy files; default: out/MODEL.")
    ] = None,
    batch: _Batch = None,
    seed: Annotated[int, typer.Option(help="Seed of the solver and of what is drawn.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(
            help="An ONNX test data set (input_*.pb, output_*.pb): run the whole network under "
            "the plans and compare with the recorded outputs."
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Run the whole network under the plans on random inputs and compare with ONNX's "
            "own evaluator.",
        ),
    ] = False,
    memory_limit: MemoryOption = None,
    json: _Json = False,
) -> None:
    """Plan every convolution of an ONNX model; a run that was interrupted goes on."""
    machine = load_machine(find_accelerator(accelerator))
    # Layers are planned side by side, each by one thread.
    search = checked({"time_limit": time_limit, "threads": 1, "seed": seed})
    require_between("--batch", batch, _BATCH_LIMIT)
    require_between("--jobs", jobs, _JOBS_LIMIT)
    require_memory(memory_limit)
    out = Path("out") / model.stem if out is None else out
    require_folder(out)
    if data is not None and verify:
        raise InputError("--verify: --data verifies too, on recorded tensors; give one of them")
    require("onnx", "onnx", "reading ONNX models")
    from offloadasp.cli.network_runs import plan_network

    try:
        code = plan_network(
            model,
            machine,
            out,
            batch,
            search,
            jobs or os.cpu_count() or 1,
            data,
            memory_limit=memory_limit,
            check=verify,
            json=json,
        )
    except KeyboardInterrupt:
        raise InterruptedEarly(
            f"interrupted; finished layers are kept in {out}, and the same command goes on"
        ) from None
    if code:
        raise typer.Exit(code)
