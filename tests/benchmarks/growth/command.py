"""Runs one command of the command line in a separate process, and measures what it costs.

``python -m tests.benchmarks.growth.command RESULT ARGUMENTS...`` is that process. It imports what commands import late
before it measures, so that a start does not hide how the rest grows.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import attrs

from tests.benchmarks.growth.server_time import ServerTime

_ROOT: Final = Path(__file__).parents[3]
_LINUX_STATUS: Final = Path("/proc/self/status")
_LOOK: Final = "look"


@attrs.frozen(kw_only=True)
class Cost:
    """What a command cost.

    Attributes:
        cpu_s: the processor time of its process and of the database's server, in seconds.
        wall_s: how long it took, in seconds.
        peak_mb: the most memory that its process had, in megabytes.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float


def measure_command(*arguments: str, server: ServerTime) -> Cost:
    """Run a command, and return what it cost.

    Args:
        *arguments: those of ``voucher-gateway``.
        server: the processor time of the database's server.

    Raises:
        RuntimeError: if it does not end with 0.
    """
    return _measure([*arguments], server)


def measure_look(config: Path, plan: Path, *, server: ServerTime) -> Cost:
    """Return what the look at the source costs with which a run begins, and which changes nothing.

    Args:
        config: the configuration.
        plan: the plan's file. A run has loaded it.
        server: the processor time of the database's server.

    Raises:
        RuntimeError: if a voucher has changed.
    """
    return _measure([_LOOK, str(config), str(plan)], server)


def _measure(arguments: list[str], server: ServerTime) -> Cost:
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-growth-") as folder:
        result, output = Path(folder, "result.json"), Path(folder, "output.txt")
        command = [sys.executable, "-m", "tests.benchmarks.growth.command", str(result), *arguments]
        begin = server.seconds()
        with output.open("wb") as file:
            ended = subprocess.run(command, cwd=_ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)
        server_s = server.seconds() - begin
        if ended.returncode:
            text = output.read_text("utf-8", "replace")[-3000:]
            raise RuntimeError(f"{' '.join(arguments)} ended with {ended.returncode}:\n{text}")
        cost = Cost(**json.loads(result.read_text()))
        return attrs.evolve(cost, cpu_s=cost.cpu_s + server_s)


def main() -> int:
    """Run the command of this process's arguments, write what it cost, and return its exit code."""
    import cryptography.hazmat.primitives.ciphers  # noqa: F401 - imported before the measurement

    import voucher_gateway_ticketing.provider  # noqa: F401
    from voucher_gateway.cli.app import run
    from voucher_gateway.journal import journal  # noqa: F401
    from voucher_gateway.migration.certificate import html, make  # noqa: F401
    from voucher_gateway.migration.run import runner  # noqa: F401

    result, arguments = Path(sys.argv[1]), sys.argv[2:]
    cpu, wall = time.process_time(), time.perf_counter()
    code = _look(*map(Path, arguments[1:])) if arguments[0] == _LOOK else run(arguments)
    cost = Cost(
        cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall, peak_mb=_peak_of_this_process() / 1e6
    )
    result.write_text(json.dumps(attrs.asdict(cost)))
    return code


def _look(config: Path, plan: Path) -> int:
    """Look for vouchers that have changed since the plan, and return how many there are."""
    from voucher_gateway import Gateway
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.run.changed_vouchers import exclude_changed_vouchers
    from voucher_gateway.migration.run.context import MigrationContext
    from voucher_gateway.migration.run.state import MigrationState

    with Gateway.from_config(config) as gateway, open_plan(plan) as opened:
        context = MigrationContext(gateway, opened.id, opened.header)
        return sum(1 for _ in exclude_changed_vouchers(context, MigrationState.of(gateway, opened.summary)))


def _peak_of_this_process() -> int:
    """Return the most memory that this process had, in bytes.

    `resource` counts what the process had before it became this program, too: that of its parent.
    """
    if _LINUX_STATUS.exists():
        lines = _LINUX_STATUS.read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
