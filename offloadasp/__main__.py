"""``python -m offloadasp`` is ``offload-asp``."""

from offloadasp.cli.main import main

main()
