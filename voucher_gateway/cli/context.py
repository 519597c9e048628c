"""One run of the command line: its configuration, its output, the change that is being made, and its exit codes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from voucher_gateway.cli.usage import did_you_mean_file, find_similar

if TYPE_CHECKING:  # imported late, so that the help and the version import none of it
    from voucher_gateway.cli.output import Output
    from voucher_gateway.config.loader import Config
    from voucher_gateway.gateway.gateway import Gateway

DONE: Final = 0
DECLINED: Final = 1
"""Declined or unsupported."""
WRONG: Final = 2
"""Wrong usage, request, configuration, access or reference."""
NOT_DONE: Final = 3
"""Surely not executed, or in progress: try again."""
UNKNOWN: Final = 4
"""Outcome unknown, or changed by another party at the same time."""
DIFFERENT: Final = 5
"""Differences were found."""
UNREADABLE: Final = 6
"""The vendor's answer to a read is outside of its contract."""
OUR_BUG: Final = 70
INTERRUPTED: Final = 130

_MOST_NAMES: Final = 20
"""A message lists so many names of accounts."""

LOOK: Final = "Look before you repeat it."
"""What to do about a change that may have happened, where no journal knows of it."""

LOOK_INTO_THE_JOURNAL: Final = "`voucher-gateway operations list` shows what the journal holds."
"""What to do about an operation that the journal does not have."""

_CORRECT: Final = "Correct the configuration; `voucher-gateway doctor` then says whether it works."


@contextmanager
def advising(sentence: str, *fields: str) -> Iterator[None]:
    """Note on an `InvalidRequest` what to do about it, where the command is correct and what it names does not exist.

    Args:
        sentence: the advice.
        *fields: the fields of the errors that it is for.
    """
    from voucher_gateway.errors import InvalidRequest

    try:
        yield
    except InvalidRequest as error:
        if error.field in fields:
            error.add_note(sentence)
        raise


class CliContext:
    """One run.

    Args:
        output: where results and notes go.
        read_config: returns the configuration where none was asked for; None for the file of the environment.

    Attributes:
        output: where results and notes go.
        config: the configuration file that was asked for.
        sent: the changing call that is being made, for people; None while nothing can have been sent.
        remedy: the sentence that says how to find out what became of it.
    """

    def __init__(self, output: Output, read_config: Callable[[], Config] | None = None) -> None:
        self.output = output
        self._read_config = read_config
        self.config: Path | None = None
        self.sent: str | None = None
        self.remedy = LOOK
        self._notes: set[str] = set()

    @property
    def config_path(self) -> Path:
        """The configuration file."""
        from voucher_gateway.config.loader import default_config_path

        return self.config or default_config_path()

    @contextmanager
    def reading_config(self) -> Iterator[None]:
        """Note on an error what to do about the configuration: elsewhere it may be a plan or a policy.

        Where the file does not exist, the note says where it was looked for.
        """
        from voucher_gateway.errors import ConfigurationError

        try:
            yield
        except ConfigurationError as error:
            error.add_note(_CORRECT if self.config_path.exists() else self._missing_config_sentence())
            raise

    def _missing_config_sentence(self) -> str:
        from voucher_gateway.config.loader import CONFIG_VARIABLE

        if self.config is not None:
            source = "--config names it"
        elif os.environ.get(CONFIG_VARIABLE):
            source = f"${CONFIG_VARIABLE} names it"
        else:
            source = f"neither --config nor ${CONFIG_VARIABLE} is given"
        if question := did_you_mean_file(self.config_path):
            return question[0].upper() + question[1:]
        path = self.config_path.absolute()
        return f"The file {path} does not exist ({source}). `voucher-gateway init` writes a first configuration."

    def load_config(self) -> Config:
        """Read the configuration.

        Raises:
            ConfigurationError: if it is wrong.
        """
        from voucher_gateway.config.loader import load_config

        if self.config is None and self._read_config is not None:
            return self._read_config()
        with self.reading_config():
            return load_config(self.config_path)

    @contextmanager
    def gateway(
        self, account: str | None = None, config: Config | None = None, *, journal: bool = True
    ) -> Iterator[Gateway]:
        """Open the gateway of the configuration.

        Args:
            account: the account that the command is about.
            config: the configuration, if it was read already.
            journal: whether the journal is opened. A command that only reads at the vendor needs none, starts faster
                without it, and works while the database is not available.

        Raises:
            ConfigurationError: if the configuration is wrong, or has no such account.
        """
        import attrs

        from voucher_gateway.errors import VoucherGatewayError
        from voucher_gateway.gateway.gateway import Gateway

        config = config or self.load_config()
        with self.reading_config():
            opened = Gateway.from_config(config if journal else attrs.evolve(config, journal=None))
        with opened as gateway:
            if account is not None:
                require_accounts(gateway, [account])
            try:
                yield gateway
            except VoucherGatewayError as error:
                if account is not None:
                    error.with_context(account=account)
                raise

    @contextmanager
    def changing(self, what: str, remedy: str = LOOK) -> Iterator[None]:
        """Record that an interruption leaves it unknown whether `what` happened, until the block has ended."""
        self.sent, self.remedy = what, remedy
        yield
        self.sent = None

    def note_once(self, sentence: str) -> None:
        """Print a note, unless this run has printed it already."""
        if sentence not in self._notes:
            self._notes.add(sentence)
            self.output.note(sentence)


def require_accounts(gateway: Gateway, names: Sequence[str]) -> None:
    """Make sure that a gateway has these accounts.

    Raises:
        ConfigurationError: if one does not exist. A name is repeated only if it is similar to that of an account: a
            code that was given in its place must not show.
    """
    from voucher_gateway.errors import ConfigurationError

    for name in names:
        if gateway.has_account(name):
            continue
        for account in gateway.loaded_accounts:
            if name in (account.former_names or ()):
                raise ConfigurationError(f"the account {name} is called {account.name} now")
        known = gateway.account_names
        similar = find_similar(name, known)
        mistyped = f" '{name}'; did you mean {similar}?" if similar else "."
        others = f" and {len(known) - _MOST_NAMES} others" if len(known) > _MOST_NAMES else ""
        listed = f"{', '.join(known[:_MOST_NAMES])}{others}"
        raise ConfigurationError(f"unknown account{mistyped} The accounts are: {listed}")


def cli_context_of(context: typer.Context) -> CliContext:
    """Return the run that a command belongs to."""
    session = context.obj
    assert isinstance(session, CliContext)
    return session
