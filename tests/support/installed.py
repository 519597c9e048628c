"""Entry points of the installed distributions, read once a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from typing import Any

import pytest


@contextmanager
def remembered_distributions() -> Iterator[None]:
    """Remember the entry points of the installed distributions, their versions and their metadata.

    Every simulator that starts and every config that is loaded reads them, which takes 10 ms to 17 ms. While a test
    has other folders in `sys.path`, they are read as ever.
    """
    read, read_version = metadata.entry_points, metadata.version
    folders = list(sys.path)
    remembered_metadata: Any = cached_property(vars(metadata.Distribution)["metadata"].fget)
    remembered_metadata.__set_name__(metadata.PathDistribution, "metadata")
    remembered: dict[tuple[tuple[str, str], ...], Any] = {}

    def entry_points(**selected: str) -> Any:
        if sys.path != folders:
            return read(**selected)
        key = tuple(selected.items())
        if key not in remembered:
            remembered[key] = read(**selected)
        return remembered[key]

    versions: dict[str, str] = {}

    def version(distribution: str) -> str:
        if sys.path != folders:
            return read_version(distribution)
        if distribution not in versions:
            versions[distribution] = read_version(distribution)
        return versions[distribution]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "entry_points", entry_points)
        patch.setattr(metadata, "version", version)
        patch.setattr("voucher_gateway.simulator.runner.entry_points", entry_points)
        patch.setattr(metadata.PathDistribution, "metadata", remembered_metadata, raising=False)
        yield
