"""The command that certifies a migration, and checks a certificate."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voucher_gateway.cli.commands.migrate.run import ByName, plan_gateway, require_writable
from voucher_gateway.cli.context import DIFFERENT, DONE, UNKNOWN, CliContext, cli_context_of
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
        list[Path] | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Check that this page, JSON file or folder was not changed; several must be of one certificate.",
        ),
    ] = None,
    by: ByName = None,
) -> None:
    """Certify a migration for people who sign: the whole source, the target, the difference, and who did what.

    Both accounts are read again, as by `migrate verify`. The certificate has the whole source before the move, with
    what was carried, refused, skipped, changed and issued since; what each account has now; the difference; the
    vouchers with a new code; who ran what and when; and the hashes of the plan and of the list of all vouchers.

    Each file is sealed by an HMAC of the journal's key, and only its owner can read it. Codes in it are masked. With
    --check no vendor is asked. It may be repeated: the files must be of one certificate, and of PLAN if it is given.

    Exit code 0: everything agrees, or the checked files are unchanged. 2: a checked file was changed, is not
    a certificate of this journal, or is of another certificate than the others. 4: the journal records something in
    doubt, or something that has begun and not ended; the certificate says how to settle it. 5: there are differences,
    which are in the certificate, or the journal knows no run of the plan.

    Examples:
        voucher-gateway migrate certificate move.plan --html move.html
            --json-file move.json --csv move-csv
        voucher-gateway migrate certificate --check move.html --check move.json
    """
    session = cli_context_of(context)
    if check:
        if html is not None or json_file is not None or csv is not None:
            raise InvalidRequest(
                "--check writes nothing: give it without --html, --json-file and --csv",
                field="--check",
                rule="without files to write",
            )
        _check(session, check, plan)
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
    raise typer.Exit(_exit_code(certificate))


def _exit_code(certificate: Certificate) -> int:
    from voucher_gateway.migration.certificate.model import Verdict

    if certificate.verdict is Verdict.IN_DOUBT:
        return UNKNOWN
    return DONE if certificate.verdict in (Verdict.COMPLETE, Verdict.ROLLED_BACK) else DIFFERENT


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


def _check(session: CliContext, paths: list[Path], plan: Path | None) -> None:
    from voucher_gateway.html.document import display_instant
    from voucher_gateway.instants import parse_instant
    from voucher_gateway.migration.certificate.seal import check_certificates
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.run.context import journal_of

    with session.gateway() as gateway, nullcontext() if plan is None else open_plan(plan) as opened:
        checked = check_certificates(journal_of(gateway).keys, paths, None if opened is None else opened.id)
    output = session.output
    for part in checked:
        if output.as_json:
            sealed = {"path": str(part.path), "unchanged": True, "sha256": part.sha256, "key_id": part.key_id}
            output.object({**sealed, "certificate": part.identity})
        else:
            output.show(f"{part.path} is as this journal sealed it, with its key {part.key_id}")
            output.text(f"SHA-256 {part.sha256}")
    if not output.as_json:
        identity = checked[0].identity
        output.text(f"certificate {identity.sha256}")
        output.text(f"of the plan {identity.plan_id}")
        output.text(f"made at {display_instant(parse_instant(identity.made_at))}")


def _print_certificate(output: Output, made: Certificate, paths: list[Path]) -> None:
    from voucher_gateway.cli.commands.migrate.verify import print_differences, print_shifted_ends, print_source
    from voucher_gateway.migration.certificate.files import certificate_content
    from voucher_gateway.migration.certificate.seal import digest_of
    from voucher_gateway.migration.certificate.sentences import verdict_sentences, verdict_title

    content = certificate_content(made)
    if output.as_json:
        output.object(content)
        return
    output.show(f"{verdict_title(made)}.", *verdict_sentences(made))
    print_source(output, made.currencies, made.parts, list(made.totals.values()))
    print_shifted_ends(output, made.shifted_ends)
    print_differences(output, made.differences)
    output.show("")
    if made.new_codes.count:
        output.show(
            f"{count_text(made.new_codes.count, 'voucher')} moved under another code: `migrate codes` lists them"
        )
    output.text(f"certificate {digest_of(content)}")
    output.text(f"of the plan {made.plan.id}")
    for path in paths:
        output.text(f"written to {path}")
