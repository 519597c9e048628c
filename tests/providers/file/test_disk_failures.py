"""Full disks, disks that do not confirm, killed writers: what is said of a record is true."""

from __future__ import annotations

import os
import resource
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.providers.file.before_send import COMPLETE_FILES, BeforeSendHook
from voucher_gateway import (
    Intent,
    NewVoucher,
    OutcomeUnknown,
    ProviderUnavailable,
)
from voucher_gateway.request_hooks import use_before_send_hook

if TYPE_CHECKING:
    from tests.providers.file.conftest import Open

New = Callable[..., NewVoucher]


def _in_child(work: Callable[[], None]) -> int:
    """Do something in a forked process, and return how that ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child starts no thread of the parent's
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - told to the parent by the exit code
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_a_full_disk_leaves_the_file_as_it_was_and_says_so(
    open_file: Open, either_name: str, new: New, tmp_path: Path
) -> None:
    provider = open_file(either_name, reveal=True)
    provider.issue(new(id="v-1", code="GIFT-0001"), reference="r-1")
    path = tmp_path / either_name
    before = path.read_bytes()

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 60, resource.RLIM_INFINITY))
        hook = BeforeSendHook()
        with use_before_send_hook(hook), pytest.raises(ProviderUnavailable, match="it is unchanged") as refused:
            provider.issue(new(id="v-2", code="GIFT-0002"), reference="r-2")
        assert refused.value.outcome == "not_executed"
        assert len(hook.intents) == 1
        assert provider.resolve(hook.intents[0]).effect == "not_executed"
        assert [voucher.id for voucher in provider.vouchers()] == ["v-1"]

    assert _in_child(fill) == 0
    assert path.read_bytes() == before
    provider.issue(new(id="v-2", code="GIFT-0002"), reference="r-3")
    assert [voucher.id for voucher in provider.vouchers()] == ["v-1", "v-2"]


def test_if_the_disk_does_not_confirm_the_record_is_taken_back(
    open_file: Open, either_name: str, new: New, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider = open_file(either_name, reveal=True)
    provider.issue(new(id="v-1"), reference="r-1")
    real, fails = os.fsync, [True]

    def once_failing(file: int) -> None:
        if fails and fails.pop():
            raise OSError(5, "Input/output error")
        real(file)

    monkeypatch.setattr("os.fsync", once_failing)
    with pytest.raises(ProviderUnavailable):
        provider.issue(new(id="v-2"), reference="r-2")
    assert [voucher.id for voucher in open_file(either_name).vouchers()] == ["v-1"]


def test_if_it_cannot_be_taken_back_either_nobody_says_that_it_did_not_happen(
    open_file: Open, either_name: str, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = open_file(either_name, reveal=True)
    provider.issue(new(id="v-1"), reference="r-1")

    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", failing)
    with pytest.raises(OutcomeUnknown) as unknown:
        provider.issue(new(id="v-2"), reference="r-2")
    assert unknown.value.ticket.voucher_id == "v-2"
    assert provider.resolve(Intent.from_ticket(unknown.value.ticket)).effect == "not_executed"


@pytest.mark.parametrize("part", [0, 1, 40, -1])
def test_a_writer_that_is_killed_at_any_byte_leaves_a_file_that_goes_on(
    open_file: Open, either_name: str, new: New, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = open_file(either_name, reveal=True)
    provider.issue(new(id="v-1", code="GIFT-0001"), reference="r-1")
    real = os.pwrite

    def work() -> None:
        def half(file: int, body: bytes, at: int) -> int:
            real(file, body[: part % len(body)], at)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

        monkeypatch.setattr("os.pwrite", half)
        provider.issue(new(id="v-2", code="GIFT-0002"), reference="r-2")

    assert os.WTERMSIG(_in_child(work)) == signal.SIGKILL
    # With all but the line break it is there as a whole; with less it is not there.
    there = ["v-1", "v-2"] if part == -1 else ["v-1"]
    assert [voucher.id for voucher in provider.vouchers()] == there
    provider.issue(new(id="v-3", code="GIFT-0003"), reference="r-3")
    assert [voucher.id for voucher in provider.vouchers()] == [*there, "v-3"]


def test_a_forked_child_does_not_keep_its_parents_lock(open_file: Open, new: New, tmp_path: Path) -> None:
    provider = open_file(text=COMPLETE_FILES["vouchers.jsonl"], reveal=True)
    children: list[int] = []

    def fork() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
        children.append(child)
        raise KeyboardInterrupt

    try:
        with use_before_send_hook(BeforeSendHook(fork)), pytest.raises(KeyboardInterrupt):
            provider.issue(new(id="v-2"), reference="r-1")
        begun = time.perf_counter()
        provider.issue(new(id="v-3"), reference="r-2")
        assert time.perf_counter() - begun < 5
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
