"""The commands that issue and change vouchers."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.commands.command import Command, R
from voucher_gateway.commands.steps import StepRunner
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import NewVoucher, VoucherChanges
from voucher_gateway.models.results import Deletion, TopUp
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money, positive
from voucher_gateway.provider.provider import VoucherProvider

_COMPARED_APART: Final = ("id", "code", "pin", "initial")
"""Fields that are compared on their own, or that are secret: a digest of a PIN of four digits would reveal it."""


def request_digest(request: NewVoucher | VoucherChanges) -> str:
    """Return a digest that differs where the requests differ, so that one reference cannot stand for two of them."""
    fields = attrs.asdict(request, recurse=False)
    content = {name: value for name, value in fields.items() if name not in _COMPARED_APART}
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@attrs.frozen(kw_only=True)
class IssueVoucher(Command[Voucher]):
    """Issue a new voucher.

    Attributes:
        new: the voucher.
    """

    operation = Operation.ISSUE

    new: NewVoucher

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.issue(self.new, reference=reference, order=self.order)

    def run(self, steps: StepRunner, provider: VoucherProvider) -> Voucher:
        """Issue the voucher under an id or code by which it can be found again."""
        return steps.run(attrs.evolve(self, new=steps.with_generated_id(self.new)))

    @property
    def subject(self) -> str | None:
        return self.new.id

    @property
    def code(self) -> Code | None:
        return self.new.code

    @property
    def amount(self) -> Money:
        return self.new.initial

    @property
    def content(self) -> str:
        return request_digest(self.new)


@attrs.frozen(kw_only=True)
class VoucherCommand(Command[R]):
    """A verb on a voucher that is named by its id.

    Attributes:
        voucher_id: the vendor's id of the voucher.
    """

    voucher_id: str

    @property
    def subject(self) -> str:
        return self.voucher_id


@attrs.frozen(kw_only=True)
class ActivateVoucher(VoucherCommand[Voucher]):
    """Make a voucher spendable."""

    operation = Operation.ACTIVATE

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.activate(self.voucher_id, reference=reference, order=self.order)


@attrs.frozen(kw_only=True)
class DeactivateVoucher(VoucherCommand[Voucher]):
    """Stop a voucher from being spent."""

    operation = Operation.DEACTIVATE

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.deactivate(self.voucher_id, reference=reference, order=self.order)


@attrs.frozen(kw_only=True)
class UpdateVoucher(VoucherCommand[Voucher]):
    """Change a voucher's data, never its value.

    Attributes:
        changes: the fields to change.
    """

    operation = Operation.UPDATE

    changes: VoucherChanges

    def send(self, provider: VoucherProvider, reference: str) -> Voucher:
        return provider.update(self.voucher_id, self.changes, reference=reference, order=self.order)

    def run(self, steps: StepRunner, provider: VoucherProvider) -> Voucher:
        """Update the voucher; keep emulations away where an update also overwrites the value."""
        overwrites = provider.capabilities.can_overwrite_value
        with steps.lock(provider.host, self.voucher_id) if overwrites else nullcontext():
            return steps.run(self)

    @property
    def content(self) -> str:
        return request_digest(self.changes)


@attrs.frozen(kw_only=True)
class TopUpVoucher(VoucherCommand[TopUp]):
    """Add value to a voucher.

    Attributes:
        money: how much; above zero.
    """

    operation = Operation.TOP_UP

    money: Money = attrs.field(converter=positive)

    def send(self, provider: VoucherProvider, reference: str) -> TopUp:
        return provider.top_up(self.voucher_id, self.money, reference=reference, order=self.order)

    @property
    def amount(self) -> Money:
        return self.money


@attrs.frozen(kw_only=True)
class DeleteVoucher(VoucherCommand[Deletion]):
    """Remove a voucher for good.

    Attributes:
        reason: a reason that the vendor may keep.
    """

    operation = Operation.DELETE

    reason: str

    def send(self, provider: VoucherProvider, reference: str) -> Deletion:
        return provider.delete(self.voucher_id, self.reason, reference=reference, order=self.order)
