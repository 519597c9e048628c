"""A provider's class does what it declares, and nothing that it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.capabilities import (
    Capabilities,
    Expiry,
    ListingRules,
    Operation,
    OperationSupport,
    Support,
    native,
)
from voucher_gateway.errors import ConfigurationError, MalformedResponse, UnsupportedOperation, VoucherNotFound
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import NewVoucher, VoucherChanges
from voucher_gateway.models.results import Balance, Redemption, Reservation
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.outcome import Effect, Intent
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.provider.readings import ValueReading
from voucher_gateway.rules.codes import CodeRules

EUR = Money("10.53", "EUR")
ALWAYS = {Operation.FIND, Operation.GET}
PRIMITIVES = {"read_value", "write_value", "resolve"}


def declaring(operations: Mapping[Operation, OperationSupport] | set[Operation], **more: Any) -> Capabilities:
    if isinstance(operations, set):
        operations = dict.fromkeys(operations, native())
    return Capabilities(
        operations=operations,
        codes=CodeRules(choosable=False, readable=False),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=10),
        **more,
    )


def _method(*_: object, **__: object) -> None:
    """Stands for any method of a provider."""


def define(
    declared: Capabilities, *overridden: str, base: type[VoucherProvider] = VoucherProvider
) -> type[VoucherProvider]:
    """Define a provider class, as an author's module would."""
    return type("Acme", (base,), {"title": "Acme", "declared": declared, **dict.fromkeys(overridden, _method)})


@attrs.frozen
class Settings:
    pass


class Shelf(VoucherProvider):
    """A vendor that shows vouchers and can do nothing else."""

    name = "shelf"
    title = "Shelf"
    settings_type = Settings
    declared = declaring({Operation.FIND, Operation.GET, Operation.BALANCE})
    shown: Voucher = Voucher(account="shop", id="v-1", remaining=EUR, status=Status.ACTIVE)

    @property
    def host(self) -> str:
        return "shelf.example"

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        if Code.of(code) != Code("GIFT-1234-ABCD"):
            raise VoucherNotFound("no such voucher")
        return self.shown

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        return self.shown


@pytest.fixture
def shelf() -> Shelf:
    return Shelf("shop", Settings())


RESERVATION = Reservation(account="shop", id="r-1", money=EUR)
REDEMPTION = Redemption(account="shop", id="c-1", money=EUR)

CALLS: dict[Operation, Callable[[VoucherProvider], object]] = {
    Operation.VOUCHERS: lambda it: it.vouchers(),
    Operation.HISTORY: lambda it: it.history("v-1"),
    Operation.PRESENTATION: lambda it: it.presentation("c"),
    Operation.ISSUE: lambda it: it.issue(NewVoucher(initial=EUR), reference="a"),
    Operation.ACTIVATE: lambda it: it.activate("v-1", reference="a"),
    Operation.DEACTIVATE: lambda it: it.deactivate("v-1", reference="a"),
    Operation.UPDATE: lambda it: it.update("v-1", VoucherChanges(), reference="a"),
    Operation.TOP_UP: lambda it: it.top_up("v-1", EUR, reference="a"),
    Operation.DELETE: lambda it: it.delete("v-1", "sold twice", reference="a"),
    Operation.RESERVE: lambda it: it.reserve("GIFT-1234-ABCD", EUR, reference="a"),
    Operation.CAPTURE: lambda it: it.capture(RESERVATION, reference="a"),
    Operation.RELEASE: lambda it: it.release(RESERVATION, reference="a"),
    Operation.REDEEM: lambda it: it.redeem("GIFT-1234-ABCD", EUR, reference="a"),
    Operation.REFUND: lambda it: it.refund(REDEMPTION, reference="a"),
}


def test_every_operation_is_tried_here() -> None:
    assert set(CALLS) | ALWAYS | {Operation.BALANCE} == set(Operation)


@pytest.mark.parametrize("operation", CALLS)
def test_an_operation_that_is_not_declared_is_refused_by_name(shelf: Shelf, operation: Operation) -> None:
    with pytest.raises(UnsupportedOperation) as refused:
        CALLS[operation](shelf)
    error = refused.value
    assert (error.account, error.operation, error.emulation) == ("shop", operation.value, None)
    assert error.message == f"Shelf has no {operation.value.replace('_', '-')}"
    assert "GIFT" not in str(error)


