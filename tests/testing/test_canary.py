"""The canary finds a secret in the local variables of an error's frames, where an error tracker would."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable

import pytest

from voucher_gateway.testing.harness.canary import Canary

CODE = "CANARY-CODE-4711"


def function_of(module: str, body: str) -> Callable[[str], object]:
    """Return a function of a made-up module, with this body."""
    made = types.ModuleType(module)
    source = "def find(code):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    exec(compile(source, f"{module}.py", "exec"), made.__dict__)
    function: Callable[[str], object] = made.__dict__["find"]
    return function


def place_of(function: Callable[[str], object], *packages: str) -> str | None:
    """Call a function that raises, and return where a canary finds the code."""
    canary = Canary()
    canary.packages.update(packages)
    canary.plant(CODE)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - what is raised does not matter
        function(CODE)
    canary.saw(raised.value)
    return canary.find_leak()


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError",
        "holder = {'body': [('code', code)]}; code = None\nraise ValueError",
        "class Text(str): __repr__ = lambda self: '***'\ncode = Text(code)\nraise ValueError",
        "body = code.encode(); code = None\nraise ValueError",
        "try: raise KeyError\nexcept KeyError: raise ValueError from None",
    ],
    ids=["a text", "a container", "a text with a repr of its own", "bytes", "beside a context"],
)
def test_a_local_variable_of_ours_is_looked_at(body: str) -> None:
    place = place_of(function_of("voucher_gateway_acme.provider", body))
    assert place is not None
    assert "of voucher_gateway_acme.provider.find" in place


def test_a_frame_of_the_context_is_looked_at() -> None:
    body = "def look():\n    text = 'CANARY-CODE' + '-4711'; raise KeyError\ncode = None\n"
    body += "try: look()\nexcept KeyError: raise ValueError from None"
    place = place_of(function_of("voucher_gateway_acme", body))
    assert place is not None
    assert "the local variable text of voucher_gateway_acme.find.<locals>.look" in place


def test_a_strangers_frame_is_looked_at_where_its_package_is_named() -> None:
    function = function_of("acme.vouchers", "raise ValueError")
    assert place_of(function) is None
    assert place_of(function, "acme") is not None


def test_a_third_partys_frame_below_one_of_ours_is_looked_at() -> None:
    theirs = function_of("urllib3.pool", "raise ValueError")
    ours = function_of("voucher_gateway.http", "theirs, text = code\ncode = None\ntheirs(text)")
    place = place_of(lambda code: ours((theirs, code)))  # type: ignore[arg-type]  # both at once
    assert place is not None


def test_the_callers_frames_are_not_looked_at() -> None:
    assert place_of(function_of("shop.checkout", "raise ValueError")) is None
    assert place_of(function_of("voucher_gateway.testing.contracts.read_level.lookups", "raise ValueError")) is None


def test_a_masked_variable_is_no_find() -> None:
    body = "from voucher_gateway import Code\ncode = Code(code)\nraise ValueError"
    assert place_of(function_of("voucher_gateway_acme", body)) is None


def test_the_frames_of_a_logged_error_are_looked_at() -> None:
    canary = Canary()
    canary.plant(CODE)
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - it has no text
        function_of("voucher_gateway_acme", "raise ValueError")(CODE)
    error = raised.value
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "x", (), (type(error), error, error.__traceback__))
    canary.emit(record)
    assert canary.find_leak() is not None
