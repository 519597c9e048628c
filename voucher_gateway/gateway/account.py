"""One account of a gateway."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.commands.command import Command, run_natively
from voucher_gateway.commands.steps import Strategy
from voucher_gateway.commands.value import SpendCommand
from voucher_gateway.commands.vouchers import IssueVoucher
from voucher_gateway.emulation.registry import EMULATIONS, find_emulation, unsupported_error, with_emulations
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import require_no_secret
from voucher_gateway.provider.call_options import check_options
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.rules.amounts import AmountKind
from voucher_gateway.rules.codes import CodeNormalization, normalize_code


@attrs.frozen(kw_only=True)
class Account:
    """A provider and the user's rules for its use.

    Attributes:
        name: the account's name.
        provider: the vendor, seen through this account.
        code_pattern: matches the codes that may belong to this account, in the form in which they are looked up; None
            if the user gave no pattern.
        normalize_codes: what is done to a code before it is looked up.
        accept_risks: the emulations whose risks are accepted.
        former_names: earlier names of the account. The journal moves their operations to the new name. None if the
            user said nothing about them.
    """

    name: str
    provider: VoucherProvider
    code_pattern: re.Pattern[str] | None = None
    normalize_codes: Collection[CodeNormalization] = frozenset()
    accept_risks: Collection[str] = frozenset()
    former_names: tuple[str, ...] | None = None
    # What the provider declared last, and that with emulations, as one value: threads share the account.
    _latest: list[tuple[Capabilities, Capabilities]] = attrs.field(factory=list, init=False, repr=False, eq=False)

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do, including emulations."""
        own = self.provider.capabilities
        # Every call asks for them. They change when the vendor shows what the login may do.
        if not self._latest or self._latest[0][0] is not own:
            self._latest[:] = [(own, with_emulations(own, self.accept_risks))]
        return self._latest[0][1]

    def normalize(self, code: Code) -> Code:
        """Return a code that a person typed in the form in which it is looked up."""
        return normalize_code(code, self.normalize_codes) if self.normalize_codes else code

    def matches_code(self, code: Code) -> bool:
        """Whether the code, as it is looked up, matches the account's pattern; False without a pattern."""
        return self.code_pattern is not None and self.code_pattern.search(self.normalize(code).reveal()) is not None


def require_capability(account: Account, operation: Operation) -> Capabilities:
    """Return what an account can do, if it can do an operation.

    Raises:
        UnsupportedOperation: if the operation is neither native nor emulated.
        MissingScope: if the login does not have the right.
    """
    capabilities = account.capabilities
    support = capabilities.of(operation)
    if not support.available:
        raise unsupported_error(account.provider, operation, support)
    return capabilities


def strategy_for(account: Account, operation: Operation) -> Strategy:
    """Return how an account runs an operation: natively, or by an emulation.

    Raises:
        UnsupportedOperation, MissingScope: as `require_capability`.
    """
    emulated = find_emulation(require_capability(account, operation), operation)
    return run_natively if emulated is None else emulated.run


def check_command(account: Account, command: Command[Any]) -> None:
    """Check a command by the vendor's rules, before anything is sent.

    Raises:
        AmountOutOfRange, AmountPrecisionError: if its amount is not one that a call may move.
        InvalidRequest: if the reference or the order contains the code or the PIN, if an option is not the vendor's, or
            if a chosen code could not be found again, because codes are looked up in another form.
    """
    if command.code is not None:
        _check_names(command)
    capabilities = account.capabilities
    operation = command.operation
    if isinstance(command, IssueVoucher):
        code = command.new.code
        if code is not None and account.normalize(code) != code:
            rule = f"in the form of normalize_codes: {', '.join(sorted(account.normalize_codes))}"
            raise InvalidRequest(
                f"code must be {rule}; otherwise it could not be found", field="code", rule=rule, account=account.name
            )
    elif command.amount is not None:
        capabilities.amounts.check(command.amount, AmountKind.MOVEMENT)
        if operation is Operation.TOP_UP:
            capabilities.amounts.check(command.amount, AmountKind.BALANCE)
    emulation = capabilities.of(operation).emulation
    steps = () if emulation is None else EMULATIONS[emulation].needs
    check_options(capabilities.options, {operation, *steps}, command.options)


def _check_names(command: Command[Any]) -> None:
    pin = command.pin if isinstance(command, SpendCommand) else None
    if isinstance(command, IssueVoucher):
        pin = command.new.pin
    require_no_secret(command.reference, "reference", command.code, pin)
    require_no_secret(command.order, "order", command.code, pin)
