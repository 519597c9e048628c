"""Operations in doubt go on under the key of their unsettled request, for as long as the vendor remembers it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import KeyRules, Operation, RepeatSafety
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import RequestRecord
from voucher_gateway.outcome import Intent
from voucher_gateway.provider import VoucherProvider

_FIRST_STEP: Final = ".1"


@attrs.frozen
class OpenKey:
    """The unsettled requests under whose keys and wire reference an operation goes on.

    Attributes:
        requests: the requests, the oldest first. All have the same wire reference and step.
        usable_until: until when the vendor surely remembers their keys, by our clock; None for ever.
    """

    requests: tuple[RequestRecord, ...]
    usable_until: datetime | None

    @property
    def wire_reference(self) -> str:
        """The name of the requests at the vendor."""
        return self.requests[0].intent.reference or ""

    @property
    def step(self) -> str:
        """The step that sent them."""
        return self.requests[0].step

    def find_objection(self, intent: Intent, sent: Collection[str]) -> str | None:
        """Return why a request must not be sent for an operation in doubt; None if it may.

        Args:
            intent: the request, right before it is sent.
            sent: the keys that this attempt has sent already.
        """
        if self.usable_until is not None and now() >= self.usable_until:
            return "the vendor may have forgotten the key of the request"
        recorded = {request.intent.key: request.intent for request in self.requests}
        if intent.key is None:
            return "the request has no key, and the one in doubt has"
        before = recorded.get(intent.key)
        if before is None:
            # A later request of the same call, after those in doubt were answered, has a key that was never sent.
            return None if recorded.keys() <= set(sent) else "the provider made another key than that of the request"
        if before.key_credentials != intent.key_credentials:
            return "the credentials have changed, and with them the vendor forgets its keys"
        if _content(before) != _content(intent):
            return "the request differs from the one whose key it has"
        return None


def find_open_key(journal: Journal, provider: VoucherProvider, requests: Sequence[RequestRecord]) -> OpenKey | None:
    """Return the keys under which an operation in doubt may go on; None if its requests must not be sent again.

    They must be those of the first step of one attempt: a later step depends on results that would be others now.

    Args:
        journal: where the requests are recorded.
        provider: the vendor.
        requests: the undecided requests of the operation.
    """
    rules = provider.capabilities.keys
    if rules is None or not requests or any(request.intent.key is None for request in requests):
        return None
    names = {(request.intent.reference or "", request.step) for request in requests}
    if len(names) != 1 or not next(iter(names))[0].endswith(_FIRST_STEP):
        return None
    first_sent_at = min(request.sent_at for request in requests)
    if not _was_sent_after_restore(journal, rules, first_sent_at):
        return None
    usable_until = None if rules.usable_for is None else first_sent_at + rules.usable_for
    if usable_until is not None and now() >= usable_until:
        return None
    return OpenKey(tuple(requests), usable_until)


def depends_on_key(provider: VoucherProvider, requests: Sequence[RequestRecord]) -> bool:
    """Whether nothing but a key makes it safe to send one of these requests again."""
    support = provider.capabilities.of
    steps = {request.step for request in requests}
    return any(
        operation.value in steps and support(operation).repeat is RepeatSafety.VENDOR_KEY for operation in Operation
    )


def _was_sent_after_restore(journal: Journal, rules: KeyRules, first_sent_at: datetime) -> bool:
    """Whether the journal knows all that happened under a key.

    A restored journal does not know what followed a request that it has in doubt: the operation may have been settled,
    and carried out under another key. A key that it sends for the first time may be one that it has forgotten, and
    older than its row. After the lifetime of a key, the vendor remembers none of those.
    """
    restored_at = journal.restored_at()
    if restored_at is None:
        return True
    return rules.lifetime is not None and first_sent_at > restored_at + rules.lifetime


def _content(intent: Intent) -> tuple[object, ...]:
    return (intent.verb, intent.money, intent.voucher_id, intent.subject, intent.options)
