"""Reports as JSON objects, as ``--json`` prints them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from voucher_gateway.reports.liability import AccountLiability, BalanceStatus, Bucket, BucketTotal, Liability
from voucher_gateway.reports.roll_forward import RollForward
from voucher_gateway.reports.text import age_of, expiry_of

_COUNTED: Final = tuple(each for each in BalanceStatus if each is not BalanceStatus.UNKNOWN)


def account_object(liability: AccountLiability) -> dict[str, Any]:
    """Return the object of one account: what it owes."""
    return {
        "report": "account",
        "account": liability.account,
        "at": liability.at,
        "snapshot_at": liability.snapshot_at,
        "consistent": liability.consistent,
        "problems": liability.problems,
        "unreadable": liability.unreadable,
        "listing": liability.listing,
        "vouchers": liability.vouchers,
        "unknown": liability.unknown,
        "currencies": [
            {
                "currency": currency,
                **{_key(each): _sum_object(liability.sum(currency, each)) for each in _COUNTED},
                "by_expiry": _by(liability, currency, expiry_of),
                "by_age": _by(liability, currency, age_of),
            }
            for currency in liability.currencies
        ],
    }


def _by(liability: AccountLiability, currency: str, what: Callable[[Bucket], str]) -> list[dict[str, Any]]:
    return [
        {"standing": _key(standing), "of": trait, **_sum_object(buckets)}
        for standing in (
            BalanceStatus.OUTSTANDING,
            BalanceStatus.BLOCKED,
            BalanceStatus.INACTIVE,
            BalanceStatus.EXPIRED,
        )
        for trait, buckets in liability.by(currency, standing, what).items()
    ]


def total_object(liability: Liability, currency: str) -> dict[str, Any]:
    """Return the object of one currency: the totals of all accounts."""
    sums = {_key(each): _sum_object(liability.total(currency, each)) for each in _COUNTED}
    return {"report": "total", "currency": currency, **sums}


def _sum_object(total: BucketTotal) -> dict[str, Any]:
    return {"vouchers": total.vouchers, "remaining": total.money}


def _key(word: str) -> str:
    return word.replace(" ", "_")


def roll_object(roll: RollForward) -> dict[str, Any]:
    """Return the object of a roll-forward. Only the unexplained line may be negative."""
    return {
        "report": "roll-forward",
        "account": roll.account,
        "opening": roll.opening,
        "closing": roll.closing,
        "rolls": [
            {"currency": currency_roll.currency, **{_key(line): money for line, money in currency_roll.lines.items()}}
            for currency_roll in roll.rolls
        ],
        "unexplained": roll.unexplained,
        "unexplained_count": roll.unexplained_count,
        "unreadable": roll.unreadable,
    }
