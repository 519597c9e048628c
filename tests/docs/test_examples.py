"""The examples of README.md and of the pages, run as they stand against simulated vendors.

The ```python blocks of a page run one after another in one namespace, in a folder with a ``voucher-gateway.toml``. A
``print(...)  # text`` must print that text, where ``...`` stands for anything. A ```toml block must load; one with
accounts is the configuration of the blocks after it, with the simulators' addresses and logins put in. Console blocks
are read as those of the command-line page, which has a test of its own. Comments direct what is not shown:

* ``<!-- fault: ACCOUNT NAME METHOD /path -->`` lets a fault wait.
* ``<!-- clock: ACCOUNT SECONDS -->`` moves a vendor's clock.
* ``<!-- vouchers: ACCOUNT NUMBER -->`` adds so many varied vouchers to a vendor.
* ``<!-- risks: ACCOUNT NAME ... -->`` lets an account of the first configuration accept risks.
* ``<!-- file: NAME -->`` makes the next ```toml block that file.
* ``<!-- voucher: ACCOUNT CODE AMOUNT -->`` adds this voucher to a vendor.
* ``<!-- environment: NAME VALUE -->`` sets a variable.
* ``<!-- wait: SECONDS -->`` waits.
* ``<!-- outage: ACCOUNT begins -->`` lets a vendor answer no request until ``<!-- outage: ACCOUNT ends -->``, and
  ``<!-- outage: ACCOUNT errors -->`` lets it answer each with an error.
* ``<!-- killed: ACCOUNT NAME METHOD /path -->`` runs the next ```python block in a separate process. The fault lets
  its request hang, and then the process is killed.
* ``<!-- log -->`` makes the next ```text block the lines of the log since the last such block, as console output.

The accounts are ``shop`` (jtl), with the voucher JTL-SPRING-0042 of 100 EUR, and ``events`` (ticketing), with
EVENT-2F8C-6WJN of 50 EUR.
"""

from __future__ import annotations

import io
import logging
import re
import runpy
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import requests

