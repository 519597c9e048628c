"""Files of vouchers and policies in the working directory, and what an import changes at a vendor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from voucher_gateway import Money
from voucher_gateway.simulator import RunningSimulator

LOSING = 'losses = ["medium"]'
SKIPPING = """
losses = ["medium"]
[vouchers]
inactive = "skip"
empty = "skip"
"""


def code_of(id: str) -> str:
    return f"=JTL-{id.upper()}-0001"


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def count_changes(running: RunningSimulator) -> int:
    return sum(one.method != "GET" and one.path != "/oauth/token" for one in running.requests)


def read_lines(path: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def write_policy(text: str) -> str:
    Path("policy.toml").write_text(text)
    return "policy.toml"


def write_file(*codes: str, name: str = "in.csv", amount: str = "10.00") -> str:
    rows = [f"{code},EUR,{amount},active,digital" for code in codes]
    Path(name).write_text("\n".join(["code,currency,remaining,status,medium", *rows, ""]))
    return name
