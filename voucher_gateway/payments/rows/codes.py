"""The codes and PINs of a payment's legs, sealed in the database until the payment is over."""

from __future__ import annotations

from typing import Final

from voucher_gateway.errors import OperationInProgress
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.sealer import Sealer
from voucher_gateway.masking import Code, Pin
from voucher_gateway.payments.rows.schema import legs
from voucher_gateway.payments.rows.store import LegSeal, PaymentStore

_CODE: Final = "sealed_code"
_PIN: Final = "sealed_pin"


def seal_leg(journal: Journal, payment_id: str, leg: int, code: Code, pin: Pin | None) -> LegSeal:
    """Return the code and the PIN of a leg, sealed.

    Raises:
        ConfigurationError: if the package ``cryptography`` is not installed.
    """
    sealer = Sealer(journal.keys, legs.name)
    row = _row(payment_id, leg)
    return LegSeal(
        code=sealer.seal(code, row=row, column=_CODE),
        pin=None if pin is None else sealer.seal(pin, row=row, column=_PIN),
        key_id=sealer.key_id,
    )


def unseal_leg(journal: Journal, store: PaymentStore, payment_id: str, leg: int) -> tuple[Code, Pin | None]:
    """Return the code and the PIN of a leg.

    Raises:
        OperationInProgress: if they were erased: another worker has ended the payment.
        ConfigurationError: if the key that sealed them is not configured any more.
    """
    seal = store.seal(payment_id, leg)
    if seal is None or seal.code is None:
        raise OperationInProgress(f"another worker has taken over the payment and ended it: leg {leg} has no code now")
    sealer = Sealer(journal.keys, legs.name)
    row = _row(payment_id, leg)
    code = sealer.unseal(Code, seal.code, row=row, column=_CODE, key_id=seal.key_id)
    if seal.pin is None:
        return code, None
    return code, sealer.unseal(Pin, seal.pin, row=row, column=_PIN, key_id=seal.key_id)


def _row(payment_id: str, leg: int) -> str:
    return f"{payment_id}-{leg}"
