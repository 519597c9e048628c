"""A before-send hook, and complete files to begin with, for tests of writing."""

from __future__ import annotations

from collections.abc import Callable

from voucher_gateway import Intent

COMPLETE_FILES = {
    "vouchers.jsonl": b'{"id":"v-1","code":"GIFT-0001"}\n',
    "vouchers.csv": b'"id","code"\r\n"v-1","GIFT-0001"\r\n',
}


class BeforeSendHook:
    """Records the intents of requests that are about to be sent, and then calls a function."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.intents: list[Intent] = []
        self._then = then

    def before_send(self, intent: Intent) -> None:
        self.intents.append(intent)
        self._then()
