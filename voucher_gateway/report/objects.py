"""Reports as objects for programs: what ``--json`` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from voucher_gateway.report.liability import AccountLiability, Cell, Liability, Standing, Sum
from voucher_gateway.report.roll import RollForward
from voucher_gateway.report.tables import age_of, expiry_of

_COUNTED: Final = tuple(each for each in Standing if each is not Standing.UNKNOWN)


def account_object(one: AccountLiability) -> dict[str, Any]:
    """Return what one account owes."""
    return {
        "report": "account",
        "account": one.account,
        "at": one.at,
        "snapshot_at": one.snapshot_at,
        "consistent": one.consistent,
        "problems": one.problems,
        "listing": one.listing,
        "vouchers": one.vouchers,
        "unknown": one.unknown,
        "currencies": [
            {
                "currency": currency,
                **{_key(each): _sum_object(one.sum(currency, each)) for each in _COUNTED},
                "by_expiry": _by(one, currency, expiry_of),
                "by_age": _by(one, currency, age_of),
            }
            for currency in one.currencies
        ],
    }


def _by(one: AccountLiability, currency: str, what: Callable[[Cell], str]) -> list[dict[str, Any]]:
    return [
        {"standing": _key(standing), "of": trait, **_sum_object(found)}
        for standing in (Standing.OUTSTANDING, Standing.INACTIVE, Standing.EXPIRED)
        for trait, found in one.by(currency, standing, what).items()
    ]


def total_object(liability: Liability, currency: str) -> dict[str, Any]:
    """Return the totals of one currency over all accounts."""
    sums = {_key(each): _sum_object(liability.total(currency, each)) for each in _COUNTED}
    return {"report": "total", "currency": currency, **sums}


def _sum_object(found: Sum) -> dict[str, Any]:
    return {"vouchers": found.vouchers, "remaining": found.money}


def _key(word: str) -> str:
    return word.replace(" ", "_")


def roll_object(roll: RollForward) -> dict[str, Any]:
    """Return a roll-forward; its lines are positive amounts but for the unexplained one, as their names say."""
    return {
        "report": "roll-forward",
        "account": roll.account,
        "opening": roll.opening,
        "closing": roll.closing,
        "rolls": [
            {"currency": one.currency, **{_key(line): money for line, money in one.lines.items()}} for one in roll.rolls
        ],
        "unexplained": roll.unexplained,
        "unexplained_count": roll.unexplained_count,
        "unreadable": roll.unreadable,
    }
