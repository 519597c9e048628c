"""A shop as a WSGI application: loaded once by the server, which calls the vendor while it loads it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from voucher_gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Money, SecretSource, VoucherGatewayError
from voucher_gateway_jtl import JtlProvider, JtlSettings

_settings = JtlSettings(
    base_url=os.environ["SHOP_BASE_URL"],
    client_id=os.environ["SHOP_CLIENT_ID"],
    client_secret=SecretSource.of(os.environ["SHOP_CLIENT_SECRET"]),
)
_journal = open_journal(os.environ["SHOP_JOURNAL"], {"1": SecretSource.of(os.environ["SHOP_JOURNAL_KEY"])})
gateway = Gateway({"shop": JtlProvider("shop", _settings)}, journal=_journal)
gateway.provider("shop").check()


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Take one euro off a voucher, and answer what came of it and in which process."""
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    try:
        taken = gateway.redeem(
            "shop", query["code"], Money(1, "EUR"), reference=query["reference"], order=query["reference"], wait=20
        )
        answer = {"voucher_id": taken.voucher_id}
    except VoucherGatewayError as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({**answer, "process": os.getpid()}).encode()]
