"""Whether JTL's answer is about the voucher that was asked for, as far as it can be told: lists show no codes."""

from __future__ import annotations

from typing import TypeVar

from voucher_gateway.provider_api import Code, IntegrityMismatch, Voucher
from voucher_gateway_jtl.wire import JtlVoucher

V = TypeVar("V", Voucher, JtlVoucher)


def require_id(id: str, answer: V) -> V:
    """Return the voucher of an answer, if it has the id that was asked for.

    Raises:
        IntegrityMismatch: if it has another one.
    """
    if answer.id != id:
        raise IntegrityMismatch("the answer tells of another voucher")
    return answer


def require_code(code: Code, answer: JtlVoucher) -> JtlVoucher:
    """Return the voucher that the code filter gave, unless the vendor shows another code.

    Raises:
        IntegrityMismatch: if it does.
    """
    if answer.code not in (None, code):
        raise IntegrityMismatch("the answer tells of another code than the one asked for")
    return answer
