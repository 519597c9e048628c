"""Signals about what happens to operations, payments and sales. `manage.py vouchers events` sends them.

They come from the journal's events, not from the code that makes a change. So they are sent at least once for each
change, whichever process made it, in the order of the commits, and in the process of the command.
"""

from __future__ import annotations

from typing import Final

from django.db import close_old_connections
from django.dispatch import Signal

from voucher_gateway.contrib.django.gateway import get_gateway
from voucher_gateway.journal.events.event import Event
from voucher_gateway.journal.events.kinds import EventKind

operation_changed: Final = Signal()
"""An operation was begun, or has another outcome. Its receivers get `event`."""
payment_changed: Final = Signal()
"""A payment was opened or changed. Its receivers get `event`."""
sale_changed: Final = Signal()
"""A sale was opened or changed. Its receivers get `event`."""

FEED: Final = "django-signals"
"""The name of the feed whose events are sent."""

_SIGNALS: Final = {"operation": operation_changed, "payment": payment_changed, "sale": sale_changed}
_KINDS: Final = tuple(kind for kind in EventKind if kind.partition(".")[0] in _SIGNALS)


def send_signals(*, limit: int | None = None, follow: bool = False) -> int:
    """Send the signals of the events that were not sent yet, and return how many there were.

    An error of a receiver ends it: the event comes again, and its other receivers may see it twice.

    Args:
        limit: at most this many.
        follow: whether to wait for later events at the end, without an end.

    Raises:
        OperationInProgress: if another process sends them.
        ConfigurationError: if the gateway has no journal.
    """
    return get_gateway().event_feed(FEED, kinds=_KINDS).deliver(_send_signal, limit=limit, follow=follow)


def _send_signal(event: Event) -> None:
    close_old_connections()  # a receiver may write to a database that was not used for hours
    _SIGNALS[event.kind.partition(".")[0]].send(sender=Event, event=event)
