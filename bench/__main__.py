"""``python -m bench``, which ``scripts/bench`` calls."""

from bench.cli import COMMAND, app

app(prog_name=COMMAND)
