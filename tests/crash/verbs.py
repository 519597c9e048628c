"""Every changing verb of every vendor: how it is prepared, called, and seen in the vendor's ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway import Gateway
from voucher_gateway.outcome import Result
from voucher_gateway.provider_api import Money, NewVoucher, Operation, Redemption, Reservation, VoucherChanges
from voucher_gateway.simulator import load

Ledger = Sequence[Mapping[str, Any]]

FACE: Final = Money("50.00", "EUR")
SOLD: Final = Money("53.21", "EUR")
"""What `_issue` makes: a value that no other voucher of the ledger has."""
TEN: Final = Money("10.00", "EUR")
REFERENCE: Final = "1001-a"
ORDER: Final = "1001"
NEXT_YEAR: Final = datetime(2040, 1, 1, tzinfo=UTC)


@attrs.frozen
class Prepared:
    """What there is before the verb is called. The code is plain text: a `Code` masks itself on the way to a process.

    Attributes:
        id: the voucher.
        code: its code.
        reservation: the one to capture or release.
        redemption: the one to refund.
    """

    id: str = ""
    code: str = ""
    reservation: Reservation | None = None
    redemption: Redemption | None = None


@attrs.frozen
class Verb:
    """One verb at one vendor.

    Attributes:
        vendor: where.
        operation: the verb.
        prepare: makes what the verb needs, with a gateway and an account.
        perform: calls the verb.
        times: how often it has happened by the vendor's ledger, seen from before it to after it.
    """

    vendor: str
    operation: Operation
    prepare: Callable[[Gateway, str], Prepared]
    perform: Callable[[Gateway, str, Prepared], Result]
    times: Callable[[Prepared, Ledger], Decimal]

    @property
    def name(self) -> str:
        return f"{self.vendor}/{self.operation.value}"

    @property
    def vendor_lacks(self) -> frozenset[str]:
        """The faults that have no meaning at the vendor."""
        return load(self.vendor).faults_without_meaning


def _voucher(ledger: Ledger, id: str) -> Mapping[str, Any] | None:
    return next((one for one in ledger if one["id"] == id), None)


def _moved(start: str, step: str) -> Callable[[Prepared, Ledger], Decimal]:
    """Count how often an amount went on to, or came off, what was there at the start."""

    def times(prepared: Prepared, ledger: Ledger) -> Decimal:
        voucher = _voucher(ledger, prepared.id)
        assert voucher is not None
        return (Decimal(voucher["remaining"]) - Decimal(start)) / Decimal(step)

    return times


def _seen(look: Callable[[Mapping[str, Any]], bool]) -> Callable[[Prepared, Ledger], Decimal]:
    def times(prepared: Prepared, ledger: Ledger) -> Decimal:
        voucher = _voucher(ledger, prepared.id)
        assert voucher is not None
        return Decimal(int(look(voucher)))

    return times


def _gone(prepared: Prepared, ledger: Ledger) -> Decimal:
    return Decimal(int(_voucher(ledger, prepared.id) is None))


def _issued(_: Prepared, ledger: Ledger) -> Decimal:
    return Decimal(sum(Decimal(one["initial"]) == SOLD.amount for one in ledger))


def _reserved(prepared: Prepared, ledger: Ledger) -> Decimal:
    voucher = _voucher(ledger, prepared.id)
    assert voucher is not None
    return Decimal(voucher["reserved"]) / TEN.amount


def _nothing(_: Gateway, __: str) -> Prepared:
    return Prepared()


def _with_voucher(active: bool | None) -> Callable[[Gateway, str], Prepared]:
    def prepare(gateway: Gateway, account: str) -> Prepared:
        made = gateway.issue(account, NewVoucher(initial=FACE, active=active), reference="before")
        assert made.code is not None
        return Prepared(made.id, made.code.reveal())

    return prepare


def _with_reservation(gateway: Gateway, account: str) -> Prepared:
    made = _with_voucher(True)(gateway, account)
    reservation = gateway.reserve(account, made.code, TEN, reference="before", order=ORDER)
    return attrs.evolve(made, reservation=attrs.evolve(reservation, raw={}))


def _with_redemption(active: bool | None) -> Callable[[Gateway, str], Prepared]:
    def prepare(gateway: Gateway, account: str) -> Prepared:
        made = _with_voucher(active)(gateway, account)
        redemption = gateway.redeem(account, made.code, TEN, reference="before", order=ORDER)
        return attrs.evolve(made, redemption=attrs.evolve(redemption, raw={}))

    return prepare


def _issue(gateway: Gateway, account: str, _: Prepared) -> Result:
    return gateway.issue(account, NewVoucher(initial=SOLD), reference=REFERENCE, order=ORDER)


def _activate(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    return gateway.activate(account, prepared.id, reference=REFERENCE, order=ORDER)


def _deactivate(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    return gateway.deactivate(account, prepared.id, reference=REFERENCE, order=ORDER)


def _update_batch(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    return gateway.update(account, prepared.id, VoucherChanges(batch="B-17"), reference=REFERENCE, order=ORDER)


def _update_expiry(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    changes = VoucherChanges(valid_until=NEXT_YEAR)
    return gateway.update(account, prepared.id, changes, reference=REFERENCE, order=ORDER)


def _top_up(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    return gateway.top_up(account, prepared.id, TEN, reference=REFERENCE, order=ORDER)


def _delete(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    return gateway.delete(account, prepared.id, "a test", reference=REFERENCE, order=ORDER)


def _reserve(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    return gateway.reserve(account, prepared.code, TEN, reference=REFERENCE, order=ORDER)


def _capture(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    assert prepared.reservation is not None
    return gateway.capture(account, prepared.reservation, reference=REFERENCE, order=ORDER)


def _release(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    assert prepared.reservation is not None
    return gateway.release(account, prepared.reservation, reference=REFERENCE, order=ORDER)


def _redeem(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    return gateway.redeem(account, prepared.code, TEN, reference=REFERENCE, order=ORDER)


def _refund(gateway: Gateway, account: str, prepared: Prepared) -> Result:
    assert prepared.redemption is not None
    return gateway.refund(account, prepared.redemption, reference=REFERENCE, order=ORDER)


def _never(_: Prepared, __: Ledger) -> Decimal:
    # JTL has no call that releases: the journal alone remembers it.
    return Decimal(0)


_JTL: Final = (
    Verb("jtl", Operation.ISSUE, _nothing, _issue, _issued),
    Verb("jtl", Operation.ACTIVATE, _with_voucher(False), _activate, _seen(lambda one: one["status"] == "active")),
    Verb("jtl", Operation.DEACTIVATE, _with_voucher(True), _deactivate, _seen(lambda one: one["status"] == "inactive")),
    Verb("jtl", Operation.UPDATE, _with_voucher(False), _update_batch, _seen(lambda one: one.get("batch") == "B-17")),
    Verb("jtl", Operation.TOP_UP, _with_voucher(True), _top_up, _moved("50", "10")),
    Verb("jtl", Operation.DELETE, _with_voucher(False), _delete, _gone),
    Verb("jtl", Operation.RESERVE, _with_voucher(True), _reserve, _reserved),
    Verb("jtl", Operation.CAPTURE, _with_reservation, _capture, _moved("50", "-10")),
    Verb("jtl", Operation.RELEASE, _with_reservation, _release, _never),
    Verb("jtl", Operation.REDEEM, _with_voucher(True), _redeem, _moved("50", "-10")),
    Verb("jtl", Operation.REFUND, _with_redemption(True), _refund, _moved("40", "10")),
)
_TICKETING: Final = (
    Verb("ticketing", Operation.ISSUE, _nothing, _issue, _issued),
    Verb(
        "ticketing",
        Operation.UPDATE,
        _with_voucher(None),
        _update_expiry,
        _seen(lambda one: str(one["valid_until"]).startswith("2040-01-01")),
    ),
    Verb("ticketing", Operation.TOP_UP, _with_voucher(None), _top_up, _moved("50", "10")),
    Verb("ticketing", Operation.REDEEM, _with_voucher(None), _redeem, _moved("50", "-10")),
    Verb("ticketing", Operation.REFUND, _with_redemption(None), _refund, _moved("40", "10")),
)

VERBS: Final = {verb.name: verb for verb in (*_JTL, *_TICKETING)}
