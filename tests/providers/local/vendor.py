"""A database of one's own vouchers as the vendor of a contract run. The truth is read from it by plain SQL."""

from __future__ import annotations

import base64
import fcntl
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voucher_gateway.provider_api import DatabaseUnavailable, Intent, Money, NewVoucher, exponent, format_micros
from voucher_gateway.storage.engine import Database
from voucher_gateway.testing.harness.vendor import ACCOUNT, PAGE_SIZE, select_settings
from voucher_gateway_local import LocalProvider, LocalSettings, provider, resolution, transactions
from voucher_gateway_local.tables import VOUCHERS

KEY: Final = "a-key-for-the-contract-of-own-vouchers"
_CURRENCIES: Final = {
    "EUR": ("50.00", "10.53"),
    "USD": ("0.01", "0.01"),
    "JPY": ("5000", "500"),
    "KWD": ("20.000", "1"),
}
_Row = dict[str, Any]


class LocalVendor:
    """A database with varied vouchers. What arrives at it are openings, reads, looks and changes.

    Faults are those of the database, at the borders of its transactions. Clock, arrivals and waiting faults are in
    files, so that forked processes share them.

    Args:
        vouchers: how many are in it.
        url: an empty database; an SQLite file unless given.
    """

    faults: Mapping[str, bool | None] = {"error-before": False, "error-at-commit": False, "commit-then-drop": True}

    def __init__(self, vouchers: int, url: str | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="voucher-gateway-local-"))
        self._url = f"sqlite:///{self._folder / 'own.db'}" if url is None else url
        self._by_hand = sa.create_engine(self._url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
        self._ahead, self._arrived, self._waiting = (self._folder / name for name in ("ahead", "arrived", "waiting"))
        self._ahead.write_text("-5000000")
        self._arrived.touch()
        self.clear_faults()
        self._made: list[LocalProvider] = []
        self._patch = pytest.MonkeyPatch()
        if url is None and vouchers in _stocked_files:
            (self._folder / "own.db").write_bytes(_stocked_files[vouchers])
        with closing(Database(self._url, VOUCHERS)) as database:
            self._shown = database.safe_url
        if url is not None or vouchers not in _stocked_files:
            self._stock(vouchers)
        if url is None:
            _stocked_files.setdefault(vouchers, (self._folder / "own.db").read_bytes())
        self._ahead.write_text("0")
        self._watch()

    # --- the vendor ---

    def provider(self, **settings: Any) -> LocalProvider:
        told = {"url": self._url, "key": KEY, "page_size": PAGE_SIZE}
        given = LocalSettings(**{**told, **select_settings(LocalProvider, settings)})
        self._made.append(LocalProvider(ACCOUNT, given, clock=self.now))
        return self._made[-1]

    def now(self) -> datetime:
        """Return the time of the vendor."""
        return datetime.now(UTC) + timedelta(seconds=float(self._ahead.read_text()))

    def ledger(self) -> list[Mapping[str, Any]]:
        with self._by_hand.connect() as connection:
            (wrapped,) = _rows(connection, "SELECT wrapped FROM local_keys ORDER BY number")
            cipher = AESGCM(_opened(_wrapping(), wrapped["wrapped"], b"")[32:])
            rows = _rows(connection, "SELECT * FROM local_vouchers WHERE deleted_at IS NULL ORDER BY number")
            entries: dict[int, list[_Row]] = {row["number"]: [] for row in rows}
            for entry in _rows(connection, "SELECT * FROM local_entries ORDER BY voucher, seq"):
                entries.setdefault(entry["voucher"], []).append(entry)
            held = _rows(
                connection,
                "SELECT voucher, sum(amount) AS amount FROM local_holds WHERE ends_at > :now GROUP BY voucher",
                now=format_micros(self.now()),
            )
        amounts_held = {row["voucher"]: int(row["amount"]) for row in held}
        return [
            describe_voucher(row, entries[row["number"]], amounts_held.get(row["number"], 0), cipher) for row in rows
        ]

    @property
    def request_lines(self) -> list[str]:
        return self._arrived.read_text().splitlines()

    def advance(self, seconds: float) -> None:
        self._ahead.write_text(str(float(self._ahead.read_text()) + seconds))

    def inject_fault(self, fault: str, at: int) -> None:
        with self._waiting.open("a") as waiting:
            waiting.write(f"{len(self.request_lines) + at} {fault}\n")

    def clear_faults(self) -> None:
        self._waiting.write_text("")

    def secrets(self) -> set[str]:
        """Return what must show nowhere."""
        return {KEY}

    def close(self) -> None:
        for one in self._made:
            one.close()
        self._patch.undo()
        shutil.rmtree(self._folder)

    # --- what arrives ---

    def _watch(self) -> None:
        self._patch.setattr(
            provider, "open_book", self._labelled("GET the keys", vars(provider)["open_book"], once=True)
        )
        self._patch.setattr(transactions, "commit_once", self._changing(vars(transactions)["commit_once"]))
        self._patch.setattr(
            resolution, "find_committed", self._labelled("GET a reference", vars(resolution)["find_committed"])
        )
        for name in ("read", "write"):
            self._patch.setattr(Database, name, self._struck(getattr(Database, name)))

    def _labelled(self, label: str, real: Callable[..., Any], *, once: bool = False) -> Callable[..., Any]:
        """Wrap a function within which every transaction is called so; `once` makes all of them one arrival."""

        def call(*arguments: Any) -> Any:
            raise_as_struck = self._arrive(label) if once else None
            if raise_as_struck is not None:
                raise _lost(raise_as_struck)
            before, _here.label = getattr(_here, "label", None), "" if once else label
            try:
                return real(*arguments)
            finally:
                _here.label = before

        return call

    def _changing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what carries a change out: it arrives when it begins to act; until then nothing was asked for."""

        def commit_once(database: Database, intent: Intent, act: Callable[[sa.Connection], object]) -> Any:
            def acted(connection: sa.Connection) -> object:
                _here.fault = self._arrive("POST a change")
                if _here.fault == "error-before":
                    raise _lost(_here.fault)
                return act(connection)

            before, _here.label, _here.fault = getattr(_here, "label", None), _CHANGE, None
            try:
                return real(database, intent, acted)
            finally:
                _here.label = before

        return commit_once

    def _struck(self, real: Callable[..., AbstractContextManager[Any]]) -> Callable[..., AbstractContextManager[Any]]:
        @contextmanager
        def transaction(database: Database, **options: Any) -> Iterator[Any]:
            label = getattr(_here, "label", None)
            if label == "" or database.safe_url != self._shown:
                with real(database, **options) as connection:
                    yield connection
                return
            if label != _CHANGE:
                _here.fault = self._arrive(label or "GET vouchers")
                if _here.fault == "error-before":
                    raise _lost(_here.fault)
            with real(database, **options) as connection:
                yield connection
                if _here.fault == "error-at-commit":
                    raise _lost(_here.fault)
            if _here.fault == "commit-then-drop":
                raise _lost(_here.fault)

        return transaction

    def _arrive(self, what: str) -> str | None:
        """Take note of an arrival, and return the fault that waits for it."""
        with self._arrived.open("a+") as arrived:
            fcntl.flock(arrived, fcntl.LOCK_EX)
            arrived.seek(0)
            number = len(arrived.readlines())
            arrived.write(f"{what}\n")
        waiting = dict(line.split(" ") for line in self._waiting.read_text().splitlines())
        return waiting.get(str(number))

    # --- the truth ---

    def _stock(self, count: int) -> None:
        """Let varied vouchers be there from before."""
        own = self.provider()
        for number in range(count):
            currency = list(_CURRENCIES)[number % 4]
            initial, spent = (Money(amount, currency) for amount in _CURRENCIES[currency])
            until = (
                None,
                self.now() + timedelta(days=400 + number),
                self.now() + timedelta(days=1, microseconds=number),
            )
            new = NewVoucher(
                initial=initial,
                id=f"own {number:03}/ü",
                code=f"Gift-{number:04}%2F {currency};é",
                pin=f"7{number:06}" if number % 7 == 3 else None,
                active=number % 5 != 4,
                valid_until=until[number % 3],
                sku=f"card {number % 3}",
                batch="spring" if number % 2 else None,
            )
            voucher = own.issue(new, reference=f"stock-{number}", order=f"{1000 + number}")
            if number % 4 == 1 or number % 5 == 4 or number % 3 == 1:
                own.top_up(voucher.id, spent, reference=f"stock-top-up-{number}")
            if new.active and number % 3 == 0:
                redemption = own.redeem(new.code or "", spent, new.pin, reference=f"stock-redeem-{number}")
                if number % 6 == 0:
                    own.refund(redemption, reference=f"stock-refund-{number}")
        own.close()


_CHANGE: Final = "a change"
_here: Final = threading.local()
_stocked_files: Final[dict[int, bytes]] = {}
"""The SQLite file of a new vendor, by the number of its vouchers. A later vendor begins with a copy."""


def _rows(connection: sa.Connection, question: str, **values: object) -> list[_Row]:
    return [dict(row) for row in connection.execute(sa.text(question), values).mappings()]


def _lost(fault: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"the database was struck: {fault}")


# Written out again, and not taken from the provider: what that seals must open as its documents say.


def _wrapping() -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"voucher-gateway local: wrapping, 1")
    return AESGCM(derived.derive(KEY.encode()))


def _opened(cipher: AESGCM, sealed: str, about: bytes) -> bytes:
    raw = base64.b64decode(sealed)
    return cipher.decrypt(raw[:12], raw[12:], about)


def describe_voucher(row: _Row, entries: list[_Row], held: int, cipher: AESGCM) -> dict[str, Any]:
    """Return a voucher as the ledger shows it."""
    code, pin = json.loads(_opened(cipher, row["sealed"], row["id"].encode()))

    def text(minor: int) -> str:
        return f"{Decimal(minor).scaleb(-exponent(row['currency'])):f}"

    return {
        "id": row["id"],
        "code": code,
        "pin": pin,
        "currency": row["currency"],
        "initial": text(entries[0]["amount"]),
        "remaining": text(sum(entry["amount"] for entry in entries)),
        "reserved": text(held),
        "status": row["status"],
        "valid_until": row["valid_until"],
        "movements": [
            {
                "id": f"{entry['voucher']}-{entry['seq']}",
                "kind": entry["kind"],
                "amount": text(abs(entry["amount"])),
                "reference": entry["reference"],
                "at": entry["at"],
            }
            for entry in entries
            if entry["kind"] in ("top_up", "redeem", "capture", "refund")
        ],
    }