from voucher_gateway import Gateway
from voucher_gateway.cli.app import run as run_command
from voucher_gateway.config.loader import load_config
from voucher_gateway.simulator import RunningSimulator, start

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PIECE: Final = re.compile(
    r"^<!-- (?P<directive>fault|clock|file|risks|vouchers?|environment|outage|wait|killed|log)"
    r"(?:: (?P<words>.*?))? -->$"
    r"|^```(?P<kind>python|toml|console|text)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
EXPECTED: Final = re.compile(r"^\s*print\(.*\)  # (?P<text>.*)$")
SECRET: Final = "a-secret-long-enough-for-a-journal"
POSTGRES: Final = "postgresql://db.example/vouchers"
CONFIG: Final = """
journal = "sqlite:///voucher-gateway.db"

[accounts.shop]
provider = "jtl"
base_url = "https://vouchers-sbx.api.jtl-software.com/v1"
client_id = "my-client"
client_secret = { env = "JTL_SECRET" }
code_pattern = "^JTL-"

[accounts.events]
provider = "ticketing"
base_url = "https://vivenu.dev"
api_key = { env = "VIVENU_KEY" }
currency = "EUR"
code_pattern = "^EVENT-"
"""

COMMANDS: Final = runpy.run_path(str(ROOT / "tests" / "cli" / "test_command_line_page.py"))["Reader"]


@attrs.frozen
class Ran:
    """One run of the command line."""

    code: int
    out: str
    err: str


def run(*arguments: str, stdin: str = "") -> Ran:
    """Run the command line in this process; no example here reads from stdin."""
    assert not stdin
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run_command(arguments)
    return Ran(code, out.getvalue(), err.getvalue())


class Log(logging.Handler):
    """Keeps the lines of the library at INFO and above, as ``LEVEL logger message``."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines: list[str] = []
        self.logger = logging.getLogger("voucher_gateway")
        self.level_before = self.logger.level
        self.logger.setLevel(logging.INFO)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def take(self) -> list[str]:
        """Return the lines since the last call."""
        lines, self.lines = self.lines, []
        return lines

    def close(self) -> None:
        self.logger.removeHandler(self)
        self.logger.setLevel(self.level_before)
        super().close()


class Reader:
    """Follows one page."""

    def __init__(self, page: Path, folder: Path, vendors: dict[str, RunningSimulator], env: pytest.MonkeyPatch) -> None:
        self.page = page
        self.folder = folder
        self.vendors = vendors
        self.env = env
        self.names: dict[str, Any] = {"__name__": "example", "print": self.print}
        self.said: dict[int, list[str]] = defaultdict(list)
        self.gateways: list[Gateway] = []
        self.file = ""
        self.fault = ""
        self.log = Log()
        self.shows_log = False
        self.accounts = CONFIG.partition("\n\n")[2]
        self.configure(CONFIG)
        self.console = COMMANDS(run, {})

    def print(self, *values: object) -> None:
        """Take note of what a line of the page prints."""
        self.said[sys._getframe(1).f_lineno].append(" ".join(map(str, values)))

    def configure(self, text: str) -> None:
        """Load a configuration, and where it has accounts make it that of the blocks to come."""
        whole = text if "[accounts." in text else f"{text}\n{self.accounts}"
        shop, events = self.vendors["shop"].announcement, self.vendors["events"].announcement
        for key, name in re.findall(r'(\w+) = \{ env = "(\w+)" \}', whole):
            self.env.setenv(name, (shop | events | {"journal": POSTGRES}).get(key, SECRET))
        for name in re.findall(r'\{ file = "([^"]+)" \}', whole):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(shop["client_secret"])
        whole = re.sub(r'"https://[a-z.-]*jtl-software\.com/v1"', f'"{shop["base_url"]}"', whole)
        whole = re.sub(r'"https://vivenu\.\w+"', f'"{events["base_url"]}"', whole)
        whole = whole.replace('client_id = "my-client"', f'client_id = "{shop["client_id"]}"')
        tomllib.loads(text)
        target = self.folder / ("voucher-gateway.toml" if "[accounts." in text else "other.toml")
        target.write_text(whole)
        load_config(target)

    def run(self, code: str, line: int) -> None:
        """Run a block that begins after this line of the page, and hold what it prints against its comments."""
        padded = "\n" * line + code
        exec(compile(padded, str(self.page), "exec", dont_inherit=True), self.names)
        self.gateways += [value for value in self.names.values() if isinstance(value, Gateway)]
        said, self.said = self.said, defaultdict(list)
        for number, text in enumerate(padded.splitlines(), start=1):
            expected = EXPECTED.match(text)
            if expected is None:
                assert number not in said, f"{self.page.name}:{number} prints, and does not say what"
                continue
            pattern = ".*".join(map(re.escape, expected["text"].split("...")))
            assert len(said[number]) == 1, f"{self.page.name}:{number} printed {said[number]}"
            assert re.fullmatch(pattern, said[number][0], re.DOTALL), (
                f"{self.page.name}:{number} printed {said[number][0]!r}"
            )

    def direct(self, directive: str, words: str) -> None:
        """Do what a comment of the page says."""
        account, *rest = words.split(" ", 2)
        if directive == "file":
            self.file = words
        elif directive == "log":
            self.shows_log = True
        elif directive == "environment":
            self.env.setenv(account, rest[0])
        elif directive == "wait":
            time.sleep(float(words))
        elif directive == "voucher":
            add_voucher(self.vendors[account], *rest)
        elif directive == "killed":
            self.fault = words
        elif directive == "outage" and rest == ["begins"]:
            self.vendors[account].inject("hang", "* *", times=0)
        elif directive == "outage" and rest == ["errors"]:
            self.vendors[account].inject("error-before", "* *", times=0)
        elif directive == "outage":
            assert rest == ["ends"]
            self.vendors[account].clear_faults()
        elif directive == "risks":
            risks = ", ".join(f'"{risk}"' for risk in words.split()[1:])
            self.configure(
                CONFIG.replace(f"[accounts.{account}]\n", f"[accounts.{account}]\naccept_risks = [{risks}]\n")
            )
        elif directive == "vouchers":
            self.vendors[account].simulator.seed(int(rest[0]))
        elif directive == "fault":
            name, match = rest
            self.vendors[account].inject(name, match)
        else:
            self.vendors[account].clock.advance(float(rest[0]))

    def kill(self, code: str) -> None:
        """Run a block in a process, and kill the process when the waiting fault has met its request."""
        account, name, match = self.fault.split(" ", 2)
        self.fault = ""
        vendor = self.vendors[account]
        vendor.inject(name, match)
        worker = subprocess.Popen([sys.executable, "-c", code], cwd=self.folder)
        try:
            while not any(name in request.faults for request in vendor.requests):
                assert worker.poll() is None, "the process ended before its request met the fault"
                time.sleep(0.01)
        finally:
            worker.kill()
            worker.wait()

    def follow(self) -> int:
        """Run the whole page; return how many blocks it has."""
        text, count = self.page.read_text("utf-8"), 0
        for piece in PIECE.finditer(text):
            if piece["directive"]:
                self.direct(piece["directive"], piece["words"] or "")
            elif piece["kind"] == "text":
                if self.shows_log:
                    self.console.compare("log", piece["text"].splitlines(), self.log.take())
                self.shows_log = False
            elif piece["kind"] == "toml" and self.file:
                tomllib.loads(piece["text"])
                (self.folder / self.file).write_text(piece["text"])
                self.file = ""
            elif piece["kind"] == "toml":
                self.configure(piece["text"])
            elif piece["kind"] == "console":
                self.console.follow(piece["text"])
            elif self.fault:
                self.kill(piece["text"])
            else:
                self.run(piece["text"], text.count("\n", 0, piece.start()) + 1)
            count += piece["kind"] not in (None, "text")
        return count

    def close(self) -> None:
        """Close what the page left open."""
        self.log.close()
        for gateway in self.gateways:
            gateway.close()


@pytest.fixture
def vendors() -> Iterator[dict[str, RunningSimulator]]:
    with ExitStack() as stack:
        running = {
            "shop": stack.enter_context(start("jtl", seed=1)),
            "events": stack.enter_context(start("ticketing", seed=1)),
        }
        add_voucher(running["shop"], "JTL-SPRING-0042", "100.00")
        add_voucher(running["events"], "EVENT-2F8C-6WJN", "50")
        yield running
        assert [crash for one in running.values() for crash in one.crashes] == []


def add_voucher(vendor: RunningSimulator, code: str, amount: str) -> None:
    """Let a vendor have a voucher of EUR."""
    known = vendor.announcement
    if known["provider"] == "jtl":
        body = {"amount": amount, "currency": "EUR", "code": code, "status": "active", "type": "digital"}
        _post(f"{known['base_url']}/vouchers", known["token"], body)
    else:
        _post(f"{known['base_url']}/api/vouchers", known["api_key"], {"amount": int(amount), "code": code})


def _post(url: str, token: str, body: object) -> None:
    with requests.Session() as session:
        session.trust_env = False
        reply = session.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert reply.status_code == 201, reply.text


# The pages of the command line and of Celery have tests of their own. What a maintainer types for a release needs a
# release. The architecture and the glossary have no code.
NOT_RUN_HERE: Final = ("architecture.md", "celery.md", "command-line.md", "glossary.md", "releasing.md", "servers.md")
# Its commands make pages with charts, which takes seconds. tests/cli runs each of them.
RUN_BY_TEST_ALL: Final = ("run-book.md",)


def list_pages() -> list[Any]:
    pages = [page for page in PAGES if page.name not in NOT_RUN_HERE]
    return [pytest.param(page, marks=pytest.mark.long) if page.name in RUN_BY_TEST_ALL else page for page in pages]


@pytest.mark.parametrize("page", list_pages(), ids=lambda page: page.stem)
def test_the_examples_of_a_page_do_what_they_say(
    page: Path, vendors: dict[str, RunningSimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = Reader(page, tmp_path, vendors, monkeypatch)
    try:
        assert reader.follow() > 0
    finally:
        reader.close()
