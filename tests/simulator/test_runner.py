"""Starting, stopping and keeping simulators."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.long import first
from voucher_gateway.simulator import SimulatorOptions, available, load, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from voucher_gateway.simulator import RunningSimulator

    StartJar = Callable[..., RunningSimulator]


def test_the_announcement_names_provider_first_and_the_door_last(jar: RunningSimulator) -> None:
    assert list(jar.announcement) == ["provider", "base_url", "label", "control_url"]
    assert jar.announcement["provider"] == "jar"


def test_a_vendors_own_options_are_taken(start_jar: StartJar) -> None:
    assert start_jar(label="nuts").announcement["label"] == "nuts"


@pytest.mark.parametrize(
    "options",
    [{"vouchers": -1}, {"port": 70_000}, {"latency_ms": -1}, {"start": datetime(2026, 1, 1)}, {"no_such": 1}],  # noqa: DTZ001 - naive on purpose
)
def test_options_that_cannot_be_are_refused(start_jar: StartJar, options: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        start_jar(**options)


def test_the_installed_simulators_are_known_by_name() -> None:
    assert {"jtl", "ticketing"} <= set(available())
    with pytest.raises(ValueError, match="unknown simulator 'nope'"):
        load("nope")


def test_the_same_seed_makes_the_same_vouchers(start_jar: StartJar) -> None:
    first, second, other = (start_jar(vouchers=20, seed=seed).ledger() for seed in (7, 7, 8))
    assert first == second != other
    assert len(first) == 20


def test_closing_frees_ports_and_threads_at_once(start_jar: StartJar) -> None:
    threads = threading.active_count()
    jar = start_jar()
    parts = urlsplit(jar.announcement["base_url"])
    address = (parts.hostname or "", parts.port or 0)
    idle = socket.create_connection(address, timeout=5)
    busy = socket.create_connection(address, timeout=5)
    jar.inject("hang")
    busy.sendall(b"GET /jars HTTP/1.1\r\nHost: x\r\n\r\n")
    _wait_until(lambda: len(jar.requests) == 1)
    before = time.monotonic()
    jar.close()
    jar.close()
    assert time.monotonic() - before < 10
    assert threading.active_count() == threads
    assert (idle.recv(10), busy.recv(10)) == (b"", b"")
    idle.close()
    busy.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    assert start_jar(port=parts.port).announcement["base_url"] == jar.announcement["base_url"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("slow", {"delay_s": 60}),
        ("slow-before", {"delay_s": 60}),
        ("drip", {"interval_s": 60}),
        ("commit-then-hang", {}),
    ],
)
def test_closing_ends_faults_that_sleep(start_jar: StartJar, name: str, options: dict[str, Any]) -> None:
    jar = start_jar()
    jar.inject(name, **options)
    failures = []

    def call() -> None:
        try:
            requests.get(jar.announcement["base_url"] + "/jars", timeout=30)
        except requests.RequestException as error:
            failures.append(error)

    client = threading.Thread(target=call)
    client.start()
    _wait_until(lambda: len(jar.requests) == 1)
    before = time.monotonic()
    jar.close()
    client.join(5)
    assert time.monotonic() - before < 10
    assert len(failures) == 1


def test_many_can_be_started_one_after_another(start_jar: StartJar) -> None:
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    before = time.monotonic()
    for _ in range(20):
        start_jar().close()
    assert time.monotonic() - before < 10
    gc.collect()
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 2


def test_a_taken_port_is_an_os_error_and_leaves_nothing_behind(start_jar: StartJar) -> None:
    threads = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        start_jar(port=taken.getsockname()[1])
    assert threading.active_count() == threads


def test_a_state_file_keeps_ledger_and_clock_between_runs(start_jar: StartJar, tmp_path: Path) -> None:
    state = tmp_path / "jar.json"
    first = start_jar(state=state, vouchers=3)
    first.clock.advance(86_400)
    first.close()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    second = start_jar(state=str(state), vouchers=3)
    assert second.ledger() == first.ledger()
    assert second.clock.now() > datetime.now(UTC) + timedelta(hours=23)
    assert list(tmp_path.iterdir()) == [state]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"simulator": "other", "now": "x", "ledger": {}}', '{"simulator": "jar"}']
)
def test_a_file_that_is_no_state_of_this_simulator_is_refused_and_left_alone(
    start_jar: StartJar, tmp_path: Path, text: str
) -> None:
    state = tmp_path / "jar.json"
    state.write_text(text)
    with pytest.raises(ValueError, match="state file"):
        start_jar(state=state)
    assert state.read_text() == text


def _program(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "voucher_gateway.simulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_program_announces_serves_and_stops_when_told(tmp_path: Path, stop: signal.Signals) -> None:
    state = tmp_path / "state.json"
    with _program(
        "jtl", "--vouchers", "5", "--seed", "3", "--state", str(state), "--fault", "error-before:GET /v1/*:1"
    ) as program:
        assert program.stdout is not None
        announced = json.loads(program.stdout.readline())
        assert next(iter(announced)) == "provider"
        headers = {"Authorization": f"Bearer {announced['token']}"}
        url = announced["base_url"] + "/vouchers"
        assert [requests.get(url, headers=headers, timeout=5).status_code for _ in range(2)] == [500, 200]
        assert len(requests.get(announced["control_url"] + "/ledger", timeout=5).json()) == 5
        program.send_signal(stop)
        out, err = program.communicate(timeout=10)
    assert (program.returncode, out, err) == (0, "", "")
    assert json.loads(state.read_text())["simulator"] == "jtl"


@pytest.mark.parametrize(
    "arguments",
    first(
        [
            ("nope",),
            ("jtl", "--port", "70000"),
            ("jtl", "--fault", "nope"),
            ("jtl", "--vouchers", "-1"),
            ("jtl", "--fault", "hang:x"),
        ],
        2,
    ),
)
def test_wrong_usage_is_said_before_anything_starts(arguments: tuple[str, ...]) -> None:
    with _program(*arguments) as program:
        out, err = program.communicate(timeout=10)
    assert (program.returncode, out) == (2, "")
    assert "error:" in err
    assert "Traceback" not in err


def test_options_of_the_command_line_reach_a_vendor_with_options_of_its_own() -> None:
    options = SimulatorOptions(vouchers=2, seed=1)
    assert options.vouchers == 2
    with start("jtl", vouchers=2, seed=1) as running:
        assert len(running.ledger()) == 2


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
