"""Vouchers of a plan that another plan moves or has moved, such as a second plan after a rollback."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from voucher_gateway.money import Money


@attrs.frozen
class OtherMove:
    """The move of a voucher by another plan.

    Attributes:
        plan_id: that plan.
        to_account: the account that has the voucher now; None while it is being moved.
        to_voucher_id: its id there.
    """

    plan_id: str
    to_account: str | None
    to_voucher_id: str | None

    @property
    def in_progress(self) -> bool:
        """Whether the voucher is being moved."""
        return self.to_voucher_id is None

    @property
    def text(self) -> str:
        """The move in a sentence without its full stop."""
        plan = f"the migration {self.plan_id[:12]}"
        if self.in_progress:
            return f"{plan} is moving it"
        return f"{plan} has moved it to {without_folder(self.to_account)}, where its id is {self.to_voucher_id}"


@attrs.frozen(kw_only=True)
class OtherPlan:
    """The vouchers of a source that another plan moves or has moved to one account.

    Attributes:
        plan_id: that plan.
        target: the account that has them now, without its folder if it is a file; None while they are being moved.
        count: the number of vouchers.
        money: their value by the plan that is verified, by currency. It does not have vouchers that this plan does not
            have.
    """

    plan_id: str
    target: str | None
    count: int
    money: Mapping[str, Money] = attrs.field(hash=False)


def without_folder(account: str | None) -> str | None:
    """Return the name of an account; for a file, its name without the folders of this machine."""
    return None if account is None else account.rpartition("/")[2]
