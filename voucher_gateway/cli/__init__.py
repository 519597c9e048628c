"""The command line, ``voucher-gateway``. It needs the extra ``cli``."""

from __future__ import annotations

import gc
import sys
from typing import Final

_OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000


def main() -> None:
    """Run the command line with this process's arguments, and end the process."""
    # Nearly all objects of a short command come from imports and live until its end. Python would search them for
    # garbage after every few hundred new ones, which takes a tenth of the CPU.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        import rich
        import typer
    except ModuleNotFoundError:
        sys.stderr.write("The command line needs Typer and Rich: pip install 'voucher-gateway[cli]'\n")
        sys.exit(2)
    del rich, typer
    from voucher_gateway.cli.app import run_process

    code = run_process()
    # Python would also search them before it ends, which takes a fifth of the CPU. Nothing depends on that: a command
    # closes what it opens.
    gc.freeze()
    sys.exit(code)
