"""What our code takes of the CPU, compared with the same at commit 43a3ce0 and with bare requests.

* A redemption beside a vendor without latency, with its journal in SQLite: two requests and three commits.
* A voucher that is moved by a migration, from JTL to the ticketing vendor: six requests.

Each way runs in a separate process (`cpu_worker`). Vendors answer from another process. What is compared is the CPU
time of the client's process: the median of the ratios of rounds that take turns. The earlier code comes from history by
``git archive``, and runs with the same Python and the same libraries; without the history these lines are left out.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_cpu``. With the path of a folder of another
commit's code as an argument, it is compared with that instead.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.benchmarks.ratio import Ratio, print_table

COMMIT: Final = "43a3ce0"
TO_COMMIT: Final = 0.5
TO_BARE: Final = 2.0
ROUNDS: Final = 9
REDEMPTIONS: Final = 60
VOUCHERS: Final = 150

_ROOT: Final = Path(__file__).parents[2]
_WORKER: Final = Path(__file__).with_name("cpu_worker.py")


class Worker:
    """A process that measures the code of one folder.

    Args:
        folder: the repository's, at the commit to measure.
        arguments: of `cpu_worker`.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        path = os.pathsep.join(map(str, (folder, folder / "providers")))
        environment = {**os.environ, "PYTHONPATH": path}
        command = [sys.executable, "-P", str(_WORKER), *arguments]
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def microseconds(self, calls: int) -> float:
        """Return the CPU time of one call, in microseconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline()) / calls * 1e6


def ratios(earlier: Path | None = None) -> Iterator[Ratio]:
    """Measure."""
    with ExitStack() as stack:
        earlier = earlier or stack.enter_context(earlier_code())
        yield from _redemption(earlier)
        if earlier is not None:
            yield from _migration(earlier)


@contextmanager
def earlier_code() -> Iterator[Path | None]:
    """Give a folder with the code of the earlier commit; None where the history does not have it."""
    command = ["git", "-C", str(_ROOT), "archive", "--format=tar", COMMIT]
    try:
        archive = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        print(f"   left out: the code of {COMMIT}, as the history is not here (a clone of some depth?)", flush=True)  # noqa: T201 - the table is for people
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-bench-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def _redemption(earlier: Path | None) -> Iterator[Ratio]:
    with ExitStack() as stack:
        announcement = stack.enter_context(_simulated_vendor())
        ways = {"ours": Worker(_ROOT, "redeem", announcement), "bare": Worker(_ROOT, "requests", announcement)}
        if earlier is not None:
            ways["earlier"] = Worker(earlier, "redeem", announcement)
        took = _measure(ways, REDEMPTIONS)
    ours = f"CPU of a journalled redemption ({took['ours'].median:.0f} us)"
    if earlier is not None:
        name = f"{ours} to that of {COMMIT} ({took['earlier'].median:.0f} us)"
        yield Ratio(name, took["ours"] / took["earlier"], TO_COMMIT)
    name = f"{ours} to its two bare requests ({took['bare'].median:.0f} us)"
    yield Ratio(name, took["ours"] / took["bare"], TO_BARE)


def _migration(earlier: Path) -> Iterator[Ratio]:
    took = _measure({"ours": Worker(_ROOT, "migrate"), "earlier": Worker(earlier, "migrate")}, VOUCHERS)
    name = (
        f"CPU of a moved voucher ({took['ours'].median:.0f} us) to that of {COMMIT} ({took['earlier'].median:.0f} us)"
    )
    yield Ratio(name, took["ours"] / took["earlier"], TO_COMMIT)


@attrs.frozen
class Times:
    """The CPU time of one call in each round, in microseconds."""

    rounds: list[float] = attrs.field(factory=list)

    @property
    def median(self) -> float:
        """The median of all rounds."""
        return statistics.median(self.rounds)

    def __truediv__(self, other: Times) -> float:
        """The median of the ratios of the rounds: other work on the machine meets both sides of a round."""
        return statistics.median(ours / theirs for ours, theirs in zip(self.rounds, other.rounds, strict=True))


def _measure(ways: Mapping[str, Worker], calls: int) -> dict[str, Times]:
    """Return the CPU time of one call of each way, in rounds that take turns."""
    times = {name: Times() for name in ways}
    with ExitStack() as stack:
        for worker in ways.values():
            stack.enter_context(worker)
        for round_ in range(ROUNDS + 1):
            for name, worker in ways.items():
                took = worker.microseconds(calls)
                if round_:  # the first one imports and compiles
                    times[name].rounds.append(took)
    return times


@contextmanager
def _simulated_vendor() -> Iterator[str]:
    """Run the vendor without latency in another process; give the line of JSON that it announces."""
    command = [sys.executable, "-m", "voucher_gateway.simulator", "jtl"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert "base_url" in json.loads(line)
            yield line
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(print_table(ratios(*map(Path, sys.argv[1:]))))
