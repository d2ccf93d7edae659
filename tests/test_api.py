"""The package from Python: typed results, no file unless asked for, Ctrl-C as in a notebook."""

import math
import pickle
import pkgutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate

import offloadasp
from offloadasp.base.errors import InfeasibleError, InputError
from offloadasp.model.instance import Accelerator, Instance, Layer
from offloadasp.result import UnwrittenError
from offloadasp.search.pool import Status

TINY = Instance(
    name="tiny",
    layer=Layer(input=(1, 4, 4), kernels=1, kernel_shape=(3, 3)),
    accelerator=Accelerator(
        memory=40,
        load_cycles=Fraction(1, 4),
        write_cycles=Fraction(1),
        compute_cycles=Fraction(4),
        macs_per_step=18,
    ),
)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_result_is_verified_exact_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = offloadasp.solve("tiny-3x3", budget=4)
    assert result.duration == result.plan.duration == result.replay.duration
    assert isinstance(result.duration, int)
    assert isinstance(result.lower_bound, int | Fraction)
    assert result.lower_bound <= result.duration
    assert result.gap == Fraction(result.duration - result.lower_bound) / result.duration
    assert result.counts == result.plan.counts
    assert result.replay.verified
    assert not result.interrupted
    assert result.path is None
    assert not list(tmp_path.iterdir())


def test_an_instance_made_in_python_is_solved_to_its_optimum() -> None:
    result = offloadasp.solve(TINY, budget=64)
    assert result.status == "optimal"
    # 16 pixels and 9 weights at a quarter of a cycle, 4 outputs, 2 compute actions of 4 cycles.
    assert result.duration == Fraction(25, 4) + 4 + 8


def test_the_same_file_is_written_as_by_the_command_and_read_again(tmp_path: Path) -> None:
    result = offloadasp.solve(TINY, budget=4, out=tmp_path)
    assert result.path == tmp_path / "tiny.strategy.json"
    assert result.path is not None
    assert offloadasp.check(result.path).accepted
    assert offloadasp.simulate(result.path).verified
    again = tmp_path / "again.json"
    result.save(again)
    assert again.read_bytes() == result.path.read_bytes()


def test_simulate_computes_the_convolution_of_the_given_tensors() -> None:
    result = offloadasp.solve(TINY, budget=4)
    rng = np.random.default_rng(5)
    x, w = rng.integers(-9, 9, (1, 4, 4)), rng.integers(-9, 9, (1, 1, 3, 3))
    replay = offloadasp.simulate(result, x, w)
    assert replay.verified
    np.testing.assert_array_equal(replay.output[0], correlate(x[0], w[0, 0], "valid"))


def test_progress_tells_of_incumbents_that_never_get_worse() -> None:
    told: list[Status] = []
    result = offloadasp.solve("tiny-3x3", budget=4, progress=told.append)
    incumbents = [status.incumbent for status in told if status.incumbent is not None]
    assert incumbents == sorted(incumbents, reverse=True)
    assert incumbents[-1] == result.duration
    assert all(status.bound <= result.duration for status in told)


def test_bound_needs_no_search_and_is_never_above_the_duration() -> None:
    found = offloadasp.bound(TINY)
    assert found.value <= offloadasp.solve(TINY, budget=4).duration
    assert offloadasp.bound(TINY, objective="traffic").value == 16 + 9 + 4


