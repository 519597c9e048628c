"""The read level: the declarations of a provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import AccountCheck, Capabilities, Operation, Support
from voucher_gateway.config.provider_settings import ConfigProblems, read_settings
from voucher_gateway.errors import AccessDenied, ConfigurationError, UnsupportedOperation, VoucherGatewayError
from voucher_gateway.models.requests import NewVoucher, VoucherChanges, VoucherQuery
from voucher_gateway.models.results import Redemption, Reservation
from voucher_gateway.money import Money
from voucher_gateway.provider.declaration import INTERFACE
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.registry import declares_interface
from voucher_gateway.rules.amounts import AmountRules
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.ledger import ledger_vouchers
from voucher_gateway.testing.harness.vendor import ACCOUNT, IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.promises.checks import fail, for_promise, require, settings_secrets

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_SECRETIVE: Final = re.compile("secret|password|api_key|token")
_PARTIAL: Final = frozenset({Operation.CAPTURE, Operation.REFUND})
_COMMON_FILTERS: Final = {field.name for field in attrs.fields(VoucherQuery)} - {
    "native",
    "newest_first",
    "limit",
    "resume",
}


class CapabilitiesContract(Contract):
    """A provider has what it declares, and nothing else."""

    @for_promise("D1")
    def test_the_declaration_agrees_with_itself(self) -> None:
        kind = self.provider
        wrong = list(_flaws(kind.declared))
        if not _NAME.fullmatch(kind.name):
            wrong.append("name must be lower-case letters, digits, - and _")
        if not kind.title.strip():
            wrong.append("title is empty")
        if not declares_interface(kind):
            wrong.append(
                f"the class does not say for which interface it was built, as interface_version = {INTERFACE} would"
            )
        elif kind.interface_version != INTERFACE:
            wrong.append(f"interface is {kind.interface_version}, and this library's is {INTERFACE}")
        if not attrs.has(kind.settings_type):
            wrong.append("settings_type is not an attrs class")
        require(not wrong, "; ".join(wrong))

    @for_promise("D2")
    def test_settings_are_strict(self, provider_: VoucherProvider) -> None:
        kind = self.provider.settings_type
        required = [field.alias for field in attrs.fields(kind) if field.init and field.default is attrs.NOTHING]
        for table, what in (
            ({"x_no_such_key": "1"}, "an unknown key"),
            ({}, "a table without the keys that are needed"),
            (dict.fromkeys(required, 7), "numbers in place of texts"),
        ):
            if table or required:
                problems = ConfigProblems("settings")
                read_settings(kind, table, problems, (), folder=None, reserved=())
                require(len(problems) or not required, f"{what} was taken")
        for secret in settings_secrets(provider_.settings):
            text = f"{provider_.settings!r} {provider_!r} {provider_}"
            require(secret not in text, "a secret of the settings shows in their repr or in the provider's")
        for field in attrs.fields(kind):
            secretive = any(word in field.name for word in ("secret", "password", "api_key", "token"))
            value = getattr(provider_.settings, field.name)
            require(
                not secretive or "url" in field.name or not isinstance(value, str),
                f"{field.name} is plain text: use SecretSource",
            )
            if isinstance(value, SecretSource):
                _check_from_code(provider_.settings, field)

    @for_promise("D3")
    def test_making_a_provider_sends_nothing(self, vendor: VendorUnderTest) -> None:
        before = len(vendor.request_lines)
        provider = vendor.provider()
        capabilities, host, login = provider.capabilities, provider.host, provider.login
        provider.vendor_now()
        require(isinstance(capabilities, Capabilities), "capabilities is not a Capabilities")
        require(type(host) is str and host, "host is not a string, or is empty: it separates operations")
        require(login is None or (type(login) is str and login), "login is neither text nor None")
        for secret in settings_secrets(provider.settings):
            require(secret not in f"{host} {login}", "host or login holds a secret: both are stored and shown")
        require(provider.account == ACCOUNT, f"account is {provider.account!r}, not the one that was given")
        require(vendor.provider().host == host, "two instances on one account name different hosts")
        require(len(vendor.request_lines) == before, "something was sent before any call was made")

    @for_promise("D4")
    def test_run_time_only_narrows_the_declaration(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        provider_.get(ledger_vouchers(vendor)[0].id)
        capabilities, declared = provider_.capabilities, provider_.declared
        for operation in Operation:
            if capabilities.of(operation).support is Support.NATIVE:
                native = declared.of(operation).support is Support.NATIVE
                require(native, f"{operation.value} is native at run time, and not in the declaration")
        require(capabilities.resolvable <= declared.resolvable, "more can be resolved at run time than was declared")
        require(
            capabilities.listing.filters <= declared.listing.filters, "there are more filters at run time than declared"
        )
        require(
            declared.can_overwrite_value or not capabilities.can_overwrite_value,
            "values can be written at run time only",
        )

    @for_promise("D5")
    def test_check_is_honest(self, vendor: VendorUnderTest) -> None:
        provider = vendor.provider()
        before = len(vendor.request_lines)
        account_check = provider.check()
        sent = len(vendor.request_lines) > before
        require(isinstance(account_check, AccountCheck), "check gave no AccountCheck")
        require(
            account_check.asked == sent,
            f"check says asked={account_check.asked}, and {'something' if sent else 'nothing'} was sent",
        )
        if not sent:
            return
        for fault in ("error-before", "unauthorized"):
            if fault not in vendor.faults:
                continue
            impatient = vendor.provider(**select_settings(self.provider, IMPATIENT))
            for at in range(12):
                vendor.inject_fault(fault, at)
            try:
                impatient.check()
            except VoucherGatewayError as error:
                denied = fault != "unauthorized" or isinstance(error, AccessDenied)
                require(denied, f"check reported a refused login as {type(error).__name__}")
            else:
                fail(f"check found all well while the vendor answered everything with {fault}")
            vendor.clear_faults()

    @for_promise("D6")
    def test_what_is_not_declared_is_unsupported(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        calls = dict(_operation_calls(provider_, vendor))
        lacking = [
            operation.value
            for operation in Operation
            if self.provider.declared.of(operation).support is not Support.NATIVE
        ]
        if not self.provider.declared.can_overwrite_value:
            lacking.append("read_value")
        for name in lacking:
            before = len(vendor.request_lines)
            try:
                calls[name]()
            except UnsupportedOperation as error:
                require(
                    name == "read_value" or error.operation == name, f"the error of {name} names {error.operation!r}"
                )
                require(error.account == ACCOUNT, f"the error of {name} names the account {error.account!r}")
            else:
                fail(f"{name} is not declared, and did not raise UnsupportedOperation")
            require(len(vendor.request_lines) == before, f"{name} is not declared, and something was sent")

    @for_promise("L1")
    def test_a_provider_of_the_spend_level_changes_something(self) -> None:
        """Its declaration names a changing operation."""
        declared = self.provider.declared
        changing = [
            operation
            for operation in Operation
            if operation.changes and declared.of(operation).support is Support.NATIVE
        ]
        require(changing, f"{self.provider.name} declares reading operations only")


def _check_from_code(settings: Any, attribute: Any) -> None:
    """Check that settings made in Python convert a secret that is a string, or refuse it at once."""
    try:
        changed = attrs.evolve(settings, **{attribute.alias: "a text"})
    except (ConfigurationError, TypeError):
        return
    value = getattr(changed, attribute.name)
    require(
        isinstance(value, SecretSource),
        f"{attribute.name} stays plain text if a program gives it as such: add converter=secret_source",
    )


def _operation_calls(provider: VoucherProvider, vendor: VendorUnderTest) -> Iterator[tuple[str, Callable[[], Any]]]:
    true = ledger_vouchers(vendor)[0]
    money = Money.from_minor(100, true.initial.currency)
    reservation = Reservation(account=ACCOUNT, id="r", voucher_id=true.id, money=money)
    redemption = Redemption(account=ACCOUNT, id="m", voucher_id=true.id, money=money)
    id, code, name = true.id, true.code, "contract-1"
    yield "balance", partial(provider.balance, code)
    yield "vouchers", lambda: list(provider.vouchers())
    yield "history", partial(provider.history, id)
    yield "presentation", partial(provider.presentation, code, id=id)
    yield "issue", partial(provider.issue, NewVoucher(initial=money), reference=name)
    yield "activate", partial(provider.activate, id, reference=name)
    yield "deactivate", partial(provider.deactivate, id, reference=name)
    yield "update", partial(provider.update, id, VoucherChanges(sku="S"), reference=name)
    yield "top_up", partial(provider.top_up, id, money, reference=name)
    yield "delete", partial(provider.delete, id, "contract", reference=name)
    yield "reserve", partial(provider.reserve, code, money, reference=name)
    yield "capture", partial(provider.capture, reservation, reference=name)
    yield "release", partial(provider.release, reservation, reference=name)
    yield "redeem", partial(provider.redeem, code, money, reference=name)
    yield "refund", partial(provider.refund, redemption, reference=name)
    yield "read_value", partial(provider.read_value, code)


def _flaws(declared: Capabilities) -> Iterator[str]:
    for operation in Operation:
        support = declared.of(operation)
        native = support.support is Support.NATIVE
        if native and operation.changes and support.repeat is None:
            yield f"{operation.value} changes something, and its `repeat` is not declared"
        if native and not operation.changes and support.repeat is not None:
            yield f"{operation.value} only reads, and has a `repeat`"
        if support.partial is not None and operation not in _PARTIAL:
            yield f"`partial` has no meaning for {operation.value}"
        if native and operation in _PARTIAL and support.partial is None:
            yield f"{operation.value} does not declare `partial`"
    reserves = declared.of(Operation.RESERVE).support is Support.NATIVE
    if reserves != (declared.reservations is not None):
        yield "reservation rules are due exactly where reserve is native"
    if declared.reservations is not None:
        releases = declared.of(Operation.RELEASE).support is Support.NATIVE
        if declared.reservations.release != releases:
            yield "the reservation rules and the operation disagree about release"
        if declared.reservations.partial_capture != bool(declared.of(Operation.CAPTURE).partial):
            yield "the reservation rules and the operation disagree about partial capture"
    if any(not operation.changes for operation in declared.resolvable):
        yield "`resolvable` names an operation that only reads"
    if declared.currency_from not in ("voucher", "account"):
        yield "currency_from is neither 'voucher' nor 'account'"
    yield from _flaws_of_limits(declared)


def _flaws_of_limits(declared: Capabilities) -> Iterator[str]:
    amounts: AmountRules = declared.amounts
    codes, listing = declared.codes, declared.listing
    for rules in (amounts, *amounts.by_currency.values()):
        if rules.maximum is not None and rules.maximum < rules.minimum:
            yield "the largest amount is below the smallest"
        if rules.movement_maximum is not None and rules.movement_maximum < rules.movement_minimum:
            yield "the largest amount of a movement is below the smallest"
        if rules.by_currency and rules is not amounts:
            yield "the rules of a currency have rules of currencies again"
    names = [option.name for option in declared.options]
    if len(names) > len(set(names)):
        yield "two options have the same name"
    verbs = {verb for option in declared.options for verb in option.operations}
    if any(declared.of(verb).support is not Support.NATIVE for verb in verbs):
        yield "an option names an operation that is not declared native"
    if codes.max_length is not None and codes.max_length < codes.min_length:
        yield "the longest code is shorter than the shortest"
    if listing.page_size < 1 or (listing.max_page_size or listing.page_size) < listing.page_size:
        yield "the usual page is larger than the largest, or empty"
    if unknown := sorted(listing.filters - _COMMON_FILTERS):
        yield f"{', '.join(unknown)} are not common filters of VoucherQuery"
    if declared.max_reference_length < 1:
        yield "max_reference_length is below 1"
