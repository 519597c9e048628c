"""The promises of the spend level about the idempotency keys of vendors: K."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Capabilities, Operation, RepeatSafety, Support
from voucher_gateway.conformance import Level
from voucher_gateway.testing.promises.promise import Promise


def _has_keys(declared: Capabilities) -> str | None:
    supports = (declared.of(operation) for operation in Operation if operation.changes)
    if any(how.support is Support.NATIVE and how.repeat is RepeatSafety.VENDOR_KEY for how in supports):
        return None
    return "no operation is declared to have a vendor's key"


def _key_promise(
    number: str,
    says: str,
    advice: str,
    *,
    wire: bool = False,
    fault: str | None = None,
    may_stay_untried: bool = False,
) -> Promise:
    return Promise(number, Level.SPEND, says, advice, _has_keys, wire, fault, may_stay_untried)


KEYS: Final = (
    _key_promise(
        "K1",
        "Two operations under one reference have different keys. Both are carried out.",
        "Make the key with `self.make_key(intent)`: it is made of the verb, too.",
        may_stay_untried=True,
    ),
    _key_promise(
        "K2",
        "Two references have different keys, however long they are and wherever they differ. Both calls are carried "
        "out.",
        "Make the key with `self.make_key(intent)`, which never cuts. Declare `KeyRules.max_length` as the vendor has "
        "it.",
    ),
    _key_promise(
        "K3",
        "A request has the same key each time that it is sent, by this process or another one. A repeat after a lost "
        "answer moves nothing a second time.",
        "Make the key of the intent alone, with `self.make_key(intent)`: of no clock, counter, random number or "
        "instance. Give it to `HttpClient.change(key=...)`.",
        wire=True,
        fault="commit-then-drop",
    ),
    _key_promise(
        "K4",
        "After a lost answer, the request is sent again under its key, and the vendor answers with an error. The "
        "outcome is unknown: the error is about the repeat only.",
        "Give the key to `HttpClient.change(key=...)`, and repeat nothing yourself. Declare in `kept_refusals` only "
        "what the vendor keeps under the key.",
        fault="commit-then-drop",
        may_stay_untried=True,
    ),
    _key_promise(
        "K5",
        "The vendor remembers a key for as long as `KeyRules.lifetime` says. A repeat until shortly before its end "
        "moves nothing a second time.",
        "Declare as `lifetime` what the vendor documents, or leave the default of one day.",
        may_stay_untried=True,
    ),
)