def test_objectives_in_an_order_are_claimed_in_that_order() -> None:
    result = offloadasp.solve(TINY, objective="traffic,duration", budget=4)
    assert [claim.objective for claim in result.claims] == ["traffic", "duration"]
    assert result.claims[0].value == result.counts.loaded + result.counts.written


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: offloadasp.load("nosuch"), "neither a file nor the name"),
        (lambda: offloadasp.solve(TINY, objective="speed"), "must be one of"),
        (lambda: offloadasp.solve(TINY, budget=0), "--budget"),
        (lambda: offloadasp.solve(TINY, threads=0), "--threads"),
        (lambda: offloadasp.bound(TINY, objective="peak_memory"), "must be one of"),
        (lambda: offloadasp.check("nosuch.json"), "cannot be read"),
        (lambda: offloadasp.load(None), "instance: must be a path, not a NoneType"),  # type: ignore[arg-type]
        (lambda: offloadasp.check(None), "strategy: must be a path, not a NoneType"),  # type: ignore[arg-type]
        (lambda: offloadasp.solve(TINY, out=3), "out: must be a path, not a int"),  # type: ignore[arg-type]
        (lambda: offloadasp.solve(TINY, out=""), "out: must be a path"),
        (lambda: offloadasp.solve(TINY, out="a\0b"), "out: must be a path"),
        (lambda: offloadasp.solve(TINY, objective=None), "must be a string"),  # type: ignore[arg-type]
        (lambda: offloadasp.solve(TINY, threads=1.5), "must be an integer"),  # type: ignore[arg-type]
        (lambda: offloadasp.solve(TINY, seed="1"), "must be an integer"),  # type: ignore[arg-type]
        (lambda: offloadasp.solve(TINY, time_limit="3"), "number of seconds"),  # type: ignore[arg-type]
        (lambda: offloadasp.solve(TINY, time_limit=math.nan), "greater than 0"),
        (lambda: offloadasp.solve(TINY, without=["bogus"]), "must be live-cut or"),
        (lambda: offloadasp.solve(TINY, encoding="no.lp"), "no.lp"),
    ],
)
def test_wrong_arguments_raise_one_line_that_names_them(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(InputError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("number", [np.int64(1), np.int32(1), 1])
def test_numbers_of_numpy_are_as_good_as_those_of_python(number: Any, tmp_path: Path) -> None:
    result = offloadasp.solve(TINY, budget=number, seed=number, threads=number, out=tmp_path)
    assert offloadasp.check(tmp_path / "tiny.strategy.json").accepted
    search = result.strategy.instance.search
    assert (type(search.seed), type(search.threads)) == (int, int)


@pytest.mark.parametrize("seconds", [np.float32(9.5), Fraction(19, 2), Decimal("9.5")])
def test_a_time_limit_may_be_any_number(seconds: Any) -> None:
    assert offloadasp.solve(TINY, time_limit=seconds).strategy.instance.search.time_limit == 9.5


def test_a_strategy_that_cannot_be_written_survives_the_way_between_processes() -> None:
    with pytest.raises(UnwrittenError) as error:
        offloadasp.solve(TINY, budget=1, out="/dev/null/x")
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    assert again.result.strategy == error.value.result.strategy


def test_what_is_infeasible_is_said_to_be() -> None:
    small = TINY.accelerator.model_copy(update={"memory": 5})
    with pytest.raises(InfeasibleError, match="at least"):
        offloadasp.solve(TINY.model_copy(update={"accelerator": small}), budget=1)


def test_a_notebook_shows_a_drawing_that_asks_no_network_for_anything() -> None:
    html = offloadasp.solve("tiny-3x3", budget=4)._repr_html_()
    root = ET.fromstring(html)
    svg = root.find("{http://www.w3.org/2000/svg}svg")
    assert svg is not None
    texts = "".join(root.itertext())
    for words in ("duration", "load", "write", "compute", "on chip", "of 26 bytes"):
        assert words in texts
    without_namespace = html.replace("xmlns='http://www.w3.org/2000/svg'", "")
    assert "http" not in without_namespace
    assert "script" not in without_namespace
    assert len(html) < 20_000


def test_a_drawing_of_a_free_accelerator_is_a_drawing_too() -> None:
    free = TINY.accelerator.model_copy(
        update={
            "load_cycles": Fraction(0),
            "write_cycles": Fraction(0),
            "compute_cycles": Fraction(0),
        }
    )
    result = offloadasp.solve(TINY.model_copy(update={"accelerator": free}), budget=1)
    assert result.duration == 0
    ET.fromstring(result._repr_html_())


def test_ctrl_c_returns_the_best_strategy_so_far() -> None:
    ran = run_python(
        "import os, signal, offloadasp\n"
        "def progress(status):\n"
        "    if status.incumbent is not None:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "result = offloadasp.solve('lenet5-conv2', time_limit=600, progress=progress)\n"
        "print(result.interrupted, result.replay.verified)\n"
    )
    assert ran.stdout == "True True\n", ran.stderr
    assert ran.returncode == 0


def test_ctrl_c_before_any_strategy_is_a_keyboard_interrupt() -> None:
    ran = run_python(
        "import os, signal, offloadasp\n"
        "from offloadasp.base.errors import NoStrategyError\n"
        "from offloadasp.search.lexicographic.lexicographic import Lexicographic\n"
        "def run(self):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    while not self.effort.clock.interrupted:\n"
        "        pass\n"
        "    raise NoStrategyError('none within the limits')\n"
        "Lexicographic.run = run\n"
        "try:\n"
        "    offloadasp.solve('lenet5-conv2', time_limit=600)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    assert ran.stdout == "interrupted\n", ran.stderr


def test_no_module_has_the_name_of_a_public_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(offloadasp.__path__)}
    assert not modules & set(offloadasp.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    ran = run_python(
        "import sys, offloadasp\n"
        "print([name for name in ('numpy', 'clingo', 'pydantic', 'rich') if name in sys.modules])"
    )
    assert ran.stdout == "[]\n", ran.stderr
