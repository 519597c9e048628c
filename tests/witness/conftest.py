"""The real programs of vendors, one for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.witness.pretix_program import PretixProgram, is_installed


@pytest.fixture(scope="session")
def running_pretix() -> Iterator[PretixProgram]:
    """The program. `make witness-pretix` installs it; without it the tests are skipped."""
    if not is_installed():
        pytest.skip("pretix is not installed: run `make witness-pretix`")
    with PretixProgram() as program:
        yield program


@pytest.fixture
def pretix(running_pretix: PretixProgram) -> PretixProgram:
    """The program without gift cards."""
    running_pretix.reset()
    return running_pretix
