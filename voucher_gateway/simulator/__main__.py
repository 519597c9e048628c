"""`python -m voucher_gateway.simulator jtl --port 8101`: a simulator as a separate program."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from voucher_gateway.simulator.faults.table import FAULTS
from voucher_gateway.simulator.options import SimulatorOptions
from voucher_gateway.simulator.runner import available, serve


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        options = SimulatorOptions(
            host=parsed.host,
            port=parsed.port,
            vouchers=parsed.vouchers,
            seed=parsed.seed,
            latency_ms=parsed.latency_ms,
            strict=parsed.strict,
            state=parsed.state,
        )
        serve(parsed.name, options, parsed.fault, sys.stdout, parsed.option)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0


def _parser() -> argparse.ArgumentParser:
    faults = "\n".join(f"  {kind.name}: {kind.sentence}" for kind in FAULTS.values())
    parser = argparse.ArgumentParser(
        prog="python -m voucher_gateway.simulator",
        description="Speaks a vendor's wire API until interrupted; the first line it prints is JSON.",
        epilog=f"faults:\n{faults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=available(), help="the vendor")
    parser.add_argument("--host", default="127.0.0.1", help="the interface to listen on")
    parser.add_argument("--port", type=int, default=0, help="0, the default, picks a free one")
    parser.add_argument("--vouchers", type=int, default=0, help="how many there are at the start")
    parser.add_argument("--seed", type=int, help="of the random choices: same seed, same vouchers")
    parser.add_argument("--latency-ms", type=float, default=0, help="real milliseconds before each answer")
    parser.add_argument("--strict", action="store_true", help="refuse unknown request fields")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keeps the ledger between runs")
    fault = "NAME[:MATCH[:TIMES[:AFTER]]]"
    parser.add_argument("--fault", action="append", default=[], metavar=fault, help="may be repeated")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="one of the vendor's own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
