"""``python -m offloadasp`` is ``offload-asp``."""

from offloadasp.cli import main

main()
