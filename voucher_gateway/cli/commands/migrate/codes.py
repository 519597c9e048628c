"""The command that lists the vouchers that were moved under another code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.atomic_file import AtomicFile, report_write_errors
from voucher_gateway.cli import options as given
from voucher_gateway.cli.commands.migrate.run import ByName, PlanFile, plan_gateway, require_writable
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.output import json_line
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows, text_of
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import hide_frames

if TYPE_CHECKING:
    from voucher_gateway.migration.certificate.new_codes import NewCode

_HEAD: Final = (
    "number",
    "source_id",
    "target_id",
    "order",
    "amount",
    "currency",
    "old_code",
    "old_code_from",
    "new_code",
    "new_code_from",
)


def codes(
    context: typer.Context,
    plan: PlanFile,
    *,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write them into this CSV file.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option("--jsonl", metavar="FILE", help="Write them into this file of JSON lines.")
    ] = None,
    reveal: given.Reveal = False,
    by: ByName = None,
) -> None:
    """List the vouchers that were moved under another code, for letters to their owners.

    Each voucher is read at both vendors: codes are stored nowhere else. The list says where a code comes from: `source`
    and `target` are the vendors, `plan` is the mask in the plan, and `not-shown` is a code that its vendor hides.

    Codes are masked. With --reveal they are in plain text: such a file is worth the sum of its vouchers. Each file is
    written whole or not at all, and only its owner can read it (mode 0600). Who made a list is recorded.

    Examples:
        voucher-gateway migrate codes move.plan --csv new.csv --reveal --by Ann
    """
    from voucher_gateway.migration.certificate.new_codes import iterate_new_codes
    from voucher_gateway.migration.plan.plan_file import open_plan

    session = cli_context_of(context)
    if csv is not None and jsonl is not None:
        raise InvalidRequest("--csv and --jsonl write the same list: give one", field="--csv", rule="without --jsonl")
    path = csv or jsonl
    require_writable(path, "--csv" if csv is not None else "--jsonl", plan=plan)
    with open_plan(plan) as opened, plan_gateway(session, opened) as gateway:
        new_codes = iterate_new_codes(gateway, opened, by=by, revealed=reveal)
        if path is None and session.output.as_json:
            for new_code in new_codes:
                session.output.object(new_code, reveal=reveal)
            return
        if path is None:
            count = print_rows(session.output, new_codes, _columns(reveal=reveal))
        else:
            count = _write(_Lines(new_codes, as_csv=csv is not None, reveal=reveal), path)
    if session.output.as_json:
        session.output.object({"path": str(path), "vouchers": count, "revealed": reveal})
    elif path is not None:
        session.output.show(f"{count_text(count, 'voucher')} with another code written to {path}")
    elif not count:
        session.output.show("No voucher was moved under another code.")


def _columns(*, reveal: bool) -> tuple[TableColumn[NewCode], ...]:
    return (
        TableColumn("number", attrgetter("number"), right=True),
        TableColumn("source id", attrgetter("source_id")),
        TableColumn("target id", attrgetter("target_id")),
        TableColumn("order", attrgetter("order"), optional=True),
        TableColumn("value", attrgetter("value"), right=True),
        TableColumn("old code", attrgetter("old_code"), reveal=reveal),
        TableColumn("new code", attrgetter("new_code"), reveal=reveal),
    )


# Plain codes are never in a variable of a frame that an error of a vendor or of the disk passes.


def _csv_line(new_code: NewCode, *, reveal: bool) -> bytes:
    from voucher_gateway.migration.certificate.csv_text import csv_blocks, text_cell

    with hide_frames():
        row = (
            str(new_code.number),
            text_cell(new_code.source_id),
            text_cell(new_code.target_id or ""),
            text_cell(new_code.order or ""),
            f"{new_code.value.amount:f}",
            new_code.value.currency,
            text_cell(text_of(new_code.old_code, reveal=reveal)),
            new_code.old_code_from.value,
            text_cell(text_of(new_code.new_code, reveal=reveal)),
            new_code.new_code_from.value,
        )
        return b"".join(csv_blocks(row, ()))


def _json_line(new_code: NewCode, *, reveal: bool) -> bytes:
    with hide_frames():
        return json_line(new_code, reveal=reveal).encode() + b"\n"


class _Lines:
    """The lines of a file, and how many vouchers it has."""

    def __init__(self, new_codes: Iterable[NewCode], *, as_csv: bool, reveal: bool) -> None:
        self.count = 0
        self._new_codes = new_codes
        self._as_csv = as_csv
        self._reveal = reveal

    def __iter__(self) -> Iterator[bytes]:
        if self._as_csv:
            yield (",".join(_HEAD) + "\n").encode()
        for new_code in self._new_codes:
            self.count += 1
            yield (_csv_line if self._as_csv else _json_line)(new_code, reveal=self._reveal)


def _write(lines: _Lines, path: Path) -> int:
    """Write a list into a file, whole or not at all, and return the number of vouchers."""
    with report_write_errors(str(path)), AtomicFile(path) as draft:
        draft.file.writelines(lines)
        draft.commit()
    return lines.count
