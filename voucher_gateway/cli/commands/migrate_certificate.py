"""The command that certifies a migration, and checks a certificate."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voucher_gateway.cli.commands.migrate_run import ByName, plan_gateway, require_writable
from voucher_gateway.cli.context import DIFFERENT, DONE, CliContext, cli_context_of
from voucher_gateway.cli.progress import progress_printer
from voucher_gateway.cli.tables import count_text
from voucher_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.migration.certificate.model import Certificate


def certificate(
    context: typer.Context,
    plan: Annotated[Path | None, typer.Argument(metavar="PLAN", help="The file that `migrate plan` wrote.")] = None,
    *,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to print and sign there.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json-file", metavar="FILE", help="Write it there as JSON, for programs.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="DIR", help="Write its tables and the list of all vouchers into that folder."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Check that this page, JSON file or folder was not changed."),
    ] = None,
    by: ByName = None,
) -> None:
    """Certify a migration for people who sign: the whole source, the target, the difference, and who did what.

    Both accounts are read again, as by `migrate verify`. The certificate has the whole source before the move, with
    what was carried, refused, skipped, changed and issued since; what each account has now; the difference; the
    vouchers with a new code; who ran what and when; and the hashes of the plan and of the list of all vouchers.

    Each file is sealed by an HMAC of the journal's key, and only its owner can read it. Codes in it are masked. With
    --check no vendor is asked.

    Exit code 0: everything agrees, or the checked file is unchanged. 2: the checked file was changed, or is not
    a certificate of this journal. 5: there are differences, which are in the certificate, or the journal knows no run
    of the plan.

    Examples:
        voucher-gateway migrate certificate move.plan --html move.html
            --json-file move.json --csv move-csv
        voucher-gateway migrate certificate --check move.json
    """
    session = cli_context_of(context)
    if check is not None:
        if plan is not None or html is not None or json_file is not None or csv is not None:
            raise InvalidRequest(
                "--check is given alone: it checks one certificate", field="--check", rule="without other arguments"
            )
        _check(session, check)
        raise typer.Exit(DONE)
    if plan is None:
        raise InvalidRequest("name the plan, or a certificate with --check", field="PLAN", rule="given")
    require_writable(html, "--html", plan=plan)
    require_writable(json_file, "--json-file", plan=plan)
    if csv is not None and csv.exists() and not csv.is_dir():
        raise InvalidRequest(f"{csv} is a file: --csv takes a folder", field="--csv", rule="a folder")
    if html is not None and json_file is not None and html.resolve() == json_file.resolve():
        raise InvalidRequest("--html and --json-file name the same file", field="--html", rule="two files")
    certificate = _make(session, plan, html, json_file, csv, by)
    _print_certificate(session.output, certificate, [path for path in (html, json_file, csv) if path is not None])
    from voucher_gateway.migration.certificate.model import Verdict

    raise typer.Exit(DONE if certificate.verdict in (Verdict.COMPLETE, Verdict.ROLLED_BACK) else DIFFERENT)


def _make(
    session: CliContext, plan: Path, html: Path | None, json_file: Path | None, csv: Path | None, by: str | None
) -> Certificate:
    from voucher_gateway.migration.certificate.files import open_voucher_list, write_html, write_json, write_tables
    from voucher_gateway.migration.certificate.make import make_certificate
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.run.context import journal_of

    with open_plan(plan) as opened, plan_gateway(session, opened) as gateway:
        keys = journal_of(gateway).keys
        with (
            open_voucher_list(csv) if csv is not None else nullcontext() as file,
            progress_printer(session.output) as printer,
        ):
            certificate = make_certificate(
                gateway, opened, by=by, voucher_list=file, on_progress=printer.print_verification
            )
        if csv is not None:
            write_tables(keys, certificate, csv)
        if json_file is not None:
            write_json(keys, certificate, json_file)
        if html is not None:
            write_html(keys, certificate, html)
    return certificate


def _check(session: CliContext, path: Path) -> None:
    from voucher_gateway.migration.certificate.seal import check_certificate
    from voucher_gateway.migration.run.context import journal_of

    with session.gateway() as gateway:
        checked = check_certificate(journal_of(gateway).keys, path)
    if session.output.as_json:
        session.output.object(
            {"path": str(path), "unchanged": True, "sha256": checked.sha256, "key_id": checked.key_id}
        )
        return
    session.output.show(f"{path} is as this journal sealed it, with its key {checked.key_id}")
    session.output.text(f"SHA-256 {checked.sha256}")


def _print_certificate(output: Output, made: Certificate, paths: list[Path]) -> None:
    from voucher_gateway.cli.commands.migrate_verify import print_shifted_ends, print_source
    from voucher_gateway.migration.certificate.files import certificate_content
    from voucher_gateway.migration.certificate.seal import digest_of
    from voucher_gateway.migration.certificate.wording import verdict_sentences, verdict_title

    content = certificate_content(made)
    if output.as_json:
        output.object(content)
        return
    output.show(f"{verdict_title(made)}.", *verdict_sentences(made))
    print_source(output, made.currencies, made.parts, list(made.totals.values()))
    print_shifted_ends(output, made.shifted_ends)
    output.show("")
    if made.new_codes.count:
        output.show(
            f"{count_text(made.new_codes.count, 'voucher')} moved under another code: `migrate codes` lists them"
        )
    output.text(f"certificate {digest_of(content)}")
    output.text(f"of the plan {made.plan.id}")
    for path in paths:
        output.text(f"written to {path}")
