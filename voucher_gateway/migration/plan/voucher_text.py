"""The JSON text of a planned voucher: a line of a plan, and a column of the tables of a run.

A plan has a million of them, so they are written and read by hand, and not by the converter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from voucher_gateway.instants import format_instant, parse_instant
from voucher_gateway.migration.plan.model import Action, Destination, Kind, PlannedVoucher
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money
from voucher_gateway.serialization import make_converter
from voucher_gateway.wire.json import decode

_CONVERTER: Final = make_converter()
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quote: Final = json.encoder.encode_basestring
"""Returns a string in the quotes and with the escapes of JSON."""
_KEPT: Final = 4096
"""The number of values of each type that are kept, as they come again and again in a plan."""


def voucher_text(planned: PlannedVoucher) -> str:
    """Return a planned voucher as a JSON text of one line. The converter writes the same in three times the time."""
    # The members of an enumeration are texts: as such they take a fraction of the time of their values.
    parts = [f'{{"number":{planned.number},"source_id":{_quote(planned.source_id)}']
    if planned.code is not None:
        parts.append(f'"code":{_quote(planned.code)}')
    if planned.fingerprint is not None:
        parts.append(f'"fingerprint":{_quote(planned.fingerprint)}')
    if planned.key_id is not None:
        parts.append(f'"key_id":{_quote(planned.key_id)}')
    parts.append(f'"kind":"{planned.kind}"')
    remaining = "" if planned.remaining is None else _money_text(planned.remaining)
    if planned.initial is not None:
        same = planned.initial is planned.remaining  # so it is for an unused voucher of a file
        parts.append(f'"initial":{remaining if same else _money_text(planned.initial)}')
    if remaining:
        parts.append(f'"remaining":{remaining}')
    if planned.status is not None:
        parts.append(f'"status":"{planned.status}"')
    if planned.valid_until is not None:
        parts.append(f'"valid_until":"{_instant_text(planned.valid_until)}"')
    parts.append(f'"action":"{planned.action}"')
    if planned.reasons:
        parts.append(f'"reasons":{_texts(planned.reasons)}')
    if planned.losses:
        parts.append(f'"losses":{_texts(planned.losses)}')
    if planned.destination is not None:
        same = planned.destination.value is planned.remaining  # so it is for all but a voucher of unknown value
        parts.append(f'"destination":{_destination_text(planned.destination, remaining if same else None)}')
    return ",".join(parts) + "}"


def _destination_text(destination: Destination, value: str | None) -> str:
    text = f'{{"value":{value or _money_text(destination.value)}'
    if destination.active is not None:
        text += ',"active":true' if destination.active else ',"active":false'
    if destination.valid_until is not None:
        text += f',"valid_until":"{_instant_text(destination.valid_until)}"'
    if destination.validity_days is not None:
        text += f',"validity_days":{destination.validity_days}'
    if destination.drift is not None:
        text += f',"drift":"{_length_text(destination.drift)}"'
    if destination.new_code:
        text += ',"new_code":true'
    return text + "}"


def _money_text(money: Money) -> str:
    # `str` writes no exponent, as no currency has more than four decimals, and takes a fraction of the time of `:f`.
    return f'{{"amount":"{money.amount!s}","currency":"{money.currency}"}}'


@lru_cache(_KEPT)
def _texts(texts: tuple[str, ...]) -> str:
    return _encode(texts)


@lru_cache(_KEPT)
def _instant_text(instant: datetime) -> str:
    return format_instant(instant)


@lru_cache(_KEPT)
def _length_text(length: timedelta) -> str:
    text: str = _CONVERTER.unstructure(length)
    return text


def read_voucher_text(text: str) -> PlannedVoucher:
    """Return the planned voucher that `voucher_text` wrote."""
    return planned_voucher(decode(text.encode()))


def planned_voucher(value: Any) -> PlannedVoucher:
    """Return the planned voucher of a JSON object. The converter returns the same in three times the time.

    Raises:
        Exception: if it is not the object of a planned voucher.
    """
    get = value.get
    remaining, initial, destination = get("remaining"), get("initial"), get("destination")
    status, valid_until = get("status"), get("valid_until")
    return PlannedVoucher(
        number=int(value["number"]),
        source_id=value["source_id"],
        code=get("code"),
        fingerprint=get("fingerprint"),
        key_id=get("key_id"),
        kind=_KINDS[value["kind"]],
        initial=None if initial is None else _money(initial["amount"], initial["currency"]),
        remaining=None if remaining is None else _money(remaining["amount"], remaining["currency"]),
        status=None if status is None else _STATUSES[status],
        valid_until=None if valid_until is None else _instant(valid_until),
        action=_ACTIONS[value["action"]],
        reasons=tuple(get("reasons", ())),
        losses=tuple(get("losses", ())),
        destination=None if destination is None else _destination(destination),
    )


_KINDS: Final = {kind.value: kind for kind in Kind}
_STATUSES: Final = {status.value: status for status in Status}
_ACTIONS: Final = {action.value: action for action in Action}


def _destination(value: Mapping[str, Any]) -> Destination:
    money, valid_until, drift = value["value"], value.get("valid_until"), value.get("drift")
    return Destination(
        value=_money(money["amount"], money["currency"]),
        active=value.get("active"),
        valid_until=None if valid_until is None else _instant(valid_until),
        validity_days=value.get("validity_days"),
        drift=None if drift is None else _length(drift),
        new_code=value.get("new_code", False),
    )


_money: Final = lru_cache(_KEPT)(Money)
_instant: Final = lru_cache(_KEPT)(parse_instant)


@lru_cache(_KEPT)
def _length(text: str) -> timedelta:
    length: timedelta = _CONVERTER.structure(text, timedelta)
    return length
