"""The gateway: the verbs of `VoucherProvider` with the account's name first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

from voucher_gateway.config.loader import Config, load_config
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.doubt import Doubt
from voucher_gateway.gateway.issuing import Issuing
from voucher_gateway.gateway.reading import Reading
from voucher_gateway.gateway.spending import Spending
from voucher_gateway.tracebacks import hide_arguments


class Gateway(Reading, Issuing, Spending, Doubt):
    """Every account of a shop behind one set of verbs. May be shared by all threads.

    Changing verbs take `reference`, the caller's own name for this one operation, and `order`, the shop's number; make
    a reference, and keep it, before the call. An operation that the vendor lacks is emulated where that is safe, or
    where the account accepts the risk; otherwise it raises `UnsupportedOperation` before anything is sent.

    With a journal, a call that succeeded is replayed when its reference comes again, and one that may have run is never
    sent again. Without one nothing is remembered: a repeated call is sent again, whatever its reference.

    Args:
        accounts: the accounts, or providers by account name.
        journal: the journal, or the URL of one in SQLite; None for none.
    """

    @classmethod
    @hide_arguments
    def from_config(cls, source: str | os.PathLike[str] | Mapping[str, Any] | Config) -> Self:
        """Make the gateway that a configuration describes: a TOML file, a dict of its shape, or one read already.

        Raises:
            ConfigurationError: naming everything that is wrong with it.
        """
        config = source if isinstance(source, Config) else load_config(source)
        accounts = [
            Account(
                name=account.name,
                provider=account.provider_type(account.name, account.settings),
                code_pattern=account.code_pattern,
                accept_risks=account.accept_risks,
                former_names=account.former_names,
            )
            for account in config.accounts.values()
        ]
        if config.journal is None:
            return cls(accounts)
        from voucher_gateway.journal.open import open_journal  # late, see `voucher_gateway.gateway.accounts`

        journal = open_journal(config.journal, config.journal_keys)
        try:
            return cls(accounts, journal=journal)
        except BaseException:
            journal.close()
            raise
