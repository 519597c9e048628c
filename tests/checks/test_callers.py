"""Who counts as one caller."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.checks.callers import normalize_caller
from voucher_gateway.errors import InvalidRequest

SAME = [
    ("203.0.113.7", "203.0.113.7:51234", "an IPv4 address with and without a port"),
    ("203.0.113.7", " 203.0.113.7 ", "blanks around it"),
    ("203.0.113.7", "::ffff:203.0.113.7", "an IPv4 address as a server with IPv6 sees it"),
    ("203.0.113.7", "[::ffff:203.0.113.7]:443", "the same with a port"),
    ("203.0.113.7", "64:ff9b::cb00:7107", "an IPv4 address behind a translator"),
    ("203.0.113.7", "2002:cb00:7107:1::5", "one of the 65,536 networks that an IPv4 address has by 6to4"),
    ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "two addresses of one IPv6 network of 64 bits"),
    ("2001:db8:1:2::1", "[2001:DB8:1:2:0::9]:8443", "the same, written otherwise"),
    ("fe80::1", "fe80::2%eth0", "with a zone"),
    ("M\u00fcller", "Mu\u0308ller", "one name in two forms of Unicode"),
]
OTHER = [
    ("203.0.113.7", "203.0.113.8", "two IPv4 addresses"),
    ("2001:db8:1:2::1", "2001:db8:1:3::1", "two IPv6 networks"),
    ("customer-17", "customer-18", "two names"),
]


@pytest.mark.parametrize(("first", "second"), [case[:2] for case in SAME], ids=[case[2] for case in SAME])
def test_these_are_one_caller(first: str, second: str) -> None:
    assert normalize_caller(first) == normalize_caller(second)


@pytest.mark.parametrize(("first", "second"), [case[:2] for case in OTHER], ids=[case[2] for case in OTHER])
def test_these_are_two_callers(first: str, second: str) -> None:
    assert normalize_caller(first) != normalize_caller(second)


@pytest.mark.parametrize("caller", ["", "  ", "x" * 201, "10.0.0.1, 203.0.113.7", "a\nb", "a\x00b"])
def test_what_cannot_be_one_caller_is_refused(caller: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        normalize_caller(caller)
    assert refused.value.field == "caller"
    assert not caller.strip() or caller not in str(refused.value)


@pytest.mark.parametrize("caller", [None, 7, b"203.0.113.7"])
def test_a_caller_that_is_no_text_is_a_mistake_of_the_program(caller: Any) -> None:
    with pytest.raises(TypeError, match="caller is a str, not"):
        normalize_caller(caller)
