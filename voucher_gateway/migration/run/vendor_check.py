"""Checks, before anything is moved, that both vendors answer."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from typing import Final

from voucher_gateway.errors import ProviderUnavailable, RateLimited
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.provider.provider import VoucherProvider

_PATIENCE_S: Final = 15.0
_PAUSES_S: Final = (0.2, 1.0)
"""The pauses before a check is repeated: a vendor that fails for a moment is not down."""


def require_answers(context: MigrationContext) -> None:
    """Make a cheap read at both accounts, at the same time.

    Raises:
        ProviderUnavailable: if a vendor cannot be reached, or does not answer in time.
        VoucherGatewayError: if the login is refused, or the vendor contradicts the settings.
    """
    providers = [context.gateway.provider(account) for account in (context.source, context.target)]
    questions = [_ask(provider) for provider in providers]
    for provider, (thread, answer) in zip(providers, questions, strict=True):
        try:
            error = answer.get(timeout=_PATIENCE_S)
            thread.join()  # so that it holds no lock if the caller forks
        except queue.Empty:
            raise ProviderUnavailable(
                f"the vendor has not answered within {_PATIENCE_S:.0f} s; nothing was moved", account=provider.account
            ) from None
        if error is not None and not isinstance(error, RateLimited):  # it answers, and a run waits as it asks
            raise error


def _ask(provider: VoucherProvider) -> tuple[threading.Thread, queue.SimpleQueue[BaseException | None]]:
    """Ask on a thread. Return the thread, and the queue that gets the error, or None for none.

    The thread does not keep the program from ending, if the vendor keeps it waiting.
    """
    answer: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def check() -> None:
        try:
            _check_repeatedly(provider)
        except BaseException as error:  # noqa: BLE001 - it is raised on the thread of the caller
            answer.put(error)
        else:
            answer.put(None)

    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(check,), name="vendor-check", daemon=True)
    thread.start()
    return thread, answer


def _check_repeatedly(provider: VoucherProvider) -> None:
    for pause in _PAUSES_S:
        try:
            provider.check()
            return
        except ProviderUnavailable:
            time.sleep(pause)
    provider.check()
