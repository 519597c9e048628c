"""A prune and an erasure are killed at every commit, and run again: nothing is lost, and nothing is sent again."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway, Money, NewVoucher, Redemption, ReferencePruned, Refund
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.journal.schema import events, holds, operations, pruned, requests
from voucher_gateway.upkeep.forget import forget
from voucher_gateway.upkeep.prune import prune

REFERENCES = [f"1001-{number}" for number in range(5)]
Upkeep = Callable[[Journal, Path], object]


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


def fill(shop: Shop) -> tuple[str, Redemption]:
    """Make redemptions, a refund, a payment and a sale of one order, and return the code and the first redemption."""
    _, code = shop.voucher("500.00")
    taken = [shop.redeem(code, "2.00", reference=reference, order="1001") for reference in REFERENCES]
    shop.gateway.refund("shop", taken[0], eur("1"), reference="back", order="1001")
    payment = shop.gateway.payment("1001", total=eur("3"))
    payment.add(code, account="shop")
    payment.authorize()
    payment.capture()
    sale = shop.gateway.sale("sold", "shop", NewVoucher(initial=eur("20")), order="1001")
    sale.fulfil()
    sale.delivered()
    return code, taken[0]


def run_and_die(url: str, work: Upkeep, folder: Path, doomed: int) -> bool:
    """Do something in a child process that is killed at one of its commits, and return whether it was."""
    child = os.fork()
    if child == 0:
        try:
            commits = itertools.count(1)

            def die(_: object) -> None:
                if next(commits) == doomed:
                    os.kill(os.getpid(), signal.SIGKILL)

            journal = open_journal(url, make_journal_keys())
            sa.event.listen(sa.engine.Engine, "commit", die)
            work(journal, folder)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def prune_all(journal: Journal, _: Path) -> object:
    return prune(journal, now() + timedelta(days=2))


def prune_with_archive(journal: Journal, folder: Path) -> object:
    return prune(journal, now() + timedelta(days=2), archive=folder / "archive.jsonl.gz")


def forget_order(journal: Journal, _: Path) -> object:
    return forget(journal, "1001")


def state_after(call: Callable[[], object]) -> str:
    """Make an old call again, and return the state that it ended in, as its replay or its refusal says."""
    try:
        result = call()
    except ReferencePruned as error:
        return error.state
    if isinstance(result, Redemption | Refund):
        return "succeeded" if result.replayed else "sent again"
    return str(getattr(result, "state", ""))


def require_nothing_sent(shop: Shop, gateway: Gateway, code: str, redemption: Redemption) -> None:
    """Make every old call again: each is replayed or refused, and nothing is sent."""
    sent = shop.changes()
    for reference in REFERENCES:
        redeem = functools.partial(gateway.redeem, "shop", code, eur("2"), reference=reference, order="1001")
        assert state_after(redeem) == "succeeded"
    refund = functools.partial(gateway.refund, "shop", redemption, eur("1"), reference="back", order="1001")
    assert state_after(refund) == "succeeded"
    assert gateway.refundable(redemption) == eur("1")
    assert state_after(functools.partial(gateway.payment, "1001", total=eur("3"))) == "captured"
    new = NewVoucher(initial=eur("20"))
    assert state_after(functools.partial(gateway.sale, "sold", "shop", new, order="1001")) == "delivered"
    assert shop.changes() == sent


def require_empty(journal: Journal) -> None:
    with journal.database.read() as connection:
        for table in (operations, requests, holds):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
        told = sa.select(sa.func.count()).select_from(events).where(events.c.order_number.is_not(None))
        assert connection.scalar(told) == 0
        counts: dict[str, int] = dict(
            connection.execute(sa.select(pruned.c.verb, sa.func.count()).group_by(pruned.c.verb)).fetchall()
        )
    assert (counts["redeem"], counts["refund"], counts["payment"], counts["sale"]) == (5, 1, 1, 1)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("batches", "prune", "forget"):
        monkeypatch.setattr(f"voucher_gateway.upkeep.{module}.BATCH", 2)
    monkeypatch.setattr("voucher_gateway.upkeep.prune._PAUSE_S", 0)
    monkeypatch.setattr("voucher_gateway.upkeep.prune.EVENT_BATCH", 3)


@pytest.mark.long
@pytest.mark.parametrize("work", [prune_all, prune_with_archive, forget_order])
@pytest.mark.usefixtures("small_batches")
def test_killed_at_any_commit_and_run_again(make_shop: Callable[..., Shop], tmp_path: Path, work: Upkeep) -> None:
    base = tmp_path / "base"
    base.mkdir()
    shop = make_shop(f"sqlite:///{base}/journal.db")
    code, redemption = fill(shop)
    shop.journal.database.close()
    for doomed in itertools.count(1):
        folder = tmp_path / str(doomed)
        shutil.copytree(base, folder)
        url = f"sqlite:///{folder}/journal.db"
        was_killed = run_and_die(url, work, folder, doomed)
        with closing(open_journal(url, make_journal_keys())) as journal:
            gateway = Gateway({"shop": shop.provider()}, journal=journal)
            require_nothing_sent(shop, gateway, code, redemption)
            work(journal, folder)
            require_nothing_sent(shop, gateway, code, redemption)
            require_empty(journal)
        if not was_killed:
            break
    assert doomed > 4, "there were not enough commits to be killed at"


@pytest.mark.parametrize("work", [pytest.param(prune_all, marks=pytest.mark.long), forget_order])
@pytest.mark.usefixtures("small_batches")
def test_killed_again_and_again_in_postgresql(make_shop: Callable[..., Shop], postgres_url: str, work: Upkeep) -> None:
    shop = make_shop(postgres_url)
    code, redemption = fill(shop)
    for doomed in itertools.count(1):
        was_killed = run_and_die(postgres_url, work, Path(), doomed)
        require_nothing_sent(shop, shop.gateway, code, redemption)
        if not was_killed:
            break
    require_empty(shop.journal)
    assert doomed > 3
