"""Runs of the command line against simulated vendors, which show the keys that it prints and its exit codes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import typer.main

from tests.outside.declared import exit_codes, voucher_columns
from tests.outside.shapes import json_values, key_lines, shape_blocks
from voucher_gateway import Gateway
from voucher_gateway.cli.app import run as run_command
from voucher_gateway.migration import Progress
from voucher_gateway.serialization import to_json
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway_jtl.simulator import JtlSimulator

CODE: Final = "JTL-7K2M-9QXD-4HTP"
CHARGE: Final = "POST /v1/reservations/*/charge"
POLICY: Final = """\
losses = ['batch', 'medium', 'metadata', 'no-end', 'order', 'pin', 'sku', 'tax']
accept = ['validity-restarts']
"""


@attrs.frozen
class Run:
    """One run: its exit code and what it printed."""

    exit_code: int
    out: str
    err: str

    @property
    def results(self) -> list[Any]:
        """The JSON objects on stdout."""
        return json_values(self.out)

    @property
    def result(self) -> Any:
        """The last JSON object on stdout."""
        return self.results[-1]


class Recorder:
    """Runs commands and keeps what they print and how they end."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.printed: dict[str, list[Any]] = {}
        self.exits: list[str] = []
        self.files: dict[str, list[str]] = {}

    def run(self, *arguments: str, ends: int = 0, title: str | None = None, stdin: str = "") -> Run:
        """Run a command with ``--json``, and keep the keys of what it prints on both streams.

        Args:
            arguments: the command and its arguments.
            ends: the exit code that it must have.
            title: what the run shows, if its exit code is to be recorded too.
            stdin: what it reads.
        """
        out, err = io.StringIO(), io.StringIO()
        self.patch.setattr("sys.stdin", io.StringIO(stdin))
        with redirect_stdout(out), redirect_stderr(err):
            code = run_command(["--json", *arguments])
        run = Run(code, out.getvalue(), err.getvalue())
        assert code == ends, f"{arguments}: exit code {code}\n{run.out}{run.err}"
        command = _command_of(arguments)
        # How often a run tells its progress depends on the machine; `_progress` records its keys.
        results = [result for result in run.results if list(result) != ["progress"]]
        remarks = json_values(run.err)
        self.printed.setdefault(f"{command}, stdout", []).extend(results)
        for remark in remarks:
            name = f"error {remark['error']}" if "error" in remark else f"{command}, stderr"
            self.printed.setdefault(name, []).append(remark)
        if title is not None:
            names = [f"{remark['error']}, {remark['outcome']}" for remark in remarks if "error" in remark]
            self.exits.append(f"{title}: exit {code}" + "".join(f", {name}" for name in names))
        return run

    def printed_keys(self) -> str:
        """Return the keys of everything that was printed, by command and stream."""
        blocks = []
        for title, values in sorted(self.printed.items()):
            blocks += [[f"[{title}]", *lines] for lines in shape_blocks(values)]
        return "\n".join("\n".join([*block, ""]) for block in blocks)

    def exit_lines(self) -> str:
        """Return the exit codes with their meaning, and how each recorded run ended."""
        return "\n".join(["[exit codes]", *exit_codes(), "", "[runs]", *self.exits, ""])

    def file_keys(self) -> str:
        """Return the keys of the files that were written."""
        sections = {**self.files, **voucher_columns()}
        return "\n".join("\n".join([f"[{title}]", *lines, ""]) for title, lines in sections.items())


def record_runs(folder: Path) -> dict[str, str]:
    """Run every command once at least, and return what is to be recorded, by the name of its file.

    Args:
        folder: an empty folder to work in.
    """
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.chdir(folder)
        patch.delenv("VOUCHER_GATEWAY_CONFIG", raising=False)
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))  # half of the time of all runs
        jtl = stack.enter_context(start("jtl"))
        ticketing = stack.enter_context(start("ticketing"))
        _write_configs(jtl, ticketing)
        recorder = Recorder(patch)
        _issue(recorder)
        _look(recorder)
        _spend(recorder)
        _refuse(recorder, jtl)
        _doubt(recorder, jtl)
        _restore(recorder)
        _copy(recorder)
        _migrate(recorder, jtl)
        _begin(recorder, jtl)
        _report(recorder, jtl)  # it moves the clock, so it comes last
        _progress(recorder)
        recorder.printed["simulate, stdout"] = [dict(jtl.announcement), dict(ticketing.announcement)]
        crashes = [crash for running in (jtl, ticketing) for crash in running.crashes]
    assert crashes == []
    return {
        "json_keys": recorder.printed_keys(),
        "exit_codes": recorder.exit_lines(),
        "file_keys": recorder.file_keys(),
    }


