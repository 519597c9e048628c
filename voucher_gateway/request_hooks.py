"""Hooks that run before a request is sent: the journal's record of it, and the rate limit.

A journal commits a row about each changing request before it is sent. The journal knows operations, and the HTTP client
knows requests. The adapter is between them and should know neither, so the hook is passed in a context variable.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Final, Protocol

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import AccessDenied, Declined, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.outcome import Effect, Intent, Leftover, voucher_id_of
from voucher_gateway.process.context_value import UseValue

NEW_VERBS: Final = frozenset(
    operation.value for operation in (Operation.ISSUE, Operation.RESERVE, Operation.REDEEM, Operation.TOP_UP)
)
"""The verbs that begin something new. The others end what was begun."""

_MAY_HAPPEN: Final = (Effect.SUCCEEDED, Effect.UNKNOWN, Effect.PENDING)


@attrs.define
class WatchedStep:
    """What the HTTP client saw in one step of a command.

    Attributes:
        intent: the last changing request; None before the first.
        effect: what it did.
        effects: what each request did that a key or a part distinguishes, by `Intent.name_in_call`.
        read_error: the last error of a request that only reads, since that change.
        forgotten_keys: the keys that the vendor has forgotten with an error.
        leftovers: what preparing requests have left behind so far, by `Intent.name_in_call`.
    """

    intent: Intent | None = None
    effect: Effect = Effect.NOT_EXECUTED
    effects: dict[str, Effect] = attrs.field(factory=dict)
    read_error: VoucherGatewayError | None = None
    forgotten_keys: set[str] = attrs.field(factory=set)
    leftovers: dict[str | None, Leftover] = attrs.field(factory=dict)

    def note_leftover(self, intent: Intent, effect: Effect, result: object) -> None:
        """Note what a preparing request leaves behind, or that a later request of the call has used it."""
        if intent.leaves is None:
            if effect is Effect.SUCCEEDED:
                self.leftovers.clear()
            elif intent.voucher_id is not None:  # a later request names what the one before it has made
                for name, leftover in self.leftovers.items():
                    self.leftovers[name] = attrs.evolve(leftover, voucher_id=leftover.voucher_id or intent.voucher_id)
        elif effect is Effect.SUCCEEDED:
            id = result if isinstance(result, str) else voucher_id_of(result)
            self.leftovers[intent.name_in_call] = Leftover(intent.leaves, id, is_certain=True)
        elif effect is Effect.UNKNOWN:
            self.leftovers[intent.name_in_call] = Leftover(intent.leaves, None, is_certain=False)

    def name_leftovers(self, error: VoucherGatewayError) -> None:
        """Add to the message of an error what the step has left behind at the vendor."""
        if self.leftovers:
            error.args = ("; ".join((error.message, *map(str, self.leftovers.values()))), *error.args[1:])

    def unknown_outcome(self, error: VoucherGatewayError) -> OutcomeUnknown | None:
        """Return the error to raise instead of one that hides a change that happened, or may have; None if it does not.

        The error of a request that only reads says nothing of the change before it. A refusal that the provider itself
        raises after a change stands: it may have taken the change back. It does not stand after a request under a key
        that is in doubt.
        """
        if self.intent is None or self.effect not in _MAY_HAPPEN or error.outcome in ("unknown", "pending"):
            return None
        if self.intent.leaves is not None and self.effect is Effect.SUCCEEDED:
            return None  # it moved nothing, and the request that would have was not sent
        is_in_doubt = self.effect is Effect.PENDING or (self.intent.key is not None and self.effect is Effect.UNKNOWN)
        if self.read_error is None and isinstance(error, Declined | AccessDenied) and not is_in_doubt:
            return None
        if self.effect is Effect.PENDING:
            return self.intent.pending(f"the vendor has accepted it, and what came after that failed: {error.message}")
        reason = f"the change was sent, and what came after it failed: {error.message}"
        return OutcomeUnknown(
            f"{reason}; it may have been carried out",
            ticket=self.intent.ticket(reason),
            account=self.intent.account,
            operation=self.intent.verb,
            http_status=error.http_status,
            request_id=error.request_id,
        )


class BeforeSendHook(Protocol):
    """Called before each changing request."""

    def before_send(self, intent: Intent) -> None:
        """Record a request that is about to be sent. It is not sent if this raises."""
        ...


_before_send_hook: ContextVar[BeforeSendHook | None] = ContextVar("before_send_hook", default=None)
_watched: ContextVar[WatchedStep | None] = ContextVar("watched_step", default=None)
_rate_limiter: ContextVar[Callable[[str], None] | None] = ContextVar("rate_limiter", default=None)
_resolving: ContextVar[bool] = ContextVar("resolving", default=False)


def notify_before_send(intent: Intent) -> None:
    """Call the hook of this context, if there is one. Whatever sends a changing request calls this right before.

    `HttpClient.change` does so for every adapter that uses HTTP.
    """
    hook = _before_send_hook.get()
    if hook is not None:
        hook.before_send(intent)


def has_before_send_hook() -> bool:
    """Whether the notes of an intent will be recorded, so that it is worth a request to make them."""
    return _before_send_hook.get() is not None


def use_before_send_hook(hook: BeforeSendHook) -> AbstractContextManager[object]:
    """Call this hook before each changing request of this context."""
    return UseValue(_before_send_hook, hook)


def wait_for_rate_limit(account: str) -> None:
    """Wait until an account may send another request. `HttpClient` calls this before each request."""
    wait = _rate_limiter.get()
    if wait is not None:
        wait(account)


def use_rate_limiter(wait: Callable[[str], None]) -> AbstractContextManager[object]:
    """Call a function, with the account's name, before each request of this context. It waits until one may be sent."""
    return UseValue(_rate_limiter, wait)


def use_resolution() -> AbstractContextManager[object]:
    """Send the requests of the block although an account is limited: they find out what became of a call."""
    return UseValue(_resolving, True)


def use_completion() -> AbstractContextManager[object]:
    """Send the requests of the block although an account is limited: they end what was begun, such as a capture."""
    return use_resolution()


def is_resolving() -> bool:
    """Whether the requests of this context find out what became of a call, or end what was begun."""
    return _resolving.get()


# --- what happens in one step ---


def watch_step() -> AbstractContextManager[WatchedStep]:
    """Collect what the HTTP client sees in this context, until the end of the block."""
    watched: ContextVar[WatchedStep] = _watched  # type: ignore[assignment]  # only a WatchedStep is set
    return UseValue(watched, WatchedStep())


def note_change(intent: Intent, effect: Effect, result: object = None) -> None:
    """Note what a changing request did, as far as is known, and its result. `HttpClient.change` does so."""
    if (step := _watched.get()) is not None:
        name = intent.name_in_call
        if name is not None:
            # Sent again by the provider itself: the doubt about the first sending remains.
            is_again = intent.key is not None and step.effects.get(name) is Effect.UNKNOWN
            if effect is Effect.NOT_EXECUTED and is_again:
                effect = Effect.UNKNOWN
            step.effects[name] = effect
        step.note_leftover(intent, effect, result)
        step.intent, step.effect, step.read_error = intent, effect, None


def note_forgotten_key(intent: Intent) -> None:
    """Note that the vendor has forgotten the key of a request that is in doubt. `HttpClient.change` does so."""
    if (step := _watched.get()) is not None and intent.key is not None:
        step.forgotten_keys.add(intent.key)


def note_read_error(error: VoucherGatewayError) -> None:
    """Note the error of a request that only reads. `HttpClient.read` does so."""
    if (step := _watched.get()) is not None:
        step.read_error = error
