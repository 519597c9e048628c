"""Times of long ago, for old vouchers and long histories."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random


def past_instants(draw: Random, now: datetime, count: int, years: float = 3) -> list[datetime]:
    """Return that many different instants of whole seconds before `now`, oldest first.

    The first is exactly so many years of 365 days ago; the others lie anywhere between it and now.

    Raises:
        ValueError: for a negative count, or for more instants than there are seconds.
    """
    span = int(years * 365 * 86400)
    if not 0 <= count <= span:
        raise ValueError(f"there are 0 to {span} instants in {years:g} years, not {count}")
    end = now.replace(microsecond=0)
    ages = [span, *sorted(draw.sample(range(1, span), count - 1), reverse=True)] if count else []
    return [end - timedelta(seconds=age) for age in ages]