def test_the_refusal_says_why_and_names_the_emulation_that_could_be_accepted() -> None:
    class Noted(Shelf):
        declared = Shelf.declared.with_support(
            {
                Operation.REDEEM: OperationSupport(
                    support=Support.UNSUPPORTED, note="only at its own checkout", emulation="redeem-by-update"
                )
            }
        )

    with pytest.raises(UnsupportedOperation, match="Shelf has no redeem: only at its own checkout") as refused:
        Noted("shop", Settings()).redeem("GIFT-1234-ABCD", EUR, reference="a")
    assert refused.value.emulation == "redeem-by-update"


optional = st.sets(st.sampled_from(sorted(set(Operation) - ALWAYS)))


@given(declared=optional, overridden=optional)
def test_a_class_whose_declaration_and_methods_differ_is_refused_naming_each_difference(
    declared: set[Operation], overridden: set[Operation]
) -> None:
    missing = declared - overridden - {Operation.BALANCE}  # which is made out of find
    undeclared = overridden - declared
    capabilities = declaring(declared | ALWAYS)
    if not missing and not undeclared:
        assert define(capabilities, *overridden).declared is capabilities
        return
    with pytest.raises(ConfigurationError) as refused:
        define(capabilities, *overridden)
    told = refused.value.message.removeprefix("provider Acme: ").split("; ")
    assert set(told) == {f"{it} is declared native but not overridden" for it in missing} | {
        f"{it} is overridden but not declared native" for it in undeclared
    }
    assert len(told) == len(missing) + len(undeclared)


def test_inactive_vouchers_can_be_issued_only_where_the_status_of_a_new_one_is_stored() -> None:
    with pytest.raises(
        ConfigurationError, match="can_issue_inactive is declared but stored_fields does not name active"
    ):
        define(declaring(set(ALWAYS), can_issue_inactive=True))
    define(declaring(set(ALWAYS), can_issue_inactive=True, stored_fields=frozenset({"active"})))


@pytest.mark.parametrize("support", [Support.EMULATED, Support.DENIED, Support.UNSUPPORTED])
def test_only_native_support_goes_with_a_method(support: Support) -> None:
    declared = declaring({**dict.fromkeys(ALWAYS, native()), Operation.REDEEM: OperationSupport(support=support)})
    assert define(declared).declared is declared
    with pytest.raises(ConfigurationError, match="redeem is overridden but not declared native"):
        define(declared, "redeem")


@pytest.mark.parametrize("operation", sorted(ALWAYS))
def test_find_and_get_must_be_declared(operation: Operation) -> None:
    with pytest.raises(ConfigurationError, match=f"{operation} must be declared native"):
        define(declaring(ALWAYS - {operation}))


@given(writes=st.booleans(), resolves=st.booleans(), overridden=st.sets(st.sampled_from(sorted(PRIMITIVES))))
def test_the_primitives_of_emulations_and_resolve_are_declared_too(
    writes: bool, resolves: bool, overridden: set[str]
) -> None:
    declared = declaring(
        ALWAYS, can_overwrite_value=writes, resolvable=frozenset({Operation.ISSUE} if resolves else ())
    )
    wanted = {"read_value": writes, "write_value": writes, "resolve": resolves}
    wrong = {name for name, claimed in wanted.items() if claimed is not (name in overridden)}
    if not wrong:
        define(declared, *overridden)
        return
    with pytest.raises(ConfigurationError) as refused:
        define(declared, *overridden)
    assert refused.value.message.count("; ") == len(wrong) - 1
    for name in wrong:
        assert (
            f"declared but {name} is not" in refused.value.message
            or f"{name} is overridden but" in refused.value.message
        )


def test_a_subclass_that_overrides_more_than_it_inherits_as_declared_is_refused() -> None:
    parent = define(declaring(ALWAYS))
    with pytest.raises(ConfigurationError, match="redeem is overridden but not declared native"):
        type("Child", (parent,), {"redeem": _method})


