"""The demo's books against the vendors' ledgers, and what to type next."""

from __future__ import annotations

from typing import Final

from voucher_gateway.cli.demo.stage import Line, Stage
from voucher_gateway.cli.demo.story import Story
from voucher_gateway.cli.tables import Column


def compare(story: Story, stage: Stage) -> bool:
    """Set what the calls said against what the vendors have; return whether it agrees to the cent."""
    story.step("Count the money", "What the calls said, against what each vendor truly has in its ledger.")
    lines = stage.books.lines
    story.rows(lines, [*_COLUMNS, Column("vendor has", lambda line: str(_truth(stage, line)), right=True)])
    agreed = all(line.left == _truth(stage, line) for line in lines)
    story.say("It agrees, to the cent." if agreed else "It does not agree: please report this.")
    return agreed


def _truth(stage: Stage, line: Line) -> object:
    return stage.truly_left(line.account, line.issued.currency)


_COLUMNS: list[Column[Line]] = [
    Column("account", lambda line: line.account),
    Column("issued", lambda line: str(line.issued), right=True),
    Column("topped up", lambda line: f"+ {line.topped_up.amount:f}", right=True),
    Column("taken", lambda line: f"- {line.taken.amount:f}", right=True),
    Column("given back", lambda line: f"+ {line.given_back.amount:f}", right=True),
    Column("left", lambda line: str(line.left), right=True),
]


_NEXT: Final = {
    "voucher-gateway simulate jtl --vouchers 100": "a vendor to try things on",
    "voucher-gateway providers": "what each can do",
    "voucher-gateway connect jtl --help": "a login at the real one",
    "voucher-gateway doctor": "whether your config works",
}


def say_what_next(story: Story) -> None:
    """Tell what to type next."""
    story.step("What to type next")
    for command, why in _NEXT.items():
        story.say(f"{command:<48}  {why}")
