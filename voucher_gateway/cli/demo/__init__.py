"""The command that shows what this library promises, on two simulated vendors."""

from __future__ import annotations

import typer

from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.demo.closing import compare, say_what_next
from voucher_gateway.cli.demo.issuing import issue_at_both, look_at_all
from voucher_gateway.cli.demo.spending import give_back, redeem_by_update, repeat_it, reserve_and_capture
from voucher_gateway.cli.demo.stage import open_stage
from voucher_gateway.cli.demo.story import Story
from voucher_gateway.cli.demo.trouble import lose_an_answer, refuse_early, show_refusals
from voucher_gateway.cli.exit_codes import DIFFERENT, DONE
from voucher_gateway.cli.simulate import require_simulators


def demo(context: typer.Context) -> None:
    """Show what this library promises, on two simulated vendors, in a few seconds.

    Nothing leaves this machine and nothing is kept. Amounts are in major units of their currency. Exit code 0 if
    every cent is where it should be, 5 if not.

    Examples:
        voucher-gateway demo
    """
    require_simulators()
    story = Story(cli_context_of(context).output)
    with open_stage(story) as stage:
        gift, concert = issue_at_both(story, stage)
        look_at_all(story, stage, gift)
        redemption = reserve_and_capture(story, stage, gift)
        repeat_it(story, stage, gift)
        give_back(story, stage, gift, redemption)
        redeem_by_update(story, stage, concert)
        refuse_early(story, stage, concert)
        show_refusals(story, stage, gift)
        lose_an_answer(story, stage, gift)
        agreed = compare(story, stage)
    say_what_next(story)
    raise typer.Exit(DONE if agreed else DIFFERENT)
