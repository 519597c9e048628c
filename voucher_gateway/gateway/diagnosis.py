"""Tests the accounts of a gateway and the journal of a configuration, and changes nothing at a vendor."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import AccountCheck, Capabilities, Operation
from voucher_gateway.config.loader import Config, load_config
from voucher_gateway.emulation.registry import find_emulation
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import format_seconds
from voucher_gateway.journal.records import UNRESOLVED
from voucher_gateway.journal.resolution_queries import fact_name, list_changed_reference_facts
from voucher_gateway.limits.shared_limits import AccountPause
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.storage.files import mode_warning

_MAX_SKEW_S: Final = 5
"""A larger difference between the vendor's clock and ours is a warning: reservations end by the vendor's clock."""

_LONGEST_WAIT_S: Final = 3.0
"""How long a diagnosis waits for others that write to the journal."""

_MOST_THREADS: Final = 32
"""So many accounts are tested at the same time."""

_MOVING: Final = (Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP)
"""The operations that move money. An unknown outcome of another operation costs no money."""


@attrs.frozen(kw_only=True)
class AccountDiagnosis:
    """The result of the test of one account.

    Attributes:
        account: the account.
        seconds: how long the test took.
        check: what the vendor's answer shows about the login; None if there was no answer.
        error: why the test failed; None if it did not.
        capabilities: what the account can do, as far as is known after the test.
    """

    account: Account
    seconds: Decimal
    check: AccountCheck | None
    error: VoucherGatewayError | None
    capabilities: Capabilities

    @property
    def clock_skew_s(self) -> int | None:
        """How many seconds the vendor's clock is ahead of this machine's; None if the vendor showed no clock."""
        skew = None if self.check is None else self.check.clock_skew
        return None if skew is None else round(skew.total_seconds())

    @property
    def resolvable(self) -> list[Operation]:
        """The changing operations whose unknown outcome can be looked up at the vendor."""
        return [operation for operation, step in self._deciding_steps() if step in self.capabilities.resolvable]

    @property
    def decided_by_hand(self) -> list[Operation]:
        """The changing operations whose unknown outcome only a person can decide."""
        return [operation for operation, step in self._deciding_steps() if step not in self.capabilities.resolvable]

    @property
    def warnings(self) -> list[str]:
        """The problems that a person should correct or know, in sentences without secrets."""
        warnings = [] if self.check is None else [*self.check.warnings]
        skew = self.clock_skew_s
        if skew is not None and abs(skew) > _MAX_SKEW_S:
            direction = "ahead of" if skew > 0 else "behind"
            warnings.append(
                f"the vendor's clock is {abs(skew)} seconds {direction} this machine's: correct this machine's clock"
            )
        if moving := [operation for operation in self.decided_by_hand if operation in _MOVING]:
            words = " or ".join(operation.value.replace("_", "-") for operation in moving)
            warnings.append(f"this login cannot look up the unknown outcome of a {words}: decide it by hand")
        return warnings

    def _deciding_steps(self) -> list[tuple[Operation, Operation]]:
        """Return the available changing operations, each with the operation at the vendor that decides its outcome."""
        pairs = []
        for operation in Operation:
            if not operation.changes or not self.capabilities.of(operation).available:
                continue
            emulated = find_emulation(self.capabilities, operation)
            step = operation if emulated is None else emulated.decided_by
            if step is not None:
                pairs.append((operation, step))
        return pairs


@attrs.frozen(kw_only=True)
class JournalDiagnosis:
    """The result of the test of the journal.

    Attributes:
        database: the URL of the database without its password; empty if the journal cannot be opened.
        error: why the journal cannot be used; None if it can.
        restored: whether it comes from a backup and still waits for `voucher-gateway recover --after-restore`.
        in_doubt: the number of open, unknown or pending operations by account.
        paused: the accounts that a person has paused, with their pauses.
        warnings: what a person should know about its file, in sentences.
    """

    database: str = ""
    error: VoucherGatewayError | None = None
    restored: bool = False
    in_doubt: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    paused: Mapping[str, AccountPause] = attrs.field(factory=dict, hash=False)
    warnings: tuple[str, ...] = ()
    _changed_references: frozenset[str] = frozenset()

    def account_warnings(self, account: str, provider: VoucherProvider) -> list[str]:
        """Return what the journal has recorded about an account and its vendor that a person should know."""
        pause = self.paused.get(account)
        paused = [] if pause is None else [f"{_describe_pause(pause)}: `voucher-gateway accounts resume {account}`"]
        return paused + self._vendor_warnings(provider)

    def _vendor_warnings(self, provider: VoucherProvider) -> list[str]:
        if fact_name(provider.name, provider.host, provider.login) not in self._changed_references:
            return []
        warning = (
            "the vendor stores other references than it was sent: if the reply to a redeem or capture is lost and the"
            " vendor does not show it, its outcome stays unknown until you decide it by hand"
        )
        return [warning]


def _describe_pause(pause: AccountPause) -> str:
    until = "" if pause.until is None else f" until {format_seconds(pause.until)}"
    reason = "" if pause.reason is None else f" ({pause.reason})"
    return f"the account is paused{' for everything' if pause.everything else ''}{until}{reason}"


def diagnose_accounts(gateway: Gateway, account: str | None = None) -> list[AccountDiagnosis]:
    """Test accounts at the same time: whether the vendor answers and accepts the credentials, the rights and the clock.

    Each vendor is asked for one voucher at most. An account that does not answer takes its ``batch_timeout_s``.

    Args:
        gateway: the gateway; it needs no journal.
        account: only this account; None for all of them.

    Raises:
        ConfigurationError: if no account has this name.
    """
    accounts = gateway.accounts if account is None else [gateway.account(account)]
    threads = min(max(len(accounts), 1), _MOST_THREADS)
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="voucher-doctor") as pool:
        return list(pool.map(_diagnose_account, accounts))


@use_work_class(WorkClass.RECONCILE)
def _diagnose_account(account: Account) -> AccountDiagnosis:
    began = time.monotonic()
    check, error = None, None
    try:
        check = account.provider.check()
    except VoucherGatewayError as raised:
        error = raised
    return AccountDiagnosis(
        account=account,
        seconds=Decimal(f"{time.monotonic() - began:.3f}"),
        check=check,
        error=error,
        capabilities=account.capabilities,
    )


def diagnose_journal(source: str | os.PathLike[str] | Mapping[str, Any] | Config) -> JournalDiagnosis | None:
    """Open the journal of a configuration and take its write lock, and return what it shows.

    The journal is created if it does not exist.

    Args:
        source: as for `Gateway.from_config`.

    Returns:
        None if the configuration names no journal.

    Raises:
        ConfigurationError: if the configuration is wrong.
    """
    config = source if isinstance(source, Config) else load_config(source)
    if config.journal is None:
        return None
    try:
        with Gateway.from_config(config) as gateway:
            journal = gateway.journal
            assert journal is not None
            with journal.database.write(wait_s=_LONGEST_WAIT_S):
                pass
            undecided = journal.iterate_operations(states=UNRESOLVED)
            warning = None if journal.database.path is None else mode_warning(journal.database.path)
            return JournalDiagnosis(
                database=journal.database.safe_url,
                restored=journal.restoration.pending,
                in_doubt=Counter(record.key.account for record in undecided),
                paused={pause.account: pause for pause in journal.pauses.list_all()},
                warnings=() if warning is None else (warning,),
                changed_references=list_changed_reference_facts(journal),
            )
    except VoucherGatewayError as error:
        return JournalDiagnosis(error=error)
