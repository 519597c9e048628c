"""The vouchers of the source, read as far as a plan needs them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Self

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.errors import AccessDenied, VoucherNotFound
from voucher_gateway.journal.journal import Journal
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.resume_token import key_digest
from voucher_gateway.masking import Code
from voucher_gateway.migration.run.rate_limit import Rates
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider import VoucherProvider

_CLOCK_MARGIN: Final = timedelta(seconds=2)
"""A vendor's clock is known from a header with whole seconds, as it stood when an answer was made."""


def listing_of(provider: VoucherProvider, *, dated: bool) -> Listing[Voucher]:
    """Return the list of the source.

    Where the vendor filters by creation, what is made meanwhile is left out: the list can then only shrink, and a
    total that stays the same proves that nothing came or went. Without that a voucher that goes and one that comes
    would hide each other behind the same total.

    Args:
        provider: the source.
        dated: whether its clock is known at all.
    """
    query = None
    if dated and "created_to" in provider.capabilities.listing.filters:
        query = VoucherQuery(created_to=provider.vendor_now() + _CLOCK_MARGIN)
    return provider.vouchers(query)


class SecretReader:
    """Reads what a list does not show: the code and the PIN, and what is left.

    Args:
        provider: the source.
        rates: how often it may be asked.
        pins: whether PINs are wanted of vouchers whose code the list shows, too.

    Attributes:
        gone: the ids of vouchers that were listed and were not there any more.
    """

    def __init__(self, provider: VoucherProvider, rates: Rates, *, pins: bool = False) -> None:
        self._provider = provider
        self._rates = rates
        self._pins = pins
        self._requests = provider.capabilities.requests_per_operation.get(Operation.GET, 1)
        self.gone: list[str] = []

    def complete(self, voucher: Voucher) -> Voucher:
        """Return the voucher with its secrets, as far as they may be read; called by several threads."""
        if self._is_hidden(voucher) and self._provider.capabilities.codes.readable:
            for _ in range(self._requests):
                self._rates.wait(self._provider.account)
            try:
                shown = self._provider.get(voucher.id, secrets=True)
            except AccessDenied:
                return voucher  # the login may not: the voucher is told as unreadable
            except VoucherNotFound:
                self.gone.append(voucher.id)
                return attrs.evolve(voucher, remaining=None)
            voucher = _merge_readings(voucher, shown)
        if voucher.remaining is None and voucher.code is not None:
            self._rates.wait(self._provider.account)
            try:
                voucher = _merge_readings(voucher, self._provider.find(voucher.code))
            except VoucherNotFound:
                self.gone.append(voucher.id)
        return voucher

    def _is_hidden(self, voucher: Voucher) -> bool:
        return voucher.code is None or (self._pins and voucher.pin is None)


def pins_are_asked_for(source: Capabilities, target: Capabilities) -> bool:
    """Whether a PIN that the list does not show has to be read before anything is promised: the target may lose it."""
    if source.record or "pin" not in source.stored_fields:  # a record has no more than it shows
        return False
    ours, theirs = source.max_text_lengths.get("pin"), target.max_text_lengths.get("pin")
    shorter = theirs is not None and (ours is None or ours > theirs)
    return "pin" not in target.stored_fields or shorter


def _merge_readings(listed: Voucher, shown: Voucher) -> Voucher:
    """Return what both readings of a voucher tell; the later one counts."""
    fields = (field for field in attrs.fields(Voucher) if field.eq and field.name not in ("account", "id"))
    known_fields = {
        field.name: getattr(shown, field.name) for field in fields if getattr(shown, field.name) is not None
    }
    unread = (listed.unread | shown.unread) - {*known_fields}
    return attrs.evolve(listed, **known_fields, unread=unread)


class ReservedVouchers:
    """The vouchers of an account on which reservations stand, as far as the journal knows.

    Reservations that other systems made are not known to it.
    """

    def __init__(self, journal: Journal, provider: VoucherProvider) -> None:
        self._journal = journal
        self._provider = provider
        self._ids: set[str] = set()
        self._marks: dict[str, set[str]] = {}
        for _, entry in journal.standing_holds(account=provider.account, at=provider.vendor_now()):
            if entry.voucher_id is not None:
                self._ids.add(entry.voucher_id)
            if entry.target.fingerprint is not None:
                self._marks.setdefault(entry.target.key_id, set()).add(entry.target.fingerprint)

    def on(self, voucher_id: str, code: Code | None) -> bool:
        """Whether a reservation stands on this voucher."""
        if voucher_id in self._ids:
            return True
        provider, keys = self._provider, self._journal.keys
        return code is not None and any(
            keys.fingerprint(code, provider=provider.name, host=provider.host, key_id=key_id) in marks
            for key_id, marks in self._marks.items()
        )


class IdSet:
    """Ids that are known, as one small hash each."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._known = {key_digest(voucher_id) for voucher_id in ids}

    @classmethod
    def empty(cls) -> Self:
        """Return none."""
        return cls(())

    @classmethod
    def of_moves_from(cls, journal: Journal, account: str) -> Self:
        """Return those of an account that plans move or have moved."""
        return cls(journal.moved_ids(account))

    def __contains__(self, id: str) -> bool:
        return key_digest(id) in self._known
