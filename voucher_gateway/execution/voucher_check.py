"""Holding the voucher that an answer names for a code against the one that the journal knows."""

from __future__ import annotations

from voucher_gateway.errors import AccessDenied, UnsupportedOperation, VoucherGatewayError
from voucher_gateway.integrity import OTHER_VOUCHER
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationRecord, RequestRecord
from voucher_gateway.journal.resolution_queries import code_fingerprints, known_voucher
from voucher_gateway.masking import Code
from voucher_gateway.provider import VoucherProvider


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


def may_concern_other_voucher(
    journal: Journal, provider: VoucherProvider, entry: OperationRecord, sent: RequestRecord, code: Code | None
) -> bool:
    """Whether a request may have moved the value of another voucher than the journal names.

    The journal can have the voucher's id from one answer only, that to the reservation. If that answer was wrong, the
    history of the named voucher proves nothing. So the vendor is asked which voucher has the code, or which code the
    named voucher has. Where it shows neither, the answers to the request itself must at least not have differed.
    """
    named = sent.intent.voucher_id
    if named is None:
        return False
    try:
        if code is not None:
            return provider.find(code).id != named
        marks = code_fingerprints(journal, entry, sent.intent)
        shown = provider.get(named, secrets=True).code if marks else None
    except (AccessDenied, UnsupportedOperation):
        shown = None
    except VoucherGatewayError:
        return True  # asked again at the next look
    if shown is None:
        return OTHER_VOUCHER in (sent.reason or "")
    return marks.isdisjoint(journal.keys.fingerprints(shown, provider=provider.name, host=provider.host))