def test_a_common_base_of_several_providers_need_not_declare_anything() -> None:
    base = type("Family", (VoucherProvider,), {"redeem": _method})
    assert define(declaring(ALWAYS | {Operation.REDEEM}), base=base)
    with pytest.raises(ConfigurationError, match="redeem is overridden"):
        define(declaring(ALWAYS), base=base)


@pytest.mark.parametrize("missing", ["find", "get", "host"])
def test_a_provider_without_find_get_or_host_cannot_be_made(missing: str) -> None:
    names = {"find": _method, "get": _method, "host": "h"}
    del names[missing]
    kind = type("Acme", (VoucherProvider,), {"declared": declaring(ALWAYS), **names})
    with pytest.raises(TypeError, match=missing):
        kind("shop", Settings())


def test_balance_is_made_out_of_find(shelf: Shelf) -> None:
    assert shelf.balance("GIFT-1234-ABCD") == Balance(
        account="shop", voucher_id="v-1", remaining=EUR, status=Status.ACTIVE
    )
    with pytest.raises(VoucherNotFound):
        shelf.balance("GIFT-0000-ABCD")


def test_a_balance_that_the_vendor_does_not_tell_is_malformed_and_never_guessed(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shelf, "shown", Voucher(account="shop", id="v-1", initial=EUR))
    with pytest.raises(MalformedResponse) as refused:
        shelf.balance("GIFT-1234-ABCD")
    assert (refused.value.account, refused.value.operation) == ("shop", "balance")


def test_a_balance_that_is_not_declared_is_refused_although_it_could_be_made() -> None:
    class Mute(Shelf):
        declared = declaring(ALWAYS)

    with pytest.raises(UnsupportedOperation) as refused:
        Mute("shop", Settings()).balance("GIFT-1234-ABCD")
    assert refused.value.operation == "balance"


def test_values_cannot_be_overwritten_unless_the_provider_says_how(shelf: Shelf) -> None:
    value = ValueReading(voucher_id="v-1", value=EUR, remaining=EUR)
    intent = shelf.intent(Operation.REDEEM, reference="a")
    with pytest.raises(UnsupportedOperation):
        shelf.read_value("GIFT-1234-ABCD")
    with pytest.raises(UnsupportedOperation):
        shelf.write_value(value, EUR, intent=intent)


def test_what_must_be_written_back_unchanged_does_not_show() -> None:
    value = ValueReading(voucher_id="v-1", value=EUR, remaining=EUR, passthrough={"code": "GIFT-1234-ABCD"})
    assert "GIFT" not in repr(value)


def test_an_outcome_is_unknown_unless_the_provider_can_prove_more(shelf: Shelf) -> None:
    outcome = shelf.resolve(shelf.intent(Operation.REDEEM, reference="a"))
    assert outcome.effect is Effect.UNKNOWN
    assert outcome.result is None
    assert outcome.repeatable is False


def test_an_intent_says_where_it_goes_and_what_it_is_about(shelf: Shelf) -> None:
    before = datetime.now(UTC)
    intent = shelf.intent(
        Operation.TOP_UP, reference="a", order="1001", voucher_id="v-1", subject="s", money=EUR, seen="m-1,m-2"
    )
    assert intent == Intent(
        account="shop",
        provider="shelf",
        host="shelf.example",
        login=None,
        verb="top_up",
        reference="a",
        order="1001",
        voucher_id="v-1",
        subject="s",
        money=EUR,
        sent_at=intent.sent_at,
        notes={"seen": "m-1,m-2"},
    )
    assert before <= intent.sent_at <= datetime.now(UTC)


def test_a_provider_gives_no_logins_out_unless_it_says_how() -> None:
    with pytest.raises(UnsupportedOperation) as refused:
        Shelf.connect("https://shelf.example", "1234-5678")
    assert refused.value.operation == "connect"
    assert "1234" not in str(refused.value)


def test_a_check_of_a_provider_that_cannot_list_tells_nothing(shelf: Shelf) -> None:
    assert shelf.check().scopes is None


def test_a_provider_is_closed_when_its_block_ends(monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> None:
    closed: list[Shelf] = []
    monkeypatch.setattr(Shelf, "close", lambda it: closed.append(it))
    with shelf as same:
        assert same is shelf
        assert closed == []
    assert closed == [shelf]
