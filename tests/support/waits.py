"""The wait before a request is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from voucher_gateway.http import retry

FIRST_WAIT_S: Final = retry.FIRST_WAIT_S
"""The first wait of the library. Tests of the waits themselves use it."""

_SHORT_S: Final = 0.01


@contextmanager
def short_waits() -> Iterator[None]:
    """Let a request be sent again after milliseconds. The waits still double from try to try."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "FIRST_WAIT_S", _SHORT_S)
        yield
