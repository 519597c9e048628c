"""The audit of a journal that only the library has written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from tests.support.simulators import make_journal_keys
from voucher_gateway.audit.verify import verify_journal
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.setting_types import SecretSource


def require_clean(url: str, keys: Mapping[str, SecretSource] | None = None) -> None:
    """Check that an audit of a journal finds nothing, whatever happened to the processes on it.

    A journal in PostgreSQL is left alone: at the end of a test its database is gone.
    """
    if url.startswith("sqlite:"):
        with closing(open_journal(url, keys or make_journal_keys())) as journal:
            assert verify_journal(journal).differences == ()