def _command_of(arguments: tuple[str, ...]) -> str:
    words = arguments[2:] if arguments[0] == "--config" else arguments
    return " ".join(words[:2] if words[0] in ("migrate", "operations") else words[:1])


def _write_configs(jtl: RunningSimulator, ticketing: RunningSimulator) -> None:
    """Write configurations with a journal, without, with wrong credentials, and of a vendor that does not answer."""
    Path("policy.toml").write_text(POLICY)
    shop, events = jtl.announcement, ticketing.announcement
    accounts = f"""
[accounts.shop]
provider = "jtl"
base_url = "{shop["base_url"]}"
client_id = "{shop["client_id"]}"
client_secret = "{shop["client_secret"]}"
code_pattern = "^JTL-"

[accounts.events]
provider = "ticketing"
base_url = "{events["base_url"]}"
api_key = "{events["api_key"]}"
accept_risks = ["redeem-by-update"]
"""
    Path("voucher-gateway.toml").write_text(f'journal = "sqlite:///journal.db"\n{accounts}')
    Path("no-journal.toml").write_text(accounts)
    Path("wrong.toml").write_text(accounts.replace(shop["client_secret"], "0" * 40))
    Path("dead.toml").write_text(
        '[accounts.dead]\nprovider = "jtl"\nbase_url = "http://127.0.0.1:9/v1"\nclient_id = "a"\n'
        'client_secret = "0000000000000000"\ntries = 1\nconnect_timeout_s = 1\ntotal_timeout_s = 2\n'
    )


def _issue(recorder: Recorder) -> None:
    run = recorder.run
    run(
        "issue", "shop", "50.00", "EUR", "--id", "gift", "--code", CODE, "--medium", "print", "--valid-for", "3 years",
        "--taxable", "--tax-rate", "19", "--sku", "A-1", "--batch", "xmas", "--metadata", '{"price": 10.10}',
        "--order", "1001", "--activate", "--reference", "gift",
    )  # fmt: skip
    run("issue", "shop", "30.00", "CHF", "--id", "swiss", "--activate", "--reference", "swiss")
    run("issue", "shop", "20.00", "EUR", "--id", "stock", "--reference", "stock")
    until = "2031-01-31T23:59:59Z"
    run("issue", "events", "29.90", "EUR", "--code", "EVENT-1", "--valid-until", until, "--reference", "event")
    run("activate", "shop", "stock", "--reference", "on")
    run("deactivate", "shop", "stock", "--reference", "off")
    run("update", "shop", "stock", "--batch", "spring", "--reference", "batch")
    run("top-up", "shop", "gift", "5.00", "EUR", "--reference", "more")
    run("issue", "shop", "1.00", "EUR", "--id", "wrong", "--reference", "wrong")
    run("delete", "shop", "wrong", "--reason", "printed wrong", "--reference", "delete")


def _look(recorder: Recorder) -> None:
    run = recorder.run
    run("accounts")
    run("providers")
    run("doctor")
    run("list", "shop")
    run("list", "events", "--limit", "1")
    run("list", "shop", "--limit", "1")
    run("show", "shop", "--id", "gift")
    run("show", "events", "--code", "EVENT-1", "--reveal")
    run("find", CODE, title="find a voucher")
    run("find", "EVENT-1", "--broadcast")
    run("balance", "shop", CODE)
    run("presentation", "events", "EVENT-1")


def _spend(recorder: Recorder) -> None:
    run = recorder.run
    reserve = ("reserve", "shop", CODE, "10.53", "EUR", "--order", "1001", "--reference")
    run(*reserve, "a")
    run("capture", "shop", "--reservation", "a", "--reference", "a")
    run(*reserve, "b")
    run("release", "shop", "--reservation", "b", "--reference", "b")
    run("redeem", "shop", CODE, "5.00", "EUR", "--order", "1002", "--if-held", "replace", "--reference", "c")
    run("redeem", "events", "EVENT-1", "9.90", "EUR", "--reference", "d")
    run("refundable", "shop", "--redemption", "c")
    run("refund", "shop", "--redemption", "c", "--amount", "2.00", "--reference", "c")
    run("history", "shop", "gift")
    run("history", "events", recorder.printed["find, stdout"][-1]["vouchers"][0]["id"])
    run("operations", "list")
    run("operations", "show", "shop", "redeem", "c")
    run("reconcile")


