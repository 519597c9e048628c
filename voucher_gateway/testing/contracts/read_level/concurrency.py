"""The read level: one instance in many threads and processes, and its `close`."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.ledger import can, check_money, check_voucher, ledger_vouchers
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promises.checks import for_promise, require

THREADS: Final = 8
_GRACE_S: Final = 2.0


class ConcurrencyContract(Contract):
    """Threads and processes share an instance, and never get each other's answers."""

    @for_promise("R16")
    def test_threads_share_an_instance(self) -> None:
        with closing(self.make_vendor(latency_ms=1)) as vendor:
            provider = vendor.provider()
            vouchers = ledger_vouchers(vendor)
            begin = threading.Barrier(THREADS)

            def work(number: int) -> None:
                begin.wait()
                for step in range(len(vouchers)):
                    true = vouchers[(step * 7 + number * 3) % len(vouchers)]
                    check_voucher(provider.find(true.code), true, "find, with other threads,")
                    check_voucher(provider.get(true.id), true, "get, with other threads,")
                    if can(provider, Operation.BALANCE):
                        balance = provider.balance(true.code)
                        check_money(balance.remaining, true.remaining, "a balance, with other threads,")

            with _frequent_switches(), ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(work, range(THREADS)))

    @for_promise("R17")
    def test_both_processes_go_on_after_a_fork(self, vendor: VendorUnderTest, provider_: VoucherProvider) -> None:
        vouchers = ledger_vouchers(vendor)[:8]

        def work() -> None:
            for true in vouchers:
                check_voucher(provider_.find(true.code), true, "find, after a fork,")
                check_voucher(provider_.get(true.id), true, "get, after a fork,")

        work()
        children = [_run_in_child(work) for _ in range(2)]
        try:
            work()
        finally:
            errors = [_error_of_child(child) for child in children]
        require(not any(errors), f"a forked child failed: {next((error for error in errors if error), '')}")
        work()

    @for_promise("R19")
    def test_close_closes(self, vendor: VendorUnderTest) -> None:
        before = set(threading.enumerate())
        provider = vendor.provider()
        true = ledger_vouchers(vendor)[0]
        provider.find(true.code)
        if can(provider, Operation.VOUCHERS):
            list(provider.vouchers())  # read to its end: requests under way would continue after `close`
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            provider.close()
            provider.close()
            del provider
            gc.collect()
        left = [str(warning.message) for warning in warned if issubclass(warning.category, ResourceWarning)]
        require(not left, "something was left open for the garbage collector to close")

        def connections() -> int:
            return int(getattr(vendor, "connections", 0))

        require(_becomes_false(connections), f"{connections()} connections to the vendor are still open")

        def threads() -> list[threading.Thread]:
            ours = [thread for thread in threading.enumerate() if thread not in before]
            return [thread for thread in ours if "process_request_thread" not in thread.name]

        require(_becomes_false(threads), f"{len(threads())} threads of the provider are still there")


@contextmanager
def _frequent_switches() -> Iterator[None]:
    """Let threads switch as often as possible, so that code that is not thread-safe fails."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _becomes_false(value: Callable[[], object]) -> bool:
    """Return whether a value becomes false, such as 0 or an empty list, within two seconds."""
    until = time.monotonic() + _GRACE_S
    while value():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _run_in_child(work: Callable[[], None]) -> tuple[int, int]:
    """Run a function in a child process, and return its process id and the pipe for its error."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # The other threads belong to the vendor; the child does not use them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    text = ""
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - reported to the parent; a child must not run on into the tests
        text = f"{type(error).__name__}: {error}"
    with suppress(OSError):
        os.write(writing, text.encode()[:4000])
    os._exit(0)


def _error_of_child(child: tuple[int, int]) -> str:
    number, reading = child
    with os.fdopen(reading, "rb") as stream:
        text = stream.read().decode("utf-8", "replace")
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    return text or ("" if status == 0 else f"it ended with {status}")
