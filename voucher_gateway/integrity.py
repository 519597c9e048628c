"""Checks whether a reply is about the requested voucher."""

from __future__ import annotations

from typing import Final

from voucher_gateway.errors import IntegrityMismatch
from voucher_gateway.models.results import ValueResult
from voucher_gateway.models.voucher import Voucher

OTHER_VOUCHER: Final = "the reply is about another voucher"
"""The reason of an error, and of a request record, if the reply names another voucher than the expected one."""


def voucher_id_of(result: object) -> str | None:
    """Return the id of the voucher that a result names; None if it names none."""
    if isinstance(result, Voucher):
        return result.id
    return result.voucher_id if isinstance(result, ValueResult) else None


def require_voucher(voucher_id: str | None, result: object) -> None:
    """Check that a result does not name another voucher than the expected one, as far as both are known.

    Raises:
        IntegrityMismatch: if it names another one.
    """
    result_id = voucher_id_of(result)
    if voucher_id is not None and result_id is not None and result_id != voucher_id:
        raise IntegrityMismatch(OTHER_VOUCHER)
