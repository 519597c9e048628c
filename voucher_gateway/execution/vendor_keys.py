"""Operations in doubt go on under the key of their unsettled request, for as long as the vendor remembers it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import KeyRules, KeyScope, Operation, RepeatSafety
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import RequestRecord
from voucher_gateway.outcome import Effect, Intent
from voucher_gateway.provider.provider import VoucherProvider

_FIRST_STEP: Final = ".1"


@attrs.frozen
class OpenKey:
    """The requests under whose keys and wire reference an operation goes on. All have the same step.

    Attributes:
        requests: the unsettled requests, the oldest first.
        prepared: the preparing requests of the same call, which are sent again before them. What they made at the
            vendor is used again.
        usable_until: until when the vendor surely remembers their keys, by our clock; None for ever.
    """

    requests: tuple[RequestRecord, ...]
    prepared: tuple[RequestRecord, ...]
    usable_until: datetime | None

    @property
    def last_intent(self) -> Intent:
        """The last of the requests."""
        return (*self.prepared, *self.requests)[-1].intent

    @property
    def wire_reference(self) -> str:
        """The name of the requests at the vendor."""
        return self.last_intent.reference or ""

    @property
    def step(self) -> str:
        """The step that sent them."""
        return (*self.prepared, *self.requests)[-1].step

    def find_objection(self, intent: Intent, sent: Collection[str]) -> str | None:
        """Return why a request must not be sent for an operation in doubt; None if it may.

        Args:
            intent: the request, right before it is sent.
            sent: the keys that this attempt has sent already.
        """
        if self.usable_until is not None and now() >= self.usable_until:
            return "the vendor may have forgotten the key of the request"
        recorded = {request.intent.key: request.intent for request in (*self.prepared, *self.requests)}
        if intent.key is None:
            return "the request has no key, and the one in doubt has"
        before = recorded.get(intent.key)
        if before is None:
            # A later request of the same call, after those in doubt were answered, has a key that was never sent.
            due = {request.intent.key for request in self.prepared or self.requests}
            return None if due <= set(sent) else "the provider made another key than that of the request"
        if before.key_credentials != intent.key_credentials:
            return "the credentials have changed, and with them the vendor forgets its keys"
        if _content(before) != _content(intent):
            return "the request differs from the one whose key it has"
        return None


def find_open_key(
    journal: Journal, provider: VoucherProvider, requests: Sequence[RequestRecord], sent: Sequence[RequestRecord]
) -> OpenKey | None:
    """Return the keys under which an operation in doubt may go on; None if its requests must not be sent again.

    They must be those of the first step of one attempt: a later step depends on results that would be others now.

    Args:
        journal: where the requests are recorded.
        provider: the vendor.
        requests: the undecided requests of the operation.
        sent: all of its requests.
    """
    if not requests or any(request.intent.key is None for request in requests):
        return None
    names = {_name_of_step(request) for request in requests}
    if len(names) != 1:
        return None
    prepared = [request for request in sent if _has_prepared(request) and _name_of_step(request) in names]
    return _open_key(journal, provider, requests, [request for request in prepared if request not in requests])


def find_prepared_key(journal: Journal, provider: VoucherProvider, sent: Sequence[RequestRecord]) -> OpenKey | None:
    """Return the keys under which an operation that was not executed goes on, so that it uses what it has prepared.

    None if it has prepared nothing, or if the vendor may have forgotten the keys: it then begins again.
    """
    rules = provider.capabilities.keys
    if not sent or rules is None or rules.scope is KeyScope.TOKEN:  # other credentials would make other keys
        return None
    last = [request for request in sent if _name_of_step(request) == _name_of_step(sent[-1])]
    prepared = [request for request in last if _has_prepared(request)]
    if any(request not in prepared and request.effect is not Effect.NOT_EXECUTED for request in last):
        return None  # a refusal may be kept under its key
    return _open_key(journal, provider, [], prepared)


def _open_key(
    journal: Journal, provider: VoucherProvider, requests: Sequence[RequestRecord], prepared: Sequence[RequestRecord]
) -> OpenKey | None:
    """Return these requests as keys that are used again; None if that is not safe."""
    rules = provider.capabilities.keys
    both = [*prepared, *requests]
    if rules is None or not both or any(request.intent.key is None for request in both):
        return None
    if not all((request.intent.reference or "").endswith(_FIRST_STEP) for request in both):
        return None
    first_sent_at = min(request.sent_at for request in both)
    if not _was_sent_after_restore(journal, rules, first_sent_at):
        return None
    usable_until = None if rules.usable_for is None else first_sent_at + rules.usable_for
    if usable_until is not None and now() >= usable_until:
        return None
    return OpenKey(tuple(requests), tuple(prepared), usable_until)


def _name_of_step(request: RequestRecord) -> tuple[str, str]:
    return request.intent.reference or "", request.step


def _has_prepared(request: RequestRecord) -> bool:
    """Whether a request made, or may have made, something at the vendor that a later request of the call uses."""
    return request.intent.leaves is not None and request.effect in (None, Effect.UNKNOWN, Effect.SUCCEEDED)


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
    return (intent.verb, intent.money, intent.voucher_id, intent.subject, intent.part, intent.options)
