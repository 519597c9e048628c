"""What it costs to import the package, and to get ready for a first call, compared with ``import requests``.

Each import runs in a fresh interpreter, which tells the CPU time that it took without its own start; the medians of
rounds that take turns are compared. Ready means: imported, a configuration read from a dict, and the provider made; the
first request could go out.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_import``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Final

from tests.benchmarks.bytecode import environment_with_bytecode
from tests.benchmarks.ratio import Ratio, print_table

ROUNDS: Final = 25
DOOR_TO_REQUESTS: Final = 1.0
READY_TO_REQUESTS: Final = 3.0

WAYS: Final = {
    "requests": "import requests",
    "door": "import voucher_gateway",
    "ready": """
from voucher_gateway import Gateway

account = {"provider": "jtl", "base_url": "https://vendor.test/v1", "client_id": "a-client", "client_secret": "s"}
provider = Gateway.from_config({"accounts": {"shop": account}}).provider("shop")
assert provider.get
""",
}

TIMED: Final = """
import time
start = time.process_time()
exec({code!r}, {{}})
print(time.process_time() - start)
"""


def ratios() -> Iterator[Ratio]:
    """Measure."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-bench-") as folder:
        environment = environment_with_bytecode(folder)
        for round_ in range(ROUNDS + 1):
            for name, code in WAYS.items():
                took = _milliseconds(code, environment)
                if round_:  # the first one compiles
                    times[name].append(took)
    median = {name: statistics.median(taken) for name, taken in times.items()}
    against = f"to import requests ({median['requests']:.0f} ms)"
    yield Ratio(
        f"import voucher_gateway ({median['door']:.1f} ms) {against}",
        median["door"] / median["requests"],
        DOOR_TO_REQUESTS,
    )
    yield Ratio(
        f"ready for a first call ({median['ready']:.0f} ms) {against}",
        median["ready"] / median["requests"],
        READY_TO_REQUESTS,
    )


def _milliseconds(code: str, environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", TIMED.format(code=code)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return float(done.stdout) * 1000


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
