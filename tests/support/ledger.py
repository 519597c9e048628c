"""What is truly at a vendor: its own ledger, never read through the library that is tested."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.simulator import RunningSimulator

NOT_SPENDABLE: Final = frozenset({"inactive", "expired", "pending", "blocked", "deactivated"})


@attrs.frozen
class LedgerVoucher:
    """One voucher of a ledger.

    Attributes:
        currency: its currency.
        remaining: what is left.
        spendable: whether a customer can spend it now.
        valid_until: the end of validity, or None.
        pin: whether it takes a PIN to spend it.
    """

    currency: str
    remaining: Decimal
    spendable: bool
    valid_until: datetime | None
    pin: bool = False

    @property
    def value(self) -> Decimal:
        """What a customer can spend now."""
        return self.remaining if self.spendable else Decimal(0)


@attrs.frozen
class Ledger:
    """The ledger of a running simulator. Each call reads it again."""

    simulator: RunningSimulator

    def entry(self, **fields: str) -> dict[str, Any]:
        """Return the first entry with these fields, such as ``id`` or ``code``.

        Raises:
            LookupError: if there is none.
        """
        for entry in self.simulator.ledger():
            if all(entry[name] == value for name, value in fields.items()):
                return entry
        raise LookupError(f"no voucher with {', '.join(fields)} as given is in the ledger")

    def remaining(self, id: str) -> str:
        """Return what is left on a voucher, as the ledger writes it."""
        return str(self.entry(id=id)["remaining"])

    def codes(self) -> dict[str, str]:
        """Return the codes by id."""
        return {str(entry["id"]): str(entry["code"]) for entry in self.simulator.ledger()}

    def vouchers(self) -> dict[str, LedgerVoucher]:
        """Return all vouchers by code.

        Raises:
            AssertionError: if two vouchers have the same code.
        """
        now = self.simulator.clock.now()
        vouchers: dict[str, LedgerVoucher] = {}
        for entry in self.simulator.ledger():
            until = None if entry["valid_until"] is None else datetime.fromisoformat(str(entry["valid_until"]))
            active = entry["status"] not in NOT_SPENDABLE and (until is None or until > now)
            code = str(entry["code"])
            assert code not in vouchers, "two vouchers have the same code"
            vouchers[code] = LedgerVoucher(
                str(entry["currency"]), Decimal(str(entry["remaining"])), active, until, bool(entry.get("pin"))
            )
        return vouchers

    def spendable(self) -> dict[str, tuple[Decimal, str]]:
        """Return by code what can be spent now: amount and currency."""
        return {code: (voucher.value, voucher.currency) for code, voucher in self.vouchers().items() if voucher.value}
