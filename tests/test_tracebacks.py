"""Errors leave the frames behind whose local variables hold plain text."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import attrs
import pytest

from voucher_gateway.errors import InvalidRequest, VoucherGatewayError
from voucher_gateway.masking import ErrorContext, drop_frames, hide_arguments, hide_frames, hide_init_arguments


def functions_of(error: BaseException) -> list[str]:
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


def fail(text: str) -> str:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise InvalidRequest("wrong", field="code", rule="right") from error


def test_a_dropped_frame_takes_the_causes_along() -> None:
    with pytest.raises(InvalidRequest) as raised:
        fail("plain")
    error = drop_frames(raised.value)
    assert error is raised.value
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_an_error_leaves_a_block_without_the_frames_of_the_block() -> None:
    def function_with_the_block() -> str:
        with hide_frames():
            return fail("plain")

    def caller() -> str:
        return function_with_the_block()

    with pytest.raises(InvalidRequest) as raised:
        caller()
    assert functions_of(raised.value)[1:] == ["caller"]
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def test_an_error_of_a_block_names_the_account_and_the_operation_unless_it_names_others() -> None:
    def function_with_the_block() -> str:
        with ErrorContext(account="shop", operation="find"), ErrorContext(account=None, operation="get"):
            return fail("plain")

    with pytest.raises(InvalidRequest) as raised:
        function_with_the_block()
    assert (raised.value.account, raised.value.operation) == ("shop", "get")
    assert len(functions_of(raised.value)) == 1


def test_a_foreign_error_keeps_its_frames_because_it_is_a_bug() -> None:
    def function_with_the_block() -> int:
        with hide_frames():
            return int("no number")

    with pytest.raises(ValueError, match="no number") as raised:
        function_with_the_block()
    assert functions_of(raised.value)[-1] == "function_with_the_block"


def test_what_the_caller_was_handling_stays_the_context() -> None:
    def handle() -> None:
        try:
            raise LookupError("the caller's")
        except LookupError:
            with hide_frames():
                fail("plain")

    with pytest.raises(InvalidRequest) as raised:
        handle()
    assert isinstance(raised.value.__context__, LookupError)


def test_hidden_arguments_are_in_no_frame_of_the_error() -> None:
    with pytest.raises(InvalidRequest) as raised:
        hide_arguments(fail)("plain")
    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)][1:]
    assert [frame.f_code.co_name for frame in frames] == ["call"]
    assert "plain" not in repr([frame.f_locals for frame in frames])


def test_a_function_with_hidden_arguments_is_otherwise_the_same() -> None:
    assert hide_arguments(str.upper)("a") == "A"
    assert hide_arguments(fail).__name__ == "fail"


@hide_init_arguments
@attrs.frozen
class Card:
    pin: str
    size: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))


@pytest.mark.parametrize("kind", [TypeError, VoucherGatewayError])
def test_an_object_that_cannot_be_made_leaves_no_argument_behind(kind: type[Exception]) -> None:
    @hide_init_arguments
    class Sealed(Card):
        def __init__(self, pin: str) -> None:
            raise InvalidRequest("wrong", field="pin", rule="right")

    make: dict[type[Exception], Callable[[], object]] = {
        TypeError: lambda: Card("plain", "a text"),  # type: ignore[arg-type]  # on purpose
        VoucherGatewayError: lambda: Sealed("plain"),
    }
    with pytest.raises(kind) as raised:
        make[kind]()
    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)][2:]
    assert [frame.f_code.co_name for frame in frames] == ["call"]
    assert "plain" not in repr([frame.f_locals for frame in frames])
    assert Card("1234") == Card("1234", 1)
