"""One class for each verb that changes something: what the caller asks for, and the line that sends it.

`Gateway` makes a command of each call. An executor runs it by a strategy: `run_natively`, or an emulation, which runs
other steps instead. A command is also the step that sends its request, so an emulation builds the commands of the verbs
that it uses.
"""

from __future__ import annotations

import abc
import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

import attrs

from voucher_gateway.capabilities import Operation, OptionValue
from voucher_gateway.commands.steps import StepRunner
from voucher_gateway.limits.call_deadline import check_wait
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import nfc, nfc_or_none, require_name
from voucher_gateway.models.results import RefundLimit
from voucher_gateway.money import Money
from voucher_gateway.outcome import Result
from voucher_gateway.provider.provider import VoucherProvider

R = TypeVar("R", bound=Result)
C = TypeVar("C", bound="Command[Any]")

_WITH_OPTIONS: Final = "+"


def content_without_options(recorded: str | None) -> str | None:
    """Return the content of a command from what the journal recorded."""
    return None if recorded is None else recorded.partition(_WITH_OPTIONS)[0] or None


def run_natively(command: Command[R], steps: StepRunner, provider: VoucherProvider) -> R:
    """Run a command as the vendor's own operation."""
    return command.run(steps, provider)


def _validate_name(_: object, field: attrs.Attribute[Any], name: str) -> None:
    require_name(name, field.name)


def _copy_options(options: Mapping[str, OptionValue] | None) -> Mapping[str, OptionValue]:
    given = {} if options is None else options
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


@attrs.frozen(kw_only=True)
class Command(abc.ABC, Generic[R]):
    """One changing verb on one voucher.

    Attributes:
        operation: the verb.
        account: the account's name.
        reference: the caller's idempotency key, in Unicode's normal form C.
        order: the shop's order number, in the same form.
        wait_s: how long to wait for another worker on the same call, in seconds.
        options: the options of the call that only its vendor has, by name.

    Raises:
        InvalidRequest: if `reference` or `order` is not a valid name, or `wait_s` is not a number of seconds.
    """

    operation: ClassVar[Operation]

    account: str
    reference: str = attrs.field(converter=nfc, validator=_validate_name)
    order: str | None = attrs.field(
        default=None, converter=nfc_or_none, validator=attrs.validators.optional(_validate_name)
    )
    wait_s: float = attrs.field(default=0.0, converter=check_wait)
    options: Mapping[str, OptionValue] = attrs.field(default=None, converter=_copy_options, hash=False)

    @abc.abstractmethod
    def send(self, provider: VoucherProvider, reference: str) -> R:
        """Send the vendor's own request for this verb under a reference, and return its result."""

    def run(self, steps: StepRunner, provider: VoucherProvider) -> R:
        """Run the command as the vendor's own operation."""
        return steps.run(self)

    def derive(self, kind: type[C], **fields: Any) -> C:
        """Return a command of another verb for the same account, reference and order."""
        return kind(account=self.account, reference=self.reference, order=self.order, **fields)

    @property
    def name(self) -> str:
        """The name of the step that sends it."""
        return self.operation.value

    @property
    def subject(self) -> str | None:
        """The id of the voucher, reservation or redemption that it acts on."""
        return None

    @property
    def code(self) -> Code | None:
        """The voucher's code, where it acts on a code."""
        return None

    @property
    def amount(self) -> Money | None:
        """The amount that is to move."""
        return None

    @property
    def content(self) -> str | None:
        """A digest of everything else that the caller asks for, without the options."""
        return None

    @property
    def recorded_content(self) -> str | None:
        """The content with a digest of the options: the journal records it, and compares it if the call comes again."""
        if not self.options:
            return self.content
        text = json.dumps(self.options, sort_keys=True)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"{self.content or ''}{_WITH_OPTIONS}{digest}"

    @property
    def refund_limit(self) -> RefundLimit | None:
        """For a refund with a journal: the redemption that limits it."""
        return None
