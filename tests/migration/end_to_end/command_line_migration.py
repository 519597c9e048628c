"""One whole migration by the command line, and whether money stayed what it was."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import psycopg

from tests.migration.end_to_end.stores import RESERVED, FileStore, VoucherStore
from tests.support.ledger import LedgerVoucher

PROGRAM: Final = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]
IN_DOUBT: Final = 4
NOT_ALL_MOVED: Final = 5
"""The exit code of a run that leaves vouchers in doubt."""
SOONEST_S: Final = 0.7
LATEST_S: Final = 1.8
"""A killed program has lived at least, and at most, so long; it takes about half a second to begin."""
JOURNAL_KEY: Final = "a-key-for-the-tests-of-whole-migrations"


@attrs.frozen
class Migration:
    """A plan from one place to another, by a program of its own in a folder of its own.

    Attributes:
        source: from where.
        target: to where.
        folder: holds configuration, plan and journal.
        before: what the source held before.
        there: what the target held before.
        reserved: the code of a voucher that a customer is about to pay with, where the source can reserve.
    """

    source: VoucherStore
    target: VoucherStore
    folder: Path
    before: Mapping[str, LedgerVoucher]
    there: Mapping[str, LedgerVoucher]
    reserved: str | None

    @classmethod
    def planned(
        cls,
        source: VoucherStore,
        target: VoucherStore,
        folder: Path,
        policy: str,
        *more: str,
        journal: str | None = None,
    ) -> Migration:
        """Write the configuration and make the plan."""
        before, there = source.vouchers(), target.vouchers()
        tables = {place.name: place.table() for place in (source, target)}
        (folder / "shop.toml").write_text(
            _toml(journal or f"sqlite:///{folder / 'journal.db'}", {k: v for k, v in tables.items() if v is not None})
        )
        (folder / "policy.toml").write_text(policy)
        code = _reservable(before) if RESERVED in source.kinds else None
        one = cls(source, target, folder, before, there, code)
        if code is not None:
            held = before[code]
            asked = one.run("reserve", source.name, code, str(held.remaining), held.currency, "--reference", "a-till")
            assert asked.returncode == 0, asked.stderr
        codes = ("--reveal",) if isinstance(target, FileStore) else ()
        done = one.run(
            "migrate", "plan", source.name, target.name, "--out", "move.plan", "--policy", "policy.toml", *codes, *more
        )
        assert done.returncode in (0, 1), done.stderr
        return one

    @property
    def copies(self) -> bool:
        """Whether the source stays as it is: nobody can spend from paper."""
        return isinstance(self.source, FileStore) or isinstance(self.target, FileStore)

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [*PROGRAM, "--config", "shop.toml", *arguments],
            cwd=self.folder,
            env={**os.environ, "VOUCHER_GATEWAY_JOURNAL_KEY": JOURNAL_KEY},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.process(*arguments)
        out, err = process.communicate(timeout=1500)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    @property
    def _running(self) -> list[str]:
        return ["migrate", "run", "move.plan", *(["--reveal"] if isinstance(self.target, FileStore) else [])]

    def finish(self) -> None:
        """Run the plan to its end; what no reading decides is decided as a person would, who looks at the vendor."""
        for _ in range(3):
            done = self.run(*self._running)
            if done.returncode in (0, NOT_ALL_MOVED):
                return
            if done.returncode == IN_DOUBT:
                self._decide()
        raise AssertionError(f"{done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}")

    def _decide(self) -> None:
        codes, there = self.source_codes, self.target.vouchers()
        for one in self.status()["noted"]:
            named = re.search(r"the operation is (\S+) (issue) (\S+)", one["reason"])
            assert named, one["reason"]
            happened = "--happened" if codes[one["source_id"]] in there else "--did-not-happen"
            said = self.run("operations", "decide", *named.groups(), happened, "--by", "me", "--reason", "the ledger")
            assert said.returncode == 0, said.stderr

    def killed(self, times: int, *options: str, seed: int) -> int:
        """Run the plan until it is done, killing it at random moments; say how often it lived to be killed.

        Children of the program are not killed: they notice its death, and may still work when the next one begins.

        Args:
            times: how often it is killed at most.
            *options: of the command.
            seed: of the random moments.
        """
        draw, struck = random.Random(seed), 0
        while struck < times:
            process = self.process(*self._running, *options)
            try:
                process.wait(timeout=draw.uniform(SOONEST_S, LATEST_S))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                struck += 1
                process.communicate()
            else:
                process.communicate()
                break
        return struck

    def plan(self) -> list[dict[str, Any]]:
        """The plan's vouchers, as they stand in the file."""
        lines = (self.folder / "move.plan").read_text("utf-8").splitlines()
        return [one for one in map(json.loads, lines) if "source_id" in one]

    @property
    def kinds(self) -> set[str]:
        """The kinds of vouchers that the plan has found."""
        return {one["kind"] for one in self.plan()}

    def status(self) -> dict[str, Any]:
        """What ``migrate status`` says."""
        told: dict[str, Any] = json.loads(self.run("--json", "migrate", "status", "move.plan").stdout.splitlines()[0])
        return told

    def carried(self) -> dict[str, dict[str, Any]]:
        """The vouchers that are to move, by their code at the source."""
        codes = self.source_codes
        return {codes[one["source_id"]]: one for one in self.plan() if one["action"] == "carry"}

    @property
    def source_codes(self) -> dict[str, str]:
        """The codes at the source, by id."""
        return self.source.codes()

    def check(self) -> dict[str, Decimal]:
        """Hold both sides' truth against the plan, to the cent, and say how much was moved, by currency."""
        source, target, carried = self.source.vouchers(), self.target.vouchers(), self.carried()
        assert carried, "nothing was planned to move"
        assert self.reserved not in carried, "a customer was about to pay with it"
        moved: dict[str, Decimal] = defaultdict(Decimal)
        for code, planned in carried.items():
            value = _planned_value(planned)
            assert (self.before[code].currency, self.before[code].remaining) == value, planned["number"]
            if not self.copies:
                assert source[code].value == 0, f"voucher {planned['number']} can be spent at both vendors"
            moved[value[0]] += value[1]
        same = {code: planned for code, planned in carried.items() if not planned["destination"].get("new_code")}
        for code, planned in same.items():
            new = target.get(code)
            assert new is not None, f"voucher {planned['number']} is lost"
            assert (new.currency, new.remaining) == _planned_value(planned), planned["number"]
            assert new.spendable == planned["destination"].get("active", True), planned["number"]
            _not_shortened(self.before[code], new)
        # which of the others got which code, nobody here can know; their values say enough
        recoded = Counter(_planned_value(planned) for code, planned in carried.items() if code not in same)
        others = {code: held for code, held in target.items() if code not in same and code not in self.there}
        assert Counter((held.currency, held.remaining) for held in others.values()) == recoded
        stayed = {code: held for code, held in self.before.items() if code not in carried}
        assert {code: source[code].remaining for code in stayed} == {k: v.remaining for k, v in stayed.items()}
        assert {code: source[code].spendable for code in stayed} == {k: v.spendable for k, v in stayed.items()}
        assert {code: target[code] for code in self.there} == self.there, "what the target had is not what it was"
        return moved

    def check_sums(self) -> None:
        """Check that what can be spent at both ends together is what it was. A copy adds what was moved, no more."""
        source, target = self.source.vouchers(), self.target.vouchers()
        sums = _spendable_sums(source, target)
        before = _spendable_sums(self.before, self.there)
        if self.copies:
            moved = self.status()["vouchers"]["moved"]["money"]
            before += Counter({currency: int(Decimal(money["amount"]) * 1000) for currency, money in moved.items()})
        assert sums == before
        assert {code: target[code] for code in self.there} == self.there, "the target's own vouchers have changed"

    def check_but_for_doubts(self) -> int:
        """The same after faults: no voucher is spendable at both ends or doubled; money is missing only in doubt.

        Says how many vouchers are in doubt; nothing else may be left to do.
        """
        source, target, carried = self.source.vouchers(), self.target.vouchers(), self.carried()
        assert carried, "nothing was planned to move"
        standing = self.status()["vouchers"]
        assert set(standing) <= {"moved", "in-doubt"}, standing
        in_doubt: int = standing.get("in-doubt", {"count": 0})["count"]
        missing = []
        for code, planned in carried.items():
            _, value = _planned_value(planned)
            there = target[code].value if code in target else Decimal(0)
            here = source[code].value
            assert here == 0 or there == 0, f"voucher {planned['number']} can be spent at both vendors"
            assert here + there in (0, value), planned["number"]
            if here + there == 0:
                missing.append(planned["number"])
        assert len(missing) <= in_doubt, f"{missing} are nowhere: {standing}"
        assert sum(code in target for code in carried) >= len(carried) - in_doubt
        assert set(target) <= set(carried) | set(self.there)
        return in_doubt

    def kill_some(self, processes: Sequence[subprocess.Popen[str]], *, seed: int) -> None:
        """Kill these processes at random moments, one after the other."""
        draw = random.Random(seed)
        for process in processes:
            time.sleep(draw.uniform(1.0, 4.0))
            process.send_signal(signal.SIGKILL)

    def verified(self) -> subprocess.CompletedProcess[str]:
        """Let the program verify."""
        return self.run("migrate", "verify", "move.plan")

    def check_ends(self, *, at_target: bool) -> int:
        """Check the table of shifted ends against the ledgers, voucher by voucher to the second, and return its length.

        Args:
            at_target: whether the vouchers are at the target, and not back at the source.
        """
        done = self.run("--json", "migrate", "verify", "move.plan")
        verified = json.loads(done.stdout.splitlines()[0])
        now, codes = (self.target if at_target else self.source).vouchers(), self.source_codes
        same = {code for code, one in self.carried().items() if not one["destination"].get("new_code")}
        shifts = {}
        for code in same:
            before, after = self.before[code], now[code]
            if before.valid_until is not None and after.valid_until is not None and after.spendable:
                seconds = (after.valid_until - before.valid_until).total_seconds()
                if abs(seconds) >= 1:
                    shifts[code] = int(abs(seconds))
        told = {codes[one["source_id"]]: one["seconds"] for one in verified["shifted_vouchers"] if one["seconds"]}
        assert {code: seconds for code, seconds in told.items() if code in same} == shifts
        assert sum(group["count"] for group in verified["shifted_ends"]) == len(verified["shifted_vouchers"])
        return len(shifts)

    def check_new_codes(self) -> int:
        """Check the list of new codes against both ledgers, and return its length."""
        done = self.run("migrate", "codes", "move.plan", "--jsonl", "codes.jsonl", "--reveal")
        assert done.returncode == 0, done.stderr
        source, target, codes = self.source.vouchers(), self.target.vouchers(), self.source_codes
        rows = [json.loads(line) for line in (self.folder / "codes.jsonl").read_text("utf-8").splitlines()]
        for row in rows:
            new = target[row["new_code"]]
            assert row["old_code"] == codes[row["source_id"]]
            assert (new.currency, new.remaining) == (row["value"]["currency"], Decimal(row["value"]["amount"]))
            assert source[row["old_code"]].value == 0 or self.copies
        wanted = [one for one in self.carried().values() if one["destination"].get("new_code")]
        assert len({row["new_code"] for row in rows}) == len(rows) == len(wanted)
        return len(rows)

    def check_certificate(self) -> None:
        """Check each sum of the certificate of a finished move against the ledgers of both ends, to the cent."""
        done = self.run("migrate", "certificate", "move.plan", "--json-file", "move.json", "--csv", "move-csv")
        assert done.returncode == 0, done.stdout + done.stderr
        certificate = json.loads((self.folder / "move.json").read_text())["certificate"]
        source, target = self.source.vouchers(), self.target.vouchers()
        before, moved, stays = (Counter[str]() for _ in range(3))
        for code, voucher in self.before.items():
            thousandths = int(voucher.remaining * 1000)
            before[voucher.currency] += thousandths
            came = code in target and code not in self.there  # the target may have had the code before
            (moved if came else stays)[voucher.currency] += thousandths
        for code, voucher in target.items():
            if code not in self.before and code not in self.there:  # it was moved under a new code
                moved[voucher.currency] += int(voucher.remaining * 1000)
                stays[voucher.currency] -= int(voucher.remaining * 1000)
        assert _certified(certificate, "before") == +before
        assert _certified(certificate, "moved") == +moved
        assert _certified(certificate, "at_target") == +moved
        assert _certified(certificate, "stays") == +stays
        assert not _certified(certificate, "difference")
        if not self.copies:
            left = _spendable_sums(source, {})
            assert _certified(certificate, "at_source") >= left
            assert not left - _certified(certificate, "at_source")
        for path in ("move.json", "move-csv"):
            checked = self.run("migrate", "certificate", "--check", path)
            assert checked.returncode == 0, checked.stderr


