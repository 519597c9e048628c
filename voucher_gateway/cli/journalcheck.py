"""Whether the journal works, and what becomes of calls whose outcome is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Capabilities, Operation
from voucher_gateway.cli.exits import DONE, error_lines, error_object, exit_code
from voucher_gateway.config.loader import Config
from voucher_gateway.errors.root import VoucherGatewayError
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.changed_references import fact_name, noted_changed_references
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.storage.files import mode_warning

NO_JOURNAL: Final = (
    'a repeated command is carried out again; journal = "sqlite:///voucher-gateway.db" at the head of the config'
    " makes it remember"
)

# What an emulation sends and is decided by, where that is another operation; release-by-expiry sends nothing.
_DECIDED_BY: Final[Mapping[str, Operation]] = {
    "redeem-by-capture": Operation.CAPTURE,
    "reserve-by-redeem": Operation.REDEEM,
}
_SENDS_NOTHING: Final = "release-by-expiry"


@attrs.frozen(kw_only=True)
class JournalState:
    """What trying the journal gave.

    Attributes:
        where: the database, without its password.
        error: why it cannot be used.
        restored: whether it comes from a backup and still waits for `recover --after-restore`.
        in_doubt: how many operations are open or unknown, by account.
        changed_references: the facts about logins whose vendors change the references that they are sent.
        warning: what is wrong with the mode of its file.
    """

    where: str = ""
    error: VoucherGatewayError | None = None
    restored: bool = False
    in_doubt: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    changed_references: frozenset[str] = frozenset()
    warning: str | None = None

    def warnings(self, provider: VoucherProvider) -> list[str]:
        """Return what the journal learnt of an account's vendor that a person should know."""
        if fact_name(provider.name, provider.host, provider.login) not in self.changed_references:
            return []
        warning = (
            "the vendor changes the references that it is sent: a redeem or capture whose answer is lost, and which the"
            " vendor does not show, stays unknown until a person decides"
        )
        return [warning]

    @property
    def code(self) -> int:
        """The exit code that it stands for."""
        return DONE if self.error is None else exit_code(self.error)

    def object(self, account: str) -> dict[str, Any]:
        """Return it for programs, with the doubts of one account."""
        return {
            "ok": self.error is None and not self.restored,
            "restored": self.restored,
            "in_doubt": self.in_doubt.get(account, 0),
            "error": None if self.error is None else error_object(self.error),
            "warnings": [] if self.warning is None else [self.warning],
        }

    def fields(self) -> dict[str, str]:
        """Return it for people."""
        if self.error is not None:
            first, *hints = error_lines(self.error)
            return {"problem": first, "to do": hints[-1] if hints else ""}
        doubts = sum(self.in_doubt.values())
        return {
            "opens": "and can be written",
            "restored": "from a backup; nothing is sent until `voucher-gateway recover --after-restore`"
            if self.restored
            else "",
            "in doubt": f"{doubts} open or unknown; `voucher-gateway recover` looks them up" if doubts else "nothing",
        }


def check_journal(config: Config) -> JournalState | None:
    """Open the journal, creating it if it is not there yet, and take the right to write; None if none is configured."""
    if config.journal is None:
        return None
    try:
        with Gateway.from_config(config) as gateway:
            journal = gateway.journal
            assert journal is not None
            with journal.database.write():
                pass
            entries = journal.operations(states=(OperationState.OPEN, OperationState.UNKNOWN))
            return JournalState(
                where=journal.database.shown,
                restored=journal.restoration.pending,
                in_doubt=Counter(entry.key.account for entry in entries),
                changed_references=noted_changed_references(journal),
                warning=None if journal.database.path is None else mode_warning(journal.database.path),
            )
    except VoucherGatewayError as error:
        return JournalState(error=error)


def by_resolution(capabilities: Capabilities) -> tuple[list[Operation], list[Operation]]:
    """Return the changing operations that can be had: those whose unknown outcome can be looked up, and the others.

    Of the others only a person can decide what became of them.
    """
    looked_up: list[Operation] = []
    by_hand: list[Operation] = []
    for operation in Operation:
        support = capabilities.of(operation)
        if not operation.changes or not support.available or support.emulation == _SENDS_NOTHING:
            continue
        decided_by = _DECIDED_BY.get(support.emulation or "", operation)
        (looked_up if decided_by in capabilities.resolvable else by_hand).append(operation)
    return looked_up, by_hand
