"""The journal's key is rotated in the middle of a move: the plan is of the old key, and what follows uses both."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from tests.support.long import first
from tests.support.simulators import JOURNAL_KEYS, make_gateway, make_journal_keys
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.migration import (
    Recode,
    RowState,
    Verdict,
    iterate_new_codes,
    make_certificate,
    rollback_plan,
    run_plan,
    status_of,
    verify_plan,
)

_NEWER_KEY = {"newer": "another-key-of-at-least-32-characters"}


@pytest.mark.parametrize("target", first(["square", "ticketing"]))
def test_a_move_goes_on_is_proved_and_rolled_back_under_a_newer_key(
    make_pair: Callable[..., VendorPair], target: str
) -> None:
    pair = make_pair("jtl", target, 60)
    pair.plan(attrs.evolve(ANYTHING, code_unfit=Recode.NEW_CODE))
    before = SpendableValues.of(pair)
    early = pair.run(limit=3).counts[RowState.MOVED]
    journal = open_journal(pair.url, make_journal_keys({**JOURNAL_KEYS, **_NEWER_KEY}))
    with make_gateway(pair.accounts, journal) as gateway:
        late = run_plan(gateway, pair.path).counts[RowState.MOVED]
        assert status_of(gateway, pair.path).count(RowState.MOVED) == early + late
        assert verify_plan(gateway, pair.path).proved
        assert make_certificate(gateway, pair.path).verdict is Verdict.COMPLETE
        assert SpendableValues.of(pair).sums() == before.sums()
        codes = {new.new_code.reveal() for new in iterate_new_codes(gateway, pair.path) if new.new_code is not None}
        new_at_target = SpendableValues.of(pair).target.keys() - before.target.keys()
        assert codes == (new_at_target - before.source.keys())
        assert rollback_plan(gateway, pair.path).undone == early + late
        assert make_certificate(gateway, pair.path).verdict is Verdict.ROLLED_BACK
    assert SpendableValues.of(pair).all == before.all
