"""Scenes: two simulated vendors over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.migration.run.scene import Scene
from tests.support.long import first
from voucher_gateway.simulator import RunningSimulator, start


@pytest.fixture
def make_scene(sqlite_url: str, tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Makes scenes, and insists at the end that no simulator made a mistake."""
    started: list[RunningSimulator] = []
    with ExitStack() as stack:

        def make(
            source: str = "jtl", target: str = "ticketing", vouchers: int = 60, url: str = sqlite_url, **more: Any
        ) -> Scene:
            for name, count, seed in ((source, vouchers, 11), (target, 20, 12)):
                started.append(stack.enter_context(start(name, vouchers=count, seed=seed, **more)))
            return Scene(started[-2], started[-1], url, tmp_path, stack)

        yield make
    assert [crash for running in started for crash in running.crashes] == []


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """From JTL to the ticketing vendor."""
    return make_scene()


@pytest.fixture
def scene_back(make_scene: Callable[..., Scene]) -> Scene:
    """From the ticketing vendor to JTL."""
    return make_scene("ticketing", "jtl")


@pytest.fixture(params=first(["there", "back"]))
def either_scene(request: pytest.FixtureRequest) -> Scene:
    """Both directions, in turn."""
    found: Scene = request.getfixturevalue("scene" if request.param == "there" else "scene_back")
    return found
