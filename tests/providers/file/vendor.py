"""A file as the vendor of a contract run. The truth is read from it by the standard library alone."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.testing.harness.vendor import ACCOUNT, select_settings
from voucher_gateway_file import FileProvider, FileSettings

_BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
_CURRENCIES = {"EUR": ("50.00", "10.53"), "USD": ("0.01", "0.01"), "JPY": ("5000", "500"), "KWD": ("20.000", "0.000")}


class FileVendor:
    """A file with varied vouchers. What arrives at it are openings, and records that are written.

    Faults are those of a disk, at the calls of the system: whichever process makes them, they are counted in one file.

    Args:
        form: ``jsonl`` or ``csv``.
        vouchers: how many are in it.
    """

    faults: Mapping[str, bool | None] = {"error-before": False, "full-disk": False, "commit-then-drop": True}

    def __init__(self, form: str, vouchers: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-file-"))
        self.path = self._folder / f"vouchers.{form}"
        self.path.write_bytes(_text(form, [_varied(number) for number in range(vouchers)]).encode())
        self.path.chmod(0o600)
        self._arrived, self._waiting = self._folder / "arrived", self._folder / "waiting"
        self._arrived.touch()
        self.clear_faults()
        self._made: list[FileProvider] = []
        self._failing = 0
        self._patch = pytest.MonkeyPatch()
        self._open, self._pwrite = os.open, os.pwrite
        self._patch.setattr("os.open", self._opening)
        self._patch.setattr("os.pwrite", self._writing)
        for name in ("fsync", "ftruncate"):
            self._patch.setattr(f"os.{name}", partial(self._settling, getattr(os, name)))

    def provider(self, **settings: Any) -> FileProvider:
        told = {"path": str(self.path), "reveal": True, **select_settings(FileProvider, settings)}
        self._made.append(FileProvider(ACCOUNT, FileSettings(**told)))
        return self._made[-1]

    def ledger(self) -> list[Mapping[str, Any]]:
        text = self.path.read_bytes().decode()
        if self.path.suffix == ".jsonl":
            return [_entry(json.loads(line)) for line in text.splitlines()]
        return [_entry(_object(row)) for row in csv.DictReader(io.StringIO(text, newline=""))]

    @property
    def request_lines(self) -> list[str]:
        return self._arrived.read_text().splitlines()

    def advance(self, seconds: float) -> None:
        """A file has no clock: nothing in it becomes otherwise with time."""

    def inject_fault(self, fault: str, at: int) -> None:
        with self._waiting.open("a") as waiting:
            waiting.write(f"{len(self.request_lines) + at} {fault}\n")

    def clear_faults(self) -> None:
        self._waiting.write_text("")

    def close(self) -> None:
        for provider in self._made:
            provider.close()
        self._patch.undo()
        shutil.rmtree(self._folder)

    def _arrive(self, what: str) -> str | None:
        """Take note of an arrival, and return the fault that waits for it."""
        with self._arrived.open("a+") as arrived:
            fcntl.flock(arrived, fcntl.LOCK_EX)
            arrived.seek(0)
            number = len(arrived.readlines())
            arrived.write(f"{what}\n")
        waiting = dict(line.split(" ") for line in self._waiting.read_text().splitlines())
        return waiting.get(str(number))

    def _opening(self, path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path) == str(self.path) and self._arrive("OPEN vouchers") in ("error-before", "commit-then-drop"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._open(path, flags, *more, **named)

    def _writing(self, file: int, body: bytes, at: int) -> int:
        fault = self._arrive("POST record") if self._is_ours(file) else None
        if fault == "error-before":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if fault == "full-disk":
            self._pwrite(file, body[: len(body) // 2], at)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._failing = 2 if fault == "commit-then-drop" else 0
        return self._pwrite(file, body, at)

    def _settling(self, real: Callable[..., None], file: int, *more: int) -> None:
        if self._failing and self._is_ours(file):
            self._failing -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(file, *more)

    def _is_ours(self, file: int) -> bool:
        return os.path.samestat(os.fstat(file), self.path.stat())


def _varied(number: int) -> dict[str, Any]:
    currency = list(_CURRENCIES)[number % 4]
    initial, remaining = _CURRENCIES[currency]
    return {
        "id": f"v-{number:04}",
        "code": f"GIFT-{number:04}-{currency}",
        "initial": {"amount": initial, "currency": currency},
        "remaining": {"amount": remaining if number % 3 else initial, "currency": currency},
        "status": "active" if number % 5 else "inactive",
        **({"valid_until": f"{_BEGIN + timedelta(days=400 + number):%Y-%m-%dT%H:%M:%SZ}"} if number % 2 else {}),
        **({"pin": f"{number:06}"} if number % 7 == 3 else {}),
        "sku": f"card {number % 3}",
        "created_at": f"{_BEGIN + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}",
    }


def _text(form: str, vouchers: list[dict[str, Any]]) -> str:
    if form == "jsonl":
        return "".join(json.dumps(voucher) + "\n" for voucher in vouchers)
    columns = "id,code,pin,currency,initial,remaining,status,medium,valid_until,validity,taxable,tax_rate,sku,batch"
    writer = csv.DictWriter(out := io.StringIO(), [*columns.split(","), "order", "metadata", "created_at"])
    writer.writeheader()
    for one in vouchers:
        money = {name: one[name]["amount"] for name in ("initial", "remaining")}
        writer.writerow({**one, **money, "currency": one["initial"]["currency"]})
    return out.getvalue()


def _object(row: dict[str, str]) -> dict[str, Any]:
    amounts = {name: {"amount": row[name], "currency": row["currency"]} for name in ("initial", "remaining")}
    return {**{name: cell or None for name, cell in row.items()}, **amounts}


def _entry(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": told["id"],
        "code": told.get("code"),
        "pin": told.get("pin"),
        "currency": told["remaining"]["currency"],
        "initial": told["initial"]["amount"],
        "remaining": told["remaining"]["amount"],
        "reserved": "0",
        "status": told.get("status"),
        "valid_until": told.get("valid_until"),
        "movements": [],
    }
