"""No verb sends a removed reference again, whatever the state of its operation was, and however it is written."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.shop import Shop
from tests.support.simulators import make_journal_keys
from voucher_gateway import Money, Operation, ReferencePruned
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.names import rename_account
from voucher_gateway.journal.pruned.pruned import Remainder, find_pruned, insert_remainders
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.journal.schema import operations
from voucher_gateway.outcome import Intent
from voucher_gateway.upkeep.eligibility import FINISHED
from voucher_gateway.upkeep.prune import prune

CHANGING: Final = [operation for operation in Operation if operation.changes]
LOGIN: Final = {"provider": "jtl", "host": "vendor.test", "login": "a-client"}
KEYS: Final = {f"k{number}": f"key number {number} of a journal, long enough" for number in range(3)}


@pytest.mark.parametrize("state", FINISHED)
@pytest.mark.parametrize("verb", CHANGING)
def test_neither_the_look_up_nor_the_record_of_a_request_lets_it_pass(
    make_shop: Callable[..., Shop], sqlite_url: str, verb: Operation, state: OperationState
) -> None:
    shop = make_shop(sqlite_url)
    _, code = shop.voucher()
    shop.redeem(code, reference="old")
    with shop.journal.database.write() as connection:
        connection.execute(sa.update(operations).values(verb=verb.value, state=state.value))
    key = OperationKey("shop", verb, "old")
    record = shop.journal.find(key)
    assert record is not None
    prune(shop.journal, now() + timedelta(days=2))
    with pytest.raises(ReferencePruned) as caught:
        shop.journal.find_unless_pruned(key)
    assert caught.value.state == state.value
    target = record.target
    intent = Intent(
        account="shop", provider=target.provider, host=target.host, login=target.login, verb=verb.value, reference="w"
    )
    with pytest.raises(ReferencePruned):  # a worker that looked before the operation was written and removed
        shop.journal.record_request(
            attrs.evolve(record, id=f"{record.id[:-1]}f", attempt=1, epoch=1),
            new=True,
            step=verb.value,
            decisive=True,
            intent=intent,
            finished=(),
            hold=None,
            vendor_now=now(),
        )
    assert shop.journal.find(key) is None


references = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
names = st.tuples(st.sampled_from([verb.value for verb in CHANGING]), references)
steps = st.lists(st.one_of(st.tuples(st.just("prune"), names), st.sampled_from(["rotate", "rename"])), max_size=12)


@given(steps=steps, others=st.lists(names, max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_removed_name_is_found_after_any_rotations_and_renames_and_no_other_is(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object], others: list[tuple[str, str]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("journal")
    url = f"sqlite:///{folder}/journal.db"
    account, key_ids, removed = "name-0", ["k0"], set()
    for number, step in enumerate(steps, 1):
        configured = {key_id: KEYS[key_id] for key_id in key_ids}
        with (
            closing(open_journal(url, make_journal_keys(configured))) as journal,
            journal.database.write() as connection,
        ):
            if step == "rotate":
                key_ids = [f"k{each}" for each in range(min(len(key_ids) + 1, len(KEYS)))]
            elif step == "rename":
                rename_account(connection, journal.keys, [account], f"name-{number}", LOGIN)
                account = f"name-{number}"
            else:
                assert isinstance(step, tuple)
                verb, reference = step[1]
                name = (verb, unicodedata.normalize("NFC", reference))
                if name not in removed:
                    removed.add(name)
                    remainder = Remainder(
                        verb=verb,
                        name=name[1],
                        state="succeeded",
                        created_at=now(),
                        account=account,
                        money=Money(1, "EUR"),
                        **LOGIN,
                    )
                    insert_remainders(connection, journal.keys, [remainder])
    configured = {key_id: KEYS[key_id] for key_id in key_ids}
    with closing(open_journal(url, make_journal_keys(configured))) as journal, journal.database.read() as connection:
        for verb, reference in {*removed, *others}:
            key = OperationKey(account, Operation(verb), reference)
            found = find_pruned(connection, journal.keys, verb, key.reference, account=account)
            assert (found is not None) == ((verb, key.reference) in removed)
            assert find_pruned(connection, journal.keys, verb, key.reference, account="another") is None
