"""Finding out whether a record was written: presence proves it, and under the lock absence proves that it was not."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from voucher_gateway import DuplicateCode, Effect, Gateway, Intent, Money, NewVoucher, OutcomeUnknown, ReferenceConflict
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway_file import FileProvider
from voucher_gateway_file.file_store import append

if TYPE_CHECKING:
    from tests.providers.file.conftest import Open

New = Callable[..., NewVoucher]


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class Notes:
    """Takes note of intents, and may kill the writer."""

    def __init__(self, *, kill: bool = False) -> None:
        self.intents: list[Intent] = []
        self._kill = kill

    def before_send(self, intent: Intent) -> None:
        self.intents.append(intent)
        if self._kill:
            raise Killed


def _issued(provider: FileProvider, new: NewVoucher, *, kill: bool = False) -> Intent:
    with use_before_send_hook(notes := Notes(kill=kill)):
        if kill:
            with pytest.raises(Killed):
                provider.issue(new, reference="r-1")
        else:
            provider.issue(new, reference="r-1")
    return notes.intents[0]


def test_a_record_that_is_there_was_written(open_file: Open, either_name: str, new: New) -> None:
    provider = open_file(either_name, reveal=True)
    intent = _issued(provider, new(code="GIFT-0001"))
    outcome = open_file(either_name, reveal=True).resolve(intent)
    assert outcome.effect is Effect.SUCCEEDED
    assert outcome.result == provider.find("GIFT-0001")


def test_it_is_synced_before_anybody_says_so(
    open_file: Open, either_name: str, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = open_file(either_name, reveal=True)
    intent = _issued(provider, new())
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    assert provider.resolve(intent).effect is Effect.SUCCEEDED
    assert len(synced) == 1


def test_a_record_that_is_not_there_was_not_written(open_file: Open, either_name: str, new: New) -> None:
    provider = open_file(either_name, reveal=True)
    intent = _issued(provider, new(), kill=True)
    assert provider.resolve(intent).effect is Effect.NOT_EXECUTED


def test_while_a_writer_holds_the_lock_absence_proves_nothing(
    open_file: Open, new: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voucher_gateway_file.file_store.WAIT_S", 0.05)
    provider = open_file(reveal=True)
    intent = _issued(provider, new(), kill=True)
    with (tmp_path / "vouchers.jsonl").open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        outcome = provider.resolve(intent)
    assert (outcome.effect, outcome.repeatable) == (Effect.UNKNOWN, False)
    assert "locked" in outcome.reason


def test_another_file_in_its_place_proves_nothing(open_file: Open, new: New, tmp_path: Path) -> None:
    provider = open_file(reveal=True)
    intent = _issued(provider, new(), kill=True)
    path = tmp_path / "vouchers.jsonl"
    path.rename(tmp_path / "old.jsonl")
    assert provider.resolve(intent).effect is Effect.UNKNOWN
    path.touch(0o600)
    assert provider.resolve(intent).effect is Effect.UNKNOWN
    path.write_text("no json")
    assert provider.resolve(intent).effect is Effect.UNKNOWN


def test_a_voucher_of_the_same_id_from_another_writing_proves_nothing(open_file: Open, new: New) -> None:
    provider = open_file(reveal=True)
    lost = _issued(provider, new(id="v-1"), kill=True)
    _issued(provider, new(id="v-1"))
    assert provider.resolve(lost).effect is Effect.UNKNOWN


def test_another_value_proves_nothing(open_file: Open, new: New) -> None:
    provider = open_file(reveal=True)
    intent = _issued(provider, new())
    assert provider.resolve(attrs.evolve(intent, money=Money("26.00", "EUR"))).effect is Effect.UNKNOWN


def test_other_operations_leave_nothing_in_a_file(open_file: Open, new: New) -> None:
    provider = open_file(reveal=True)
    assert provider.resolve(attrs.evolve(_issued(provider, new()), verb="redeem")).effect is Effect.UNKNOWN


# --- through a gateway with a journal ---


def _gateway(provider: FileProvider, url: str) -> Gateway:
    return Gateway({"files": provider}, journal=url)


def test_a_repeated_issue_is_replayed_and_written_once(open_file: Open, new: New, sqlite_url: str) -> None:
    provider = open_file(reveal=True)
    with _gateway(provider, sqlite_url) as gateway:
        first = gateway.issue("files", new(code="GIFT-0001"), reference="1001-a")
        again = gateway.issue("files", new(code="GIFT-0001"), reference="1001-a")
        assert (again.id, again.code, again.remaining) == (first.id, first.code, first.remaining)
        assert again.replayed
        with pytest.raises(ReferenceConflict):
            gateway.issue("files", new("26.00", code="GIFT-0001"), reference="1001-a")
        with pytest.raises(DuplicateCode):
            gateway.issue("files", new(code="GIFT-0001"), reference="1001-b")
        assert len(list(gateway.vouchers("files"))) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_the_writing_is_made_good_by_the_next_call(
    open_file: Open, new: New, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    real = append

    def dying(*arguments: object, **named: object) -> None:
        if moment == "after":
            real(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came
        raise Killed

    provider = open_file(reveal=True)
    with _gateway(provider, sqlite_url) as gateway:
        with monkeypatch.context() as patched:
            patched.setattr("voucher_gateway_file.file_store.append", dying)
            with pytest.raises(Killed):
                gateway.issue("files", new(code="GIFT-0001"), reference="1001-a")
        voucher = gateway.issue("files", new(code="GIFT-0001"), reference="1001-a")
        assert voucher.replayed is (moment == "after")
        assert [one.id for one in gateway.vouchers("files")] == [voucher.id]


def test_an_unknown_end_is_resolved_by_looking(
    open_file: Open, new: New, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    with _gateway(open_file(reveal=True), sqlite_url) as gateway:
        with monkeypatch.context() as patched:
            patched.setattr("voucher_gateway_file.file_store.os.fsync", failing)
            with pytest.raises(OutcomeUnknown) as unknown:
                gateway.issue("files", new(code="GIFT-0001"), reference="1001-a")
        assert gateway.resolve(unknown.value.ticket).state == "not_executed"
        gateway.issue("files", new(code="GIFT-0001"), reference="1001-a")
        assert len(list(gateway.vouchers("files"))) == 1
