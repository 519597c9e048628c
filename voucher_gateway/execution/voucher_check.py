"""Holding the voucher that an answer names for a code against the one that the journal knows."""

from __future__ import annotations

from voucher_gateway.adapter import Code, VoucherGatewayError, VoucherProvider
from voucher_gateway.journal import Journal
from voucher_gateway.journal.known_vouchers import known_voucher


def is_other_voucher(journal: Journal, provider: VoucherProvider, code: Code, voucher_id: str) -> bool:
    """Whether an answer about a code names another voucher than the code has.

    The journal knows the voucher of the last operation on the code. A code can come to stand for another voucher: it
    was deleted and issued again, or the first answer of all was wrong. So where the two differ the vendor is asked
    once more, and two answers that agree win.
    """
    known = known_voucher(journal, provider=provider.name, host=provider.host, login=provider.login, code=code)
    if known is None or known == voucher_id:
        return False
    try:
        return provider.find(code).id != voucher_id
    except VoucherGatewayError:
        return True
