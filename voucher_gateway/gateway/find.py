"""Which account a code belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import attrs

from voucher_gateway.errors import InvalidRequest, VoucherGatewayError, VoucherNotFound
from voucher_gateway.gateway.account import Account
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.voucher import Voucher


@attrs.frozen(kw_only=True)
class FindResult:
    """What asking several accounts for one code gave.

    Attributes:
        vouchers: what was found; more than one if two vendors have a voucher with this code.
        asked: the accounts that answered.
        failed: the accounts that could not be asked, and why.
        left_out: the accounts that were not asked because no pattern of theirs matches.
    """

    vouchers: tuple[Voucher, ...]
    asked: tuple[str, ...]
    failed: Mapping[str, VoucherGatewayError] = attrs.field(factory=dict, hash=False)
    left_out: tuple[str, ...] = ()

    @property
    def state(self) -> Literal["found", "not_found", "incomplete"]:
        """``incomplete`` means: not found, but somebody who may have it could not be asked."""
        if self.vouchers:
            return "found"
        return "incomplete" if self.failed else "not_found"

    @property
    def voucher(self) -> Voucher | None:
        """The voucher, if exactly one was found."""
        return self.vouchers[0] if len(self.vouchers) == 1 else None


def find_in_accounts(accounts: Sequence[Account], code: Code, pin: Pin | None, *, broadcast: bool) -> FindResult:
    """Ask the accounts that may have the code, side by side.

    Args:
        accounts: all accounts.
        code: the code.
        pin: the PIN, if there is one.
        broadcast: whether to ask accounts whose pattern does not match, or that have none, too. That shows the code,
            which is bearer money, to vendors that it may have nothing to do with.
    """
    asked = [account for account in accounts if broadcast or account.may_have(code)]
    left_out = tuple(account.name for account in accounts if account not in asked)
    if not asked:
        return FindResult(vouchers=(), asked=(), left_out=left_out)
    with ThreadPoolExecutor(max_workers=len(asked), thread_name_prefix="voucher-lookup") as pool:
        answers = list(pool.map(lambda account: _ask(account, code, pin), asked))
    answers_by_account = list(zip(asked, answers, strict=True))
    return FindResult(
        vouchers=tuple(answer for _, answer in answers_by_account if isinstance(answer, Voucher)),
        asked=tuple(
            account.name for account, answer in answers_by_account if not isinstance(answer, VoucherGatewayError)
        ),
        failed={
            account.name: answer for account, answer in answers_by_account if isinstance(answer, VoucherGatewayError)
        },
        left_out=left_out,
    )


def _ask(account: Account, code: Code, pin: Pin | None) -> Voucher | VoucherGatewayError | None:
    try:
        return account.provider.find(code, pin)
    except VoucherNotFound:
        return None
    except InvalidRequest as error:
        return None if error.field == "code" else error  # a code that the vendor could not have, it has not
    except VoucherGatewayError as error:
        return error
