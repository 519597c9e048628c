"""Which account a code belongs to."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import ConfigurationError, InvalidRequest, VoucherGatewayError, VoucherNotFound
from voucher_gateway.gateway.account import Account
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.telemetry.calls import observe_call

_MAX_LENGTH: Final = 1000
"""No vendor has a longer code. A customer may have typed anything."""


@attrs.frozen(kw_only=True)
class FindResult:
    """What several accounts answered about one code.

    Attributes:
        vouchers: the vouchers with this code. More than one if two vendors have such a voucher.
        asked: the accounts that answered.
        failed: the accounts that could not be asked, and why.
        left_out: the accounts that were not asked because their pattern does not match.
    """

    vouchers: tuple[Voucher, ...]
    asked: tuple[str, ...]
    failed: Mapping[str, VoucherGatewayError] = attrs.field(factory=dict, hash=False)
    left_out: tuple[str, ...] = ()

    @property
    def state(self) -> Literal["found", "not_found", "incomplete"]:
        """``incomplete`` means: not found, but an account that may have it could not be asked."""
        if self.vouchers:
            return "found"
        return "incomplete" if self.failed else "not_found"

    @property
    def voucher(self) -> Voucher | None:
        """The voucher, if there is exactly one."""
        return self.vouchers[0] if len(self.vouchers) == 1 else None


def accounts_to_check(accounts: Sequence[Account]) -> Sequence[Account]:
    """Return the accounts that may have a code that a person typed: those with a `code_pattern`, or the only one.

    Raises:
        ConfigurationError: if there are several accounts, and none has a pattern.
    """
    with_pattern = [account for account in accounts if account.code_pattern is not None]
    if not with_pattern and len(accounts) != 1:
        raise ConfigurationError("no account has a code_pattern: set one, or give account")
    return with_pattern or accounts


def find_in_accounts(accounts: Sequence[Account], code: Code, pin: Pin | None, *, broadcast: bool) -> FindResult:
    """Ask the accounts that may have the code, in parallel.

    Args:
        accounts: all accounts.
        code: the code.
        pin: the PIN, if there is one.
        broadcast: whether to ask also the accounts that have no pattern, or whose pattern does not match. That shows
            the code, which can be spent like cash, to vendors that may have nothing to do with it.
    """
    possible = accounts if len(code.reveal()) <= _MAX_LENGTH else ()
    asked = [account for account in possible if broadcast or account.matches_code(code)]
    left_out = tuple(account.name for account in accounts if account not in asked)
    if not asked:
        return FindResult(vouchers=(), asked=(), left_out=left_out)
    with ThreadPoolExecutor(max_workers=len(asked), thread_name_prefix="voucher-lookup") as pool:
        futures = [pool.submit(contextvars.copy_context().run, _ask, account, code, pin) for account in asked]
    answers = {account.name: future.result() for account, future in zip(asked, futures, strict=True)}
    errors = {name: answer for name, answer in answers.items() if isinstance(answer, VoucherGatewayError)}
    return FindResult(
        vouchers=tuple(answer for answer in answers.values() if isinstance(answer, Voucher)),
        asked=tuple(name for name in answers if name not in errors),
        failed=errors,
        left_out=left_out,
    )


def _ask(account: Account, code: Code, pin: Pin | None) -> Voucher | VoucherGatewayError | None:
    try:
        with observe_call(account.name, Operation.FIND):
            return account.provider.find(account.normalize(code), pin)
    except VoucherNotFound:
        return None
    except InvalidRequest as error:
        return None if error.field == "code" else error  # the vendor cannot have a code that it does not allow
    except VoucherGatewayError as error:
        return error
