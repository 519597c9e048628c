"""What one run of the command line has: the configuration, the output, and what it is about to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import typer

from voucher_gateway.cli.output import Output
from voucher_gateway.config.loader import Config, default_config_path
from voucher_gateway.errors import ConfigurationError, InvalidRequest, VoucherGatewayError
from voucher_gateway.gateway.gateway import Gateway

LOOK: Final = "Look before you repeat it."
"""What to do about a change that may have happened, where no journal knows of it."""


_MEND: Final = "Mend the configuration; `voucher-gateway doctor` then says whether it works."


@contextmanager
def configuring() -> Iterator[None]:
    """Note on an error that the configuration is what is to be mended: elsewhere it may be a plan or a policy."""
    try:
        yield
    except ConfigurationError as error:
        error.add_note(_MEND)
        raise


@contextmanager
def advising(sentence: str, *fields: str) -> Iterator[None]:
    """Note on an `InvalidRequest` what to do about it, where the command is written right and something is not there.

    Args:
        sentence: the advice.
        *fields: the fields of the errors that it is for.
    """
    try:
        yield
    except InvalidRequest as error:
        if error.field in fields:
            error.add_note(sentence)
        raise


@attrs.define
class CliContext:
    """One run.

    Attributes:
        output: where results and remarks go.
        config: the configuration file that was asked for.
        sent: the changing call that is under way, for people; None while nothing can have been sent.
        remedy: the sentence that says how to find out what became of it.
    """

    output: Output
    config: Path | None = None
    sent: str | None = None
    remedy: str = LOOK
    _remarked: set[str] = attrs.field(factory=set, init=False)

    @property
    def config_path(self) -> Path:
        """The configuration file."""
        return self.config or default_config_path()

    @contextmanager
    def gateway(self, account: str | None = None, config: Config | None = None) -> Iterator[Gateway]:
        """Open the gateway of the configuration.

        Args:
            account: the account that the command is about.
            config: the configuration, where it was read already.

        Raises:
            ConfigurationError: if the configuration is wrong, or has no such account.
        """
        with configuring():
            opened = Gateway.from_config(config or self.config_path)
        with opened as gateway:
            names = [account.name for account in gateway.accounts]
            if account is not None and account not in names:
                for configured in gateway.accounts:
                    if account in (configured.former_names or ()):
                        raise ConfigurationError(f"the account {account} is called {configured.name} now")
                # the name is not repeated: a code given in the account's place would show
                raise ConfigurationError(f"there is no account of this name; there are: {', '.join(names)}")
            try:
                yield gateway
            except VoucherGatewayError as error:
                if account is not None:
                    error.with_context(account=account)
                raise

    @contextmanager
    def changing(self, what: str, remedy: str = LOOK) -> Iterator[None]:
        """Remember that an interruption leaves open whether `what` happened, until the block has ended well."""
        self.sent, self.remedy = what, remedy
        yield
        self.sent = None

    def note_once(self, sentence: str) -> None:
        """Print a remark, unless this run has printed it already."""
        if sentence not in self._remarked:
            self._remarked.add(sentence)
            self.output.note(sentence)


def cli_context_of(context: typer.Context) -> CliContext:
    """Return the session of a command."""
    session = context.obj
    assert isinstance(session, CliContext)
    return session
