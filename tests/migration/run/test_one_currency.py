"""A target whose new vouchers have one currency: a plan refuses the others, so a run leaves nothing without value."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from tests.support.simulators import make_gateway
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.migration import Action, Kind, Recode, RowState, make_plan, read_vouchers

NEW_CODES = attrs.evolve(ANYTHING, code_unfit=Recode.NEW_CODE)


def test_vouchers_of_other_currencies_are_refused_by_the_plan_and_no_card_is_left_without_value(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("jtl", "square", 60)
    pending = ids_without_value(pair)
    pair.plan(NEW_CODES)
    assert pair.changes() == 0
    carried = [planned for planned in read_vouchers(pair.path) if planned.action is Action.CARRY]
    others = [planned for planned in read_vouchers(pair.path) if currency_of(planned) not in ("EUR", None)]
    assert {currency_of(planned) for planned in carried} == {"EUR"}
    assert {planned.action for planned in others} == {Action.REFUSE}
    usable = [planned for planned in others if planned.kind in (Kind.UNUSED, Kind.PARTLY_USED)]
    assert usable
    for planned in usable:
        assert f"it is in {currency_of(planned)}, and the target has EUR only" in planned.reasons
    before = SpendableValues.of(pair).sums()
    assert pair.run().counts == {RowState.MOVED: len(carried)}
    assert ids_without_value(pair) == pending
    assert SpendableValues.of(pair).sums() == before


def test_a_plan_to_an_account_whose_currency_is_not_known_is_refused(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "square", 24)
    source, target = pair.accounts
    announcement = {**target.announcement, "access_token": target.announcement["read_only_token"]}
    unknown = attrs.evolve(target, announcement=announcement)
    refusal = pytest.raises(ConfigurationError, match="the currency of new vouchers at this account is not known")
    with make_gateway((source, unknown), pair.url) as gateway, refusal:
        make_plan(gateway, "source", "target", pair.path, policy=NEW_CODES)
    named = attrs.evolve(unknown, settings={"currency": "EUR"})
    with make_gateway((source, named), pair.url) as gateway:
        make_plan(gateway, "source", "target", pair.path, policy=NEW_CODES)
    assert {currency_of(planned) for planned in read_vouchers(pair.path) if planned.action is Action.CARRY} == {"EUR"}


def currency_of(planned: object) -> str | None:
    remaining = getattr(planned, "remaining", None)
    return None if remaining is None else remaining.currency


def ids_without_value(pair: VendorPair) -> set[str]:
    """Return the ids of the cards at the target that were never activated."""
    return {str(card["id"]) for card in pair.target.ledger() if card["status"] == "pending"}
