"""The verbs of a gateway that pause its accounts."""

from __future__ import annotations

from datetime import timedelta

from voucher_gateway.gateway.base import GatewayBase
from voucher_gateway.limits.shared_limits import AccountPause


class PauseVerbs(GatewayBase):
    """The verbs that pause accounts."""

    def pause_account(
        self,
        account: str,
        *,
        duration: timedelta | None = None,
        reason: str | None = None,
        by: str | None = None,
        everything: bool = False,
    ) -> AccountPause:
        """Pause an account in all processes that share the journal, within five seconds.

        Reads, and calls that begin something new (reserve, redeem, issue, top-up), raise `AccountPaused` before
        anything is sent. Captures, releases, refunds and the look-ups of unknown outcomes go on. If the account is
        paused already, this pause replaces the other one.

        Args:
            account: the account's name.
            duration: how long; None for a pause that `resume_account` ends.
            reason: why, for people. It is stored and shown in plain text: never put a code or a PIN into it.
            by: who pauses it.
            everything: whether to stop captures, releases, refunds and look-ups as well.

        Raises:
            ConfigurationError: if the account is not known, or without a journal.
            DatabaseUnavailable: if the database is locked for three seconds, or cannot be written.

        Example:
            ```python
            gateway.pause_account("shop", reason="maintenance", by="Ann")
            try:
                gateway.balance("shop", "JTL-SPRING-0042")
            except AccountPaused as error:
                print(error.outcome)  # not_executed
            gateway.resume_account("shop")
            ```
        """
        name = self.account(account).name
        journal = self._require_journal().journal
        return journal.pauses.pause(name, duration=duration, reason=reason, by=by, everything=everything)

    def resume_account(self, account: str) -> bool:
        """End the pause of an account in all processes that share the journal, and return whether it was paused.

        Args:
            account: the account's name.

        Raises:
            ConfigurationError: if the account is not known, or without a journal.

        Example:
            ```python
            gateway.pause_account("shop")
            print(gateway.resume_account("shop"), gateway.resume_account("shop"))  # True False
            ```
        """
        name = self.account(account).name
        return self._require_journal().journal.pauses.resume(name)

    def paused_accounts(self) -> list[AccountPause]:
        """Return the pauses that are in force now, by account.

        Raises:
            ConfigurationError: without a journal.

        Example:
            ```python
            print(gateway.paused_accounts())  # []
            ```
        """
        return self._require_journal().journal.pauses.list_all()
