"""The commands between accounts and files: export and import."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.copying import Copy
from voucher_gateway.cli.parsing import FILE_SUFFIXES, is_file, open_gateway_with_files
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.losses import LOSSES
from voucher_gateway.migration.plan.model import Action
from voucher_gateway.migration.plan.policy import Policy, load_policy

_EVERYTHING: Final = Policy(
    inactive=Action.CARRY,
    expired=Action.CARRY,
    empty=Action.CARRY,
    partly_used=Action.CARRY,
    reserved=Action.CARRY,
    losses=frozenset(LOSSES),
)
"""What an export takes along: all that can be read. The source stays as it is, so nothing can come of it."""

_Format = Annotated[
    Literal["jsonl", "csv"] | None,
    typer.Option("--format", help="The file's form, where its name ends in neither .jsonl nor .csv."),
]
_Plan = Annotated[
    Path | None,
    typer.Option("--plan", metavar="PLAN", help="Where the plan is kept; beside the file by default."),
]
_Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, max=256, help="So many vouchers at a time.")]


def export_vouchers(
    context: typer.Context,
    account: given.AccountName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, .jsonl or .csv.", show_default=False)],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Write codes and PINs. They are money: the file is then worth its sum.")
    ] = False,
    file_format: _Format = None,
    plan: _Plan = None,
    workers: _Workers = 8,
) -> None:
    """Write all vouchers of ACCOUNT into FILE: plan it, do it, read both again and compare. ACCOUNT stays as it is.

    Without --reveal the codes are masked, and the file cannot be imported. The remaining value is what is written, as
    the initial one too. Killed at any moment, the same command goes on with the plan in FILE.plan.jsonl.

    Exit code 0: all vouchers are in the file. 1: some could not be read, and were left out. 5: there are differences,
    or vouchers came or were used meanwhile, which a new file would have. Others as everywhere.
    """
    session, target = cli_context_of(context), str(file.absolute())
    plan = plan or Path(f"{target}.plan.jsonl")
    _check_format(file, file_format)
    if not plan.exists() and file.exists():
        raise InvalidRequest(
            f"{file.name} is there already, and no plan to go on with beside it: take a new file",
            field="FILE",
            rule="a new file",
        )
    with open_gateway_with_files(
        session, account, target, reveal=reveal, mask=not reveal, file_format=file_format
    ) as gateway:
        copy = Copy(session, gateway, account, target, plan, workers)
        if plan.exists() and file.exists():
            _check_form(gateway, target, file, reveal=reveal)
        code = copy.carry_out(None, _EVERYTHING, readable=reveal)
    raise typer.Exit(code)


def import_vouchers(
    context: typer.Context,
    account: given.AccountName,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file, .jsonl or .csv.", exists=True, show_default=False)
    ],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="What to do with which vouchers (TOML); the strictest without."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan, and say what would become of them.")] = False,
    file_format: _Format = None,
    plan: _Plan = None,
    workers: _Workers = 8,
) -> None:
    """Issue the vouchers of FILE at ACCOUNT: plan it, do it, read both again and compare. FILE stays as it is.

    A voucher that the policy does not provide for, or that the account cannot keep as it is, is refused with the
    reason. Killed at any moment, the same command goes on with the plan in FILE.ACCOUNT.plan.jsonl, and issues nothing
    twice; what came to FILE after a plan was begun is named and left out. Whoever imports the file into two accounts
    has doubled its value.

    Exit code 0: all vouchers are there. 1: some were refused, and left out. 5: there are differences, or FILE was
    changed since it was planned. Others as everywhere.
    """
    session, source = cli_context_of(context), str(file.absolute())
    asked = None if policy is None else load_policy(policy)
    _check_format(file, file_format)
    with open_gateway_with_files(session, account, source, file_format=file_format) as gateway:
        _check_source(gateway, source, file)
        if dry_run:
            with tempfile.TemporaryDirectory(prefix="voucher-gateway-") as folder:
                draft = Path(folder) / "plan.jsonl"
                code = Copy(session, gateway, source, account, draft, workers).only_plan(asked or Policy())
        else:
            plan = plan or Path(f"{source}.{account}.plan.jsonl")
            code = Copy(session, gateway, source, account, plan, workers).carry_out(asked, Policy())
    raise typer.Exit(code)


def _check_format(file: Path, file_format: str | None) -> None:
    if file_format is None and not is_file(str(file)):
        rule = f"a name that ends in {' or '.join(FILE_SUFFIXES)}, or --format"
        raise InvalidRequest(f"FILE must have {rule}", field="FILE", rule=rule)


def _check_source(gateway: Gateway, source: str, file: Path) -> None:
    provider = gateway.provider(source)
    provider.check()  # reads it through; what is wrong with it is said now
    if not provider.capabilities.codes.readable:
        raise InvalidRequest(
            f"{file.name} has masks in the place of codes, so nothing can be issued from it: export it with --reveal",
            field="FILE",
            rule="with readable codes",
        )


def _check_form(gateway: Gateway, target: str, file: Path, *, reveal: bool) -> None:
    """Make sure that an export goes on with a file in the form in which it was begun."""
    gateway.provider(target).check()  # reads it through
    if file.stat().st_size and gateway.provider(target).capabilities.codes.readable is not reveal:
        holds, way = ("masks", "without") if reveal else ("codes", "with")
        raise InvalidRequest(
            f"{file.name} holds {holds}: go on {way} --reveal, or take a new file", field="--reveal", rule="as before"
        )
