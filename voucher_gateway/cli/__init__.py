"""The command line, ``voucher-gateway``. It needs the extra ``cli``."""

from __future__ import annotations

import gc
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

    code = run_process()
    # Python searches all that was imported for garbage before it ends, which takes a fifth of a short command's CPU.
    # Nothing depends on that: a command closes what it opens.
    gc.freeze()
    sys.exit(code)