def _certified(certificate: Mapping[str, Any], name: str) -> Counter[str]:
    return +Counter(
        {total["currency"]: int(Decimal(total[name]["amount"]) * 1000) for total in certificate["currencies"]}
    )


def seen_at_work(processes: Sequence[subprocess.Popen[str]], url: str) -> set[str]:
    """Look into the journal at a PostgreSQL until all of these processes have claimed vouchers; return who has.

    Fewer than there are processes if these have ended before.
    """
    found: set[str] = set()
    with psycopg.connect(url, autocommit=True) as connection:
        while len(found) < len(processes) and any(process.poll() is None for process in processes):
            (there,) = connection.execute("SELECT to_regclass('voucher_gateway_migration_vouchers')").fetchone() or (
                None,
            )
            if there is not None:
                query = "SELECT DISTINCT owner FROM voucher_gateway_migration_vouchers WHERE owner IS NOT NULL"
                found |= {owner for (owner,) in connection.execute(query)}
            time.sleep(0.02)
    return found


def _spendable_sums(*ledgers: Mapping[str, LedgerVoucher]) -> Counter[str]:
    """Return the sum of what can be spent, by currency, in thousandths."""
    sums: Counter[str] = Counter()
    for ledger in ledgers:
        for voucher in ledger.values():
            sums[voucher.currency] += int(voucher.value * 1000)
    return +sums


def _not_shortened(old: LedgerVoucher, new: LedgerVoucher) -> None:
    if new.valid_until is not None and old.valid_until is not None:
        assert new.valid_until >= old.valid_until.replace(microsecond=old.valid_until.microsecond // 1000 * 1000)


def _toml(journal: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [f"journal = {json.dumps(journal)}"]
    for name, table in tables.items():
        lines.append(f"[accounts.{name}]")
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _planned_value(planned: Mapping[str, Any]) -> tuple[str, Decimal]:
    value = planned["destination"]["value"]
    return value["currency"], Decimal(value["amount"])


def _reservable(held: Mapping[str, LedgerVoucher]) -> str:
    """Return a code that a command can be given as it is, of a voucher that can be spent without a PIN."""
    return next(
        code for code, one in held.items() if one.value >= 1 and not one.pin and re.fullmatch(r"[A-Z][A-Z0-9-]+", code)
    )
