"""How much of a refund each leg of a payment gives back, and how much the other means."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from voucher_gateway.errors import AmountOutOfRange, InvalidRequest
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.states import OTHER

OTHER_NAME: Final = "other"
"""The name of the other means in a mapping of the caller."""

RefundShares = Mapping[int | Literal["other"], Money]
"""What a caller wants each leg to give back, by its number, and the other means by ``"other"``."""


class RefundStrategy(enum.StrEnum):
    """Which legs of a payment give the money of a refund back.

    Attributes:
        PROPORTIONAL: all of them, in the proportion of what each can still give back.
        VOUCHERS_FIRST: first the vouchers, in the order of their numbers.
        OTHER_FIRST: first the other means, then the vouchers.
    """

    PROPORTIONAL = "proportional"
    VOUCHERS_FIRST = "vouchers-first"
    OTHER_FIRST = "other-first"


StrategyName: TypeAlias = Literal["proportional", "vouchers-first", "other-first"]
"""The name of a `RefundStrategy`."""


def as_strategy(strategy: RefundStrategy | StrategyName | RefundShares) -> RefundStrategy | RefundShares:
    """Return a strategy that may be given by its name.

    Raises:
        InvalidRequest: if no strategy has this name.
    """
    if not isinstance(strategy, str):
        return strategy
    try:
        return RefundStrategy(strategy)
    except ValueError:
        names = ", ".join(RefundStrategy)
        raise InvalidRequest(
            f"the refund strategy must be one of {names}, or a mapping of legs to amounts",
            field="strategy",
            rule=f"one of {names}, or a mapping",
        ) from None


def distribute(
    money: Money | None, refundable: Mapping[int, Money], strategy: RefundStrategy | RefundShares
) -> dict[int, Money]:
    """Return how much each leg gives back.

    Args:
        money: how much in all. None means all that is left, or the sum of a mapping.
        refundable: what each leg can still give back, by its number, in one currency; 0 is the other means.
        strategy: which legs give it back, or how much each does.

    Returns:
        amounts above zero by the number of the leg. Their sum is exactly `money`, and none is above `refundable`.

    Raises:
        AmountOutOfRange: if less is left than shall be given back, in all or by a leg of a mapping.
        InvalidRequest: if a mapping has another sum, another currency, or a leg that the payment does not have.
    """
    left = sum(amount.minor for amount in refundable.values())
    if not isinstance(strategy, RefundStrategy):
        return _check_shares(money, refundable, strategy)
    if money is None:
        return {leg: amount for leg, amount in sorted(refundable.items()) if amount}
    _require_same_currency(money, refundable)
    if money.minor > left:
        raise AmountOutOfRange(
            f"{money} is more than what the payment can still give back: {Money.from_minor(left, money.currency)}",
            field="money",
            rule="at most what is left to give back",
        )
    if strategy is RefundStrategy.PROPORTIONAL:
        units = _share_proportionally(money.minor, {leg: amount.minor for leg, amount in refundable.items()})
    else:
        units = _share_in_order(money.minor, refundable, _order_of(refundable, strategy))
    return {leg: Money.from_minor(count, money.currency) for leg, count in sorted(units.items()) if count}


def _share_proportionally(units: int, limits: Mapping[int, int]) -> dict[int, int]:
    """Return shares by the largest remainder. Of equal remainders, the leg with the lower number comes first.

    No share is above its limit: what is rounded up is less than its limit, as `units` is less than the sum of all.
    """
    whole = sum(limits.values())
    if not whole:
        return {}
    shares = {leg: units * limit // whole for leg, limit in limits.items()}
    remainders = {leg: units * limit % whole for leg, limit in limits.items()}
    by_remainder = sorted(limits, key=lambda leg: (-remainders[leg], leg))
    for leg in by_remainder[: units - sum(shares.values())]:
        shares[leg] += 1
    return shares


def _share_in_order(units: int, refundable: Mapping[int, Money], order: Sequence[int]) -> dict[int, int]:
    shares = {}
    for leg in order:
        shares[leg] = min(units, refundable[leg].minor)
        units -= shares[leg]
    return shares


def _order_of(refundable: Mapping[int, Money], strategy: RefundStrategy) -> list[int]:
    other_last = strategy is RefundStrategy.VOUCHERS_FIRST
    return sorted(refundable, key=lambda leg: ((leg == OTHER) is other_last, leg))


def _check_shares(money: Money | None, refundable: Mapping[int, Money], shares: RefundShares) -> dict[int, Money]:
    amounts: dict[int, Money] = {}
    for name, amount in shares.items():
        leg = OTHER if name == OTHER_NAME else name
        if leg not in refundable or leg in amounts:
            known = ", ".join(OTHER_NAME if number == OTHER else str(number) for number in sorted(refundable))
            raise InvalidRequest(
                f"strategy names the leg {leg}: expected each leg once, of {known}",
                field="strategy",
                rule="each leg of the payment at most once",
            )
        _require_same_currency(amount, refundable)
        if amount.minor < 0 or amount > refundable[leg]:
            raise AmountOutOfRange(
                f"the leg {name} can still give back {refundable[leg]}, not {amount}",
                field="strategy",
                rule="for each leg at most what is left to give back",
            )
        amounts[leg] = amount
    if money is not None and sum(amount.minor for amount in amounts.values()) != money.minor:
        raise InvalidRequest(
            f"the amounts of strategy must add up to {money}", field="strategy", rule="a sum equal to the refund"
        )
    return {leg: amount for leg, amount in sorted(amounts.items()) if amount}


def _require_same_currency(money: Money, refundable: Mapping[int, Money]) -> None:
    for amount in refundable.values():
        if amount.currency != money.currency:
            raise InvalidRequest(
                f"the payment is in {amount.currency}, not in {money.currency}",
                field="currency",
                rule="the currency of the payment",
            )
