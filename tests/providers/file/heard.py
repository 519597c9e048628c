"""What the tests of writing share: a witness, and a file to begin with."""

from __future__ import annotations

from collections.abc import Callable

from voucher_gateway import Intent

WHOLE = {
    "vouchers.jsonl": b'{"id":"v-1","code":"GIFT-0001"}\n',
    "vouchers.csv": b'"id","code"\r\n"v-1","GIFT-0001"\r\n',
}


class Heard:
    """Takes note of what is about to be sent."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.intents: list[Intent] = []
        self._then = then

    def before_send(self, intent: Intent) -> None:
        self.intents.append(intent)
        self._then()
