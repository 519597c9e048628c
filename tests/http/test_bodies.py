"""The body of a request hides its codes until it is sent."""

from __future__ import annotations

import json
import traceback
from decimal import Decimal

import pytest

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.http.messages import Path, Request
from voucher_gateway.masking import Code, Pin

CODE = "GIFT-1234-5678-ABCD"


def test_masked_values_at_any_depth_are_revealed_only_in_the_body() -> None:
    body = {"card": {"gan": Code(CODE), "pins": [Pin("0815"), {"pin": Pin("4711")}]}, "amount": Decimal("10.53")}
    request = Request(method="POST", path=Path.of("/cards"), json=body)
    assert CODE not in repr(request)
    assert json.loads(request.body() or b"", parse_float=str) == {
        "card": {"gan": CODE, "pins": ["0815", {"pin": "4711"}]},
        "amount": "10.53",
    }


def test_a_masked_value_that_cannot_be_sent_is_refused_without_its_text() -> None:
    request = Request(method="POST", path=Path.of("/cards"), json={"card": {"gan": Code(f"{CODE}\ud800")}})
    with pytest.raises(InvalidRequest) as refused:
        request.body()
    assert CODE not in "".join(traceback.format_exception(refused.value))