def _refuse(recorder: Recorder, jtl: RunningSimulator) -> None:
    """Show each exit code that is not 0, but for those of doubt and differences."""
    run = recorder.run
    redeem = ("redeem", "shop", CODE, "1.00", "EUR")
    run("show", "shop", "--id", "nothing", ends=1, title="a voucher that is not there")
    run("find", "JTL-0000-0000-0000", ends=1, title="a code that nobody has")
    run("redeem", "shop", CODE, "999.00", "EUR", "--reference", "e", ends=1, title="more than is left")
    run("presentation", "shop", CODE, ends=1, title="what the vendor cannot do")
    refund = ("refund", "events", "--redemption", "d", "--amount", "1.00", "--reference", "d")
    run(*refund, ends=1, title="an emulation that is not accepted")
    run(*redeem, ends=2, title="without a reference")
    run("nonsense", ends=2, title="no such command")
    run("redeem", "shop", CODE, "1.001", "EUR", "--reference", "e", ends=2, title="too many decimals")
    run("balance", "nowhere", CODE, ends=2, title="no such account")
    run("--config", "missing.toml", "accounts", ends=2, title="no configuration")
    run(*redeem, "--reference", "c", ends=2, title="another call under the same reference")
    dead = ("--config", "dead.toml")
    run(*dead, "redeem", "dead", CODE, "1.00", "EUR", "--reference", "e", ends=3, title="a vendor that is not there")
    run(*dead, "doctor", ends=3)
    run(*dead, "find", CODE, "--broadcast", ends=3, title="a code, and not all could be asked")
    jtl.inject("html", "GET /v1/vouchers/gift", 1)
    run("show", "shop", "--id", "gift", ends=6, title="an answer outside of the contract")
    jtl.inject("rate-limit", "GET /v1/vouchers/gift", 1, retry_after_s=3600)
    run("show", "shop", "--id", "gift", ends=3, title="a vendor that asks to wait")
    run("--config", "wrong.toml", "show", "shop", "--id", "gift", ends=2, title="wrong credentials")
    with _broken_gateway(recorder, KeyError()):
        run("balance", "shop", CODE, ends=70, title="a bug")
        run(*redeem, "--reference", "e", ends=70, title="a bug in a change")
    with _broken_gateway(recorder, KeyboardInterrupt()):
        run("balance", "shop", CODE, ends=130, title="interrupted")
        run(*redeem, "--reference", "e", ends=130, title="interrupted in a change")


