"""The rules and the instances are found from a wheel, an editable install and a checkout.

Builds the package a few times and installs it into virtual environments of its own, without
downloads.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.invoking import PATIENCE

pytest.importorskip("hatchling", reason="building offline needs hatchling: pip install -e .[test]")

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("encodings", "instances")
# Where the folders are, and that the rules in them ground.
PROGRAM = """
from offloadasp.base.resources import encodings_folder, instances_folder
from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import ground
from offloadasp.asp.rules import shipped_rules
from offloadasp.model.catalogue import find_accelerator
from offloadasp.model.instance import Resolved, load_instance
from offloadasp.model.problem import problem_of
from offloadasp.network.accelerators import load_machine
print(encodings_folder())
print(instances_folder())
instance = load_instance(instances_folder() / "tiny-3x3.toml")
groups = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1),))
ground(shipped_rules(), ["definition.lp"], facts(problem_of(instance, groups), 2))
print(instance.name)
print(load_machine(find_accelerator("gap8")).name)
"""


def command(*arguments: str | Path, cwd: Path, path: str = "") -> str:
    """Run a command away from the checkout, or fail with what it said."""
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    result = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        env=environment | ({"PYTHONPATH": path} if path else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Environment:
    """A virtual environment that sees the dependencies installed here, but no offload-asp."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=False)
        self.python = folder / "venv" / "bin" / "python"
        paths = sysconfig.get_paths("venv", vars={"base": str(folder / "venv")})
        self.packages = Path(paths["purelib"])
        # A path listed here is searched last, and its own .pth files, such as that of an editable
        # install, are not read.
        (self.packages / "dependencies.pth").write_text(
            "\n".join(sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
        )

    def install(self, *what: str | Path) -> None:
        options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        command(*pip, "--python", self.python, "install", *options, *what, cwd=self.folder)

    def found(self, path: str = "") -> dict[str, Path]:
        """The folders that an installed package finds, run from a folder without a checkout."""
        lines = command(self.python, "-c", PROGRAM, cwd=self.folder, path=path).splitlines()
        assert lines[2:] == ["tiny-3x3", "gap8"]
        return dict(zip(SHIPPED, map(Path, lines[:2]), strict=True))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command(*pip, "wheel", *options, ROOT, cwd=folder)
    environment = Environment(folder)
    environment.install(*folder.glob("*.whl"))
    return environment


def test_a_wheel_carries_the_rules_and_the_instances(installed: Environment) -> None:
    for name, folder in installed.found().items():
        assert folder.is_relative_to(installed.packages)
        assert contents(folder) == contents(ROOT / name)


def test_a_wheel_carries_the_page_of_the_report(installed: Environment) -> None:
    inside = Path("offloadasp", "report", "page", "assets")
    assert {"page.html", "page.css", "player.js"} <= set(contents(ROOT / inside))
    assert contents(installed.packages / inside) == contents(ROOT / inside)


def test_a_wheel_carries_no_tests_and_leaves_no_name_of_the_standard_library(
    installed: Environment,
) -> None:
    here = {path.name for path in installed.packages.iterdir()} - {"dependencies.pth"}
    assert {name for name in here if not name.endswith(".dist-info")} == {"offloadasp"}
    assert not (installed.packages / "offloadasp" / "encodings" / "__init__.py").exists()


def test_a_wheel_installs_the_command(installed: Environment) -> None:
    offload = installed.python.with_name("offload-asp")
    copied = installed.folder / "rules"
    command(offload, "encodings", copied, cwd=installed.folder)
    assert contents(copied) == contents(ROOT / "encodings" / "model")


def test_an_editable_install_finds_the_folders_of_the_checkout(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.install("--editable", ROOT)
    assert environment.found() == {name: ROOT / name for name in SHIPPED}


def test_a_checkout_finds_its_own_folders_without_being_installed(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    assert environment.found(path=str(ROOT)) == {name: ROOT / name for name in SHIPPED}


# --- An edit of the installed rules ---

# Two patches that share nothing. As shipped, a step loads a patch of four pixels.
LAYER = """
name = "apart"
[layer]
input = [1, 2, 4]
kernels = 1
kernel_shape = [2, 2]
strides = [2, 2]
[accelerator]
memory = 9
load_cycles = 1
write_cycles = 1
compute_cycles = 5
macs_per_step = 4
[decomposition]
tile = [1, 1]
kernel_groups = 1
channel_groups = 1
"""
AT_MOST_THREE = ":- step(T), #count { R, C : load(pixel(R, C, 0), T) } > 3.\n"


def checkout(folder: Path) -> Path:
    """A copy of what an install needs of the checkout."""
    for name in ("offloadasp", *SHIPPED):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def most_pixels(python: Path, folder: Path, *more: str | Path, path: str = "") -> int:
    """The most pixels that a step loads in a run, whose rules must count as edited."""
    instance = folder / "apart.toml"
    instance.write_text(LAYER)
    effort = ["--budget", "5000", "--threads", "1"]
    run: list[str | Path] = [
        python,
        "-m",
        "offloadasp",
        "run",
        instance,
        *effort,
        "--out",
        folder / "out",
        "--json",
    ]
    found = json.loads(command(*run, *more, cwd=folder, path=path))
    assert found["edited"] is True
    steps = json.loads((folder / "out" / "apart.strategy.json").read_text())["steps"]
    return max(sum(h * w for h, w in map(sides, step["load"]["pixels"])) for step in steps)


def sides(box: list[int]) -> tuple[int, int]:
    """Height and width of a box: channel group, then rows and columns, half open."""
    _, top, bottom, left, right = box
    return bottom - top, right - left


@pytest.mark.parametrize("kind", ["wheel", "editable", "checkout", "copy", "added"])
def test_an_edit_of_the_rules_is_seen_and_obeyed(
    installed: Environment, tmp_path: Path, kind: str
) -> None:
    source = checkout(tmp_path / "source")
    edited, path, environment = source / "encodings" / "model" / "step.lp", "", installed
    more: list[str | Path] = []
    if kind == "wheel":
        package = tmp_path / "wheel" / "offloadasp"
        shutil.copytree(installed.packages / "offloadasp", package)
        edited, path = package / "encodings" / "model" / "step.lp", str(package.parent)
    elif kind == "editable":
        environment = Environment(tmp_path)
        environment.install("--editable", source)
    elif kind == "checkout":
        path = str(source)
    elif kind == "copy":
        more = ["--encodings", source / "encodings" / "model"]
    else:
        edited = tmp_path / "added.lp"
        more = ["--encoding", edited]
    with edited.open("a") as file:
        file.write(AT_MOST_THREE)
    assert most_pixels(environment.python, tmp_path, *more, path=path) <= 3
