"""docs/cli.md says what the commands say."""

from pathlib import Path

from typer.main import get_group

from offloadasp.cli.app import app
from offloadasp.cli.reference import reference
from tests.support.invoking import offload_asp

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m offloadasp.cli.reference > docs/cli.md"
    )


def test_the_page_names_every_command_and_every_option_of_its_help() -> None:
    _, *sections = reference().split("\n## ")
    for name, section in zip(get_group(app).commands, sections, strict=False):
        assert section.splitlines()[0] == name
        lines = offload_asp(name, "--help").out.splitlines()
        options = {line.split()[0] for line in lines if line.startswith("  --")} - {"--help"}
        listed = (line for line in section.splitlines() if line.startswith("| `--"))
        assert options == {line.split()[1].strip("`") for line in listed}
