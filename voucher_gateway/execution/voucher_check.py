"""Compares the voucher that an answer names for a code with the voucher that the journal knows."""

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

    The journal knows the voucher of the last operation on the code. A code can change its voucher: the voucher was
    deleted and the code issued again, or the first answer was wrong. So if the two differ, the vendor is asked once
    more, and two equal answers count.
    """
    known = known_voucher(journal, provider=provider.name, host=provider.host, login=provider.login, code=code)
    if known is None or known == voucher_id:
        return False
    try:
        return provider.find(code).id != voucher_id
    except VoucherGatewayError:
        return True


def may_concern_other_voucher(
    journal: Journal, provider: VoucherProvider, record: OperationRecord, request: RequestRecord, code: Code | None
) -> bool:
    """Whether a request may have moved the value of another voucher than the journal names.

    The journal may have the voucher's id from only one answer, that to the reservation. If that answer was wrong, the
    history of the named voucher proves nothing. So the vendor is asked which voucher has the code, or which code the
    named voucher has. If it shows neither, at least the answers to the request itself must not have differed.
    """
    voucher_id = request.intent.voucher_id
    if voucher_id is None:
        return False
    try:
        if code is not None:
            return provider.find(code).id != voucher_id
        fingerprints = code_fingerprints(journal, record, request.intent)
        vendors_code = provider.get(voucher_id, secrets=True).code if fingerprints else None
    except (AccessDenied, UnsupportedOperation):
        vendors_code = None
    except VoucherGatewayError:
        return True  # asked again at the next look-up
    if vendors_code is None:
        return OTHER_VOUCHER in (request.reason or "")
    return fingerprints.isdisjoint(journal.keys.fingerprints(vendors_code, provider=provider.name, host=provider.host))
