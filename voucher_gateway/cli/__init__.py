"""The command line, ``voucher-gateway``. It needs the extra ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with this process's arguments, and end the process."""
    try:
        import rich
        import typer
    except ModuleNotFoundError:
        sys.stderr.write("The command line needs Typer and Rich: pip install 'voucher-gateway[cli]'\n")
        sys.exit(2)
    del rich, typer
    from voucher_gateway.cli.app import run_process

    sys.exit(run_process())
