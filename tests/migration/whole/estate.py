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
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs

from tests.migration.whole.places import Held, Paper, Place

PROGRAM: Final = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]
IN_DOUBT: Final = 4
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
    """

    source: Place
    target: Place
    folder: Path
    before: Mapping[str, Held]
    there: Mapping[str, Held]

    @classmethod
    def planned(
        cls, source: Place, target: Place, folder: Path, policy: str, *more: str, journal: str | None = None
    ) -> Migration:
        """Write the configuration and make the plan."""
        before, there = source.held(), target.held()
        tables = {place.name: place.table() for place in (source, target)}
        (folder / "shop.toml").write_text(
            _toml(journal or f"sqlite:///{folder / 'journal.db'}", {k: v for k, v in tables.items() if v is not None})
        )
        (folder / "policy.toml").write_text(policy)
        one = cls(source, target, folder, before, there)
        codes = ("--reveal",) if isinstance(target, Paper) else ()
        done = one.run(
            "migrate", "plan", source.name, target.name, "--out", "move.plan", "--policy", "policy.toml", *codes, *more
        )
        assert done.returncode in (0, 1), done.stderr
        return one

    @property
    def copies(self) -> bool:
        """Whether the source stays as it is: nobody can spend from paper."""
        return isinstance(self.source, Paper) or isinstance(self.target, Paper)

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
        return ["migrate", "run", "move.plan", *(["--reveal"] if isinstance(self.target, Paper) else [])]

    def finish(self) -> None:
        """Run the plan to its end; what no reading decides is decided as a person would, who looks at the vendor."""
        for _ in range(3):
            done = self.run(*self._running)
            if done.returncode == 0:
                return
            if done.returncode == IN_DOUBT:
                self._decide()
        raise AssertionError(f"{done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}")

    def _decide(self) -> None:
        codes, there = self.source_codes, self.target.held()
        told = json.loads(self.run("--json", "migrate", "status", "move.plan").stdout.splitlines()[0])
        for one in told["noted"]:
            named = re.search(r"the operation is (\S+) (issue) (\S+)", one["reason"])
            assert named, one["reason"]
            happened = "--happened" if codes[one["source_id"]] in there else "--did-not-happen"
            said = self.run("operations", "decide", *named.groups(), happened, "--by", "me", "--reason", "the ledger")
            assert said.returncode == 0, said.stderr

    def killed(self, times: int, *, seed: int) -> int:
        """Run the plan until it is done, killing it at random moments; say how often it lived to be killed."""
        draw, struck = random.Random(seed), 0
        while struck < times:
            process = self.process(*self._running)
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

    def carried(self) -> dict[str, dict[str, Any]]:
        """The vouchers that are to move, by code."""
        codes = self.source_codes
        return {codes[one["source_id"]]: one for one in self.plan() if one["action"] == "carry"}

    @property
    def source_codes(self) -> dict[str, str]:
        """The codes at the source, by id."""
        return self.source.codes()

    def check(self) -> dict[str, Decimal]:
        """Hold both sides' truth against the plan, to the cent, and say how much was moved, by currency."""
        source, target, carried = self.source.held(), self.target.held(), self.carried()
        assert carried, "nothing was planned to move"
        moved: dict[str, Decimal] = defaultdict(Decimal)
        for code, planned in carried.items():
            value = planned["destination"]["value"]
            new = target.get(code)
            assert new is not None, f"voucher {planned['number']} is lost"
            assert (new.currency, new.remaining) == (value["currency"], Decimal(value["amount"])), planned["number"]
            assert self.before[code].remaining == new.remaining, planned["number"]
            _not_shortened(self.before[code], new)
            if not self.copies:
                assert source[code].value == 0, f"voucher {planned['number']} can be spent at both vendors"
            moved[new.currency] += new.remaining
        stayed = {code: held for code, held in self.before.items() if code not in carried}
        assert {code: source[code].remaining for code in stayed} == {k: v.remaining for k, v in stayed.items()}
        assert {code: source[code].spendable for code in stayed} == {k: v.spendable for k, v in stayed.items()}
        assert set(target) == set(carried) | set(self.there), "the target has vouchers that nobody planned"
        return moved

    def check_but_for_doubts(self) -> None:
        """The same after faults: no voucher is spendable at both ends or doubled; money is missing only in doubt."""
        source, target, carried = self.source.held(), self.target.held(), self.carried()
        told = self.run("--json", "migrate", "status", "move.plan")
        missing = []
        for code, planned in carried.items():
            value = Decimal(planned["destination"]["value"]["amount"])
            there = target[code].value if code in target else Decimal(0)
            here = source[code].value
            assert here == 0 or there == 0, f"voucher {planned['number']} can be spent at both vendors"
            assert here + there in (0, value), planned["number"]
            if here + there == 0:
                missing.append(planned["number"])
        assert len(missing) <= _in_doubt(told.stdout), f"{missing} are nowhere: {told.stdout}"
        assert set(target) <= set(carried) | set(self.there)

    def kill_some(self, processes: Sequence[subprocess.Popen[str]], *, seed: int) -> None:
        """Kill three of the processes at random moments, one after the other."""
        draw = random.Random(seed)
        for process in processes[1:]:
            time.sleep(draw.uniform(1.0, 4.0))
            process.send_signal(signal.SIGKILL)

    def verified(self) -> subprocess.CompletedProcess[str]:
        """Let the program verify."""
        return self.run("migrate", "verify", "move.plan")


def _not_shortened(old: Held, new: Held) -> None:
    if new.valid_until is not None and old.valid_until is not None:
        assert new.valid_until >= old.valid_until.replace(microsecond=old.valid_until.microsecond // 1000 * 1000)


def _toml(journal: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [f"journal = {json.dumps(journal)}"]
    for name, table in tables.items():
        lines.append(f"[accounts.{name}]")
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _in_doubt(told: str) -> int:
    """How many vouchers ``migrate status --json`` says are in doubt, or still to be moved."""
    standing = json.loads(told.splitlines()[0])["vouchers"]
    return sum(standing.get(name, {"count": 0})["count"] for name in ("in-doubt", "planned", "working"))
