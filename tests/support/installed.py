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
    """Remember the entry points of the installed distributions and their metadata.

    Every simulator that starts and every config that is loaded reads them, which takes 10 ms to 17 ms. While a test
    has other folders in `sys.path`, they are read as ever.
    """
    read = metadata.entry_points
    folders = list(sys.path)
    remembered: dict[tuple[tuple[str, str], ...], Any] = {}

    def entry_points(**selected: str) -> Any:
        if sys.path != folders:
            return read(**selected)
        key = tuple(selected.items())
        if key not in remembered:
            remembered[key] = read(**selected)
        return remembered[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "entry_points", entry_points)
        patch.setattr("voucher_gateway.simulator.runner.entry_points", entry_points)
        patch.setattr(metadata.PathDistribution, "metadata", vars(_RememberedMetadata)["metadata"], raising=False)
        yield


class _RememberedMetadata(metadata.PathDistribution):
    """The metadata of a distribution, parsed once."""

    @cached_property
    def metadata(self) -> Any:  # type: ignore[override]
        return metadata.Distribution.metadata.fget(self)
