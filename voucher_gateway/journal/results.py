"""Results and errors as JSON, for the journal: without codes, PINs and the vendor's raw objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.results import Deletion, Redemption, Refund, Release, Reservation, TopUp
from voucher_gateway.models.voucher import Links, Voucher
from voucher_gateway.outcome import Result
from voucher_gateway.serialization import make_converter
from voucher_gateway.wire.json import decode

_KINDS: Final[Mapping[str, type[Any]]] = {
    kind.__name__: kind for kind in (Voucher, Reservation, Redemption, Refund, TopUp, Release, Deletion)
}


def write_result(result: Result) -> str:
    """Return a result as one line of JSON."""
    return json.dumps({"kind": type(result).__name__, **_CONVERTER.unstructure(result)}, ensure_ascii=False)


def read_result(text: str) -> Result:
    """Return the result that `write_result` wrote; codes and PINs in it are None."""
    fields: Any = decode(text.encode())
    result: Result = _CONVERTER.structure(fields, _KINDS[fields.pop("kind")])
    return result


def _make() -> cattrs.Converter:
    converter = make_converter()
    converter.register_unstructure_hook(Links, dict)
    for secret in (Code, Pin):
        converter.register_structure_hook(secret, lambda *_: None)
        converter.register_unstructure_hook(secret, lambda _: None)
    for kind in _KINDS.values():
        left_out: dict[str, Any] = {"raw": override(omit=True), "replayed": override(omit=True)}
        if kind is Voucher:
            # Metadata is the shop's own and may be large; a replayed voucher can be read again.
            left_out |= {name: override(omit=True) for name in ("code", "pin", "metadata", "unread")}
        if kind in (Release, Deletion):
            left_out.pop("raw")
        converter.register_unstructure_hook(kind, make_dict_unstructure_fn(kind, converter, True, **left_out))
        converter.register_structure_hook(kind, make_dict_structure_fn(kind, converter, **left_out))
    return converter


_CONVERTER: Final = _make()


def write_error(error: VoucherGatewayError) -> str:
    """Return an error as one line of JSON: without payloads and codes."""
    ticket = getattr(error, "ticket", None)
    fields = {
        "error": type(error).__name__,
        "message": error.message,
        "http_status": error.http_status,
        "vendor_code": error.vendor_code,
        "ticket": None if ticket is None else json.loads(ticket.to_json()),
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}, ensure_ascii=False)
