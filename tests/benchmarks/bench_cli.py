"""What it costs to start the command line, as CPU (user and system) of child processes.

* ``--help`` and ``--version``, compared with ``import typer, rich.console``.
* Other commands, compared with the import of the libraries that each of them imports, and of nothing of ours.

What is compared are medians of rounds that take turns. Run by ``make bench``, or alone by
``python -m tests.benchmarks.bench_cli``.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.bytecode import environment_with_bytecode
from tests.benchmarks.ratio import Ratio, print_table

ROUNDS: Final = 15
HELP_TO_LIBRARIES: Final = 1.6
COMMAND_TO_LIBRARIES: Final = 1.3

LIBRARIES: Final = "import typer, rich.console"
RUN: Final = """
import sys
from voucher_gateway.cli import main
sys.argv = ["voucher-gateway", *{arguments!r}]
main()
"""
LIST_MODULES: Final = """
import json, sys
from voucher_gateway.cli import main
sys.argv = ["voucher-gateway", *{arguments!r}]
try:
    main()
except SystemExit:
    sys.stderr.write("\\n" + json.dumps(list(sys.modules)))
"""
IMPORT: Final = """
import importlib
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""
CONFIG: Final = """
journal = "sqlite:///journal.db"

[accounts.shop]
provider = "jtl"
base_url = "https://vendor.test/v1"
client_id = "a-client"
client_secret = "a-secret-of-the-benchmark"

[accounts.shelf]
provider = "file"
path = "vouchers.csv"
"""
VOUCHERS: Final = "id,code,remaining,currency\n1,ABCD-0001,10.00,EUR\n"
COMMANDS: Final[Sequence[Sequence[str]]] = (
    ("show", "--help"),
    ("accounts",),
    ("list", "shelf"),
    ("operations", "list"),
)


def ratios() -> Iterator[Ratio]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-bench-") as folder:
        (Path(folder) / "voucher-gateway.toml").write_text(CONFIG)
        (Path(folder) / "vouchers.csv").write_text(VOUCHERS)
        for option in ("--help", "--version"):
            yield _compare(folder, (option,), LIBRARIES, "import typer, rich.console", HELP_TO_LIBRARIES)
        for arguments in COMMANDS:
            names = _libraries(folder, arguments)
            yield _compare(folder, arguments, IMPORT.format(names=names), "import its libraries", COMMAND_TO_LIBRARIES)


def _compare(folder: str, arguments: Sequence[str], libraries: str, against: str, target: float) -> Ratio:
    codes = {"ours": RUN.format(arguments=list(arguments)), "libraries": libraries}
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for number in range(ROUNDS + 1):
        for name, code in codes.items():
            taken = _cpu_seconds(folder, code)
            if number:  # the first round compiles
                seconds[name].append(taken)
    ours, theirs = statistics.median(seconds["ours"]), statistics.median(seconds["libraries"])
    words = " ".join(arguments)
    return Ratio(
        f"voucher-gateway {words} ({ours * 1000:.0f} ms) to {against} ({theirs * 1000:.0f} ms)", ours / theirs, target
    )


def _libraries(folder: str, arguments: Sequence[str]) -> list[str]:
    """Return the modules that a command imports and that are not ours, in the order of their import."""
    code = LIST_MODULES.format(arguments=list(arguments))
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    modules = json.loads(ran.stderr.splitlines()[-1])
    return [name for name in modules if not name.startswith(("voucher_gateway", "__"))]


def _cpu_seconds(folder: str, code: str) -> float:
    """Return the CPU time, of user and system, that a child process took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment_with_bytecode(folder),
        capture_output=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
