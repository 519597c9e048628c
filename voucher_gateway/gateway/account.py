"""One account of a gateway."""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.commands import run_natively
from voucher_gateway.emulation.registry import emulated_operation, unsupported_error, with_emulations
from voucher_gateway.masking import Code
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.steps import Strategy


@attrs.frozen(kw_only=True)
class Account:
    """A provider and the user's rules for its use.

    Attributes:
        name: the account's name.
        provider: the vendor, seen through this account.
        code_pattern: matches the codes that may belong to this account; None if the user gave no pattern.
        accept_risks: the emulations whose risks are accepted.
        former_names: earlier names of the account. The journal moves their operations to the new name. None if the
            user said nothing about them.
    """

    name: str
    provider: VoucherProvider
    code_pattern: re.Pattern[str] | None = None
    accept_risks: Collection[str] = frozenset()
    former_names: tuple[str, ...] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do, including emulations."""
        return with_emulations(self.provider.capabilities, self.accept_risks)

    def matches_code(self, code: Code) -> bool:
        """Whether the code matches the account's pattern; False without a pattern."""
        return self.code_pattern is not None and self.code_pattern.search(code.reveal()) is not None


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
    emulated = emulated_operation(require_capability(account, operation), operation)
    return run_natively if emulated is None else emulated.run