@contextmanager
def _broken_gateway(recorder: Recorder, error: BaseException) -> Iterator[None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    with recorder.patch.context() as patch:
        patch.setattr(Gateway, "balance", fail)
        patch.setattr(Gateway, "redeem", fail)
        yield


def _doubt(recorder: Recorder, jtl: RunningSimulator) -> None:
    """Lose answers and requests, and find out what became of them."""
    run = recorder.run
    redeem = ("redeem", "shop", CODE, "1.00", "EUR", "--order", "1003", "--reference")
    jtl.inject("commit-then-drop", CHARGE)
    run(*redeem, "f", ends=4, title="a lost answer")
    run("operations", "list", "--outcome", "unknown")
    run("operations", "show", "shop", "redeem", "f")
    run("reconcile", "shop", ends=5, title="the journal and the vendor differ")
    jtl.inject("html", "GET /v1/vouchers/gift/*", 1)
    run("reconcile", "shop", ends=3, title="the vendor could not be asked")
    run("resolve", "shop", "redeem", "f", title="a lost answer is looked up")
    jtl.inject("drop-before", CHARGE)
    run(*redeem, "g", ends=4, title="a lost request")
    run("resolve", "shop", "redeem", "g", ends=4, title="it stays unknown")
    run("recover", "--all", ends=4, title="recover, and something stays unknown")
    decide = ("operations", "decide", "shop", "redeem", "g", "--by", "Ann", "--reason", "the vendor says so")
    run(*decide, "--did-not-happen", title="a person decides")
    run("operations", "show", "shop", "redeem", "g")
    plain_redeem = ("--config", "no-journal.toml", *redeem)
    jtl.inject("commit-then-drop", CHARGE)
    ticket = json_values(run(*plain_redeem, "h", ends=4).err)[-1]["ticket"]
    recorder.files["ticket"] = key_lines([ticket])
    run("--config", "no-journal.toml", "resolve", "--ticket", "-", stdin=json.dumps(ticket), title="a ticket")


def _restore(recorder: Recorder) -> None:
    """Go back to a copy of the journal."""
    run = recorder.run
    run("operations", "backup", "backup.db")
    run("redeem", "shop", CODE, "1.00", "EUR", "--if-held", "replace", "--reference", "i")
    for file in Path().glob("journal.db*"):
        if file.suffix != ".key":
            file.unlink()
    Path("backup.db").rename("journal.db")
    run("doctor", "shop", title="doctor, and the journal was restored")
    redeem = ("redeem", "shop", CODE, "1.00", "EUR", "--if-held", "replace", "--reference", "k")
    run(*redeem, ends=3, title="a change, and the journal was restored")
    run("recover", "--after-restore")
    run("reconcile", "shop", "--all", ends=5)


def _report(recorder: Recorder, jtl: RunningSimulator) -> None:
    run = recorder.run
    run("report")
    run("snapshot")
    begin = jtl.clock.now()
    jtl.clock.advance(timedelta(days=10).total_seconds())
    redeem = ("redeem", "shop", CODE, "1.00", "EUR", "--reference", "j")
    run(*redeem, ends=1, title="another reservation stands on the voucher")
    run(*redeem, "--if-held", "replace")
    run("top-up", "shop", "swiss", "5.00", "CHF", "--reference", "j")
    assert isinstance(jtl.simulator, JtlSimulator)
    with jtl.simulator.lock:
        next(iter(jtl.simulator.voucher_ledger)).remaining -= 1
    jtl.clock.advance(timedelta(days=10).total_seconds())
    run("snapshot", "shop", "--keep-days", "30")
    day = f"{begin:%Y-%m-%d}"
    run("report", "shop", "--as-of", day)
    run("report", "shop", "--from", day, ends=5, title="a roll-forward with something unexplained")


def _copy(recorder: Recorder) -> None:
    run = recorder.run
    run("export", "shop", "out.jsonl", "--reveal")
    run("export", "events", "out.csv")
    recorder.files["exported JSON line"] = key_lines(json_values(Path("out.jsonl").read_text()))
    recorder.files["exported CSV header"] = [Path("out.csv").read_text().splitlines()[0]]
    Path("in.csv").write_text("code,currency,remaining\nJTL-PAPER-0001,EUR,7.00\nJTL-PAPER-0002,EUR,8.00\n")
    run("import", "shop", "in.csv", "--dry-run", ends=1, title="an import that the policy does not provide for")
    run("import", "shop", "in.csv", "--policy", "policy.toml")


def _migrate(recorder: Recorder, jtl: RunningSimulator) -> None:
    """Plan, run, verify and roll back, with one voucher that changes before and one that is used after it moved."""
    run = recorder.run
    for id in ("moved", "changed", "used"):
        code = f"JTL-MOVE-{id.upper()}"
        run("issue", "shop", "10.00", "EUR", "--id", id, "--code", code, "--activate", "--reference", id)
    plan = ("migrate", "plan", "shop", "events", "--policy", "policy.toml", "--out")
    run(*plan, "a.plan", "--window", "4h", ends=1, title="a plan that refuses vouchers")
    _record_plan(recorder, Path("a.plan"))
    run("migrate", "status", "a.plan")
    run("migrate", "verify", "a.plan", ends=5, title="a plan that was not run")
    run("migrate", "pause", "a.plan", ends=2, title="nothing to pause")
    jtl.clock.advance(2)  # so that a voucher whose validity begins again ends later, by whole seconds
    run("migrate", "run", "a.plan", "--dry-run")
    run("migrate", "run", "a.plan", "--limit", "1")
    run("migrate", "pause", "a.plan")
    run("deactivate", "shop", "changed", "--reference", "by-hand")
    run("migrate", "run", "a.plan", ends=5, title="a voucher changed since it was planned")
    run("migrate", "status", "a.plan", ends=5, title="a voucher was not moved")
    run("balance", "shop", "JTL-MOVE-USED")
    moved = ("redeem", "shop", "JTL-MOVE-USED", "1.00", "EUR", "--reference", "moved")
    run(*moved, ends=1, title="a voucher that was moved")
    run("redeem", "events", "JTL-MOVE-USED", "1.00", "EUR", "--reference", "used")
    run("migrate", "verify", "a.plan", ends=5, title="a voucher was not moved")
    run("migrate", "rollback", "a.plan", ends=5, title="a moved voucher was used")
    run("migrate", "verify", "a.plan", ends=5, title="a voucher was not brought back")
    Path("edited.plan").write_text("{}\n")
    run("migrate", "run", "edited.plan", ends=2, title="a file that is no plan")


def _record_plan(recorder: Recorder, path: Path) -> None:
    header, *vouchers, totals, end = json_values(path.read_text())
    for title, values in (("header", [header]), ("voucher", vouchers), ("totals", [totals]), ("end", [end])):
        recorder.files[f"plan, {title}"] = key_lines(values)


def _begin(recorder: Recorder, jtl: RunningSimulator) -> None:
    """Run the commands for beginners."""
    url, pin = jtl.announcement["base_url"], jtl.announcement["connect_pin"]
    recorder.run("connect", "jtl", "--base-url", url, "--account", "till", "--pin", pin, "--secret-file", "secret")
    recorder.run("new-provider", "gift-house", "--into", ".")
    recorder.run("demo")


def _progress(recorder: Recorder) -> None:
    progress = Progress(total=1, counts={}, moved={}, elapsed_s=1, eta_s=None)
    recorder.printed["migrate run, progress on stdout"] = [{"progress": to_json(progress)}]
