"""pretix as a witness: install the real program, start it on loopback, read the truth from its own database.

pretix is under the AGPL. It is started as a program, in a separate environment under ``build/witness/pretix``.
Nothing of it is imported here, copied or shipped.

    python -m tests.witness.pretix_program          # install and migrate, once
    python -m tests.witness.pretix_program serve    # start it, print address and token, stop with Ctrl-C
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import attrs

VERSION: Final = "2026.8.0"
SERVER: Final = "gunicorn==23.0.0"
HOME: Final = Path(__file__).parents[2] / "build" / "witness" / "pretix"
ORGANIZER: Final = "bigevents"
ISSUER: Final = "sister"
"""Another organizer. `ORGANIZER` accepts its cards, but it does not accept those of `ORGANIZER`."""

_ORDER: Final[Mapping[str, Any]] = {
    "organizers": [ORGANIZER, ISSUER, "stranger"],
    "teams": {
        "till": ["organizer.giftcards:read", "organizer.giftcards:write"],
        "second-till": ["organizer.giftcards:read", "organizer.giftcards:write"],
        "auditor": ["organizer.giftcards:read"],
        "nobody": [],
    },
    "accepted": [[ISSUER, ORGANIZER]],
}
_PATIENCE_S: Final = 300.0
_NOT_INSTALLED: Final = "pretix is not installed: run `make witness-pretix`"


@attrs.frozen(kw_only=True)
class Transaction:
    """A transaction of a gift card, as pretix stores it."""

    id: int
    value: str
    at: str
    text: str | None
    info: Any
    acceptor: str | None
    order: int | None


@attrs.frozen(kw_only=True)
class Card:
    """A gift card, as pretix stores it. `value` is the sum of its transactions; `expires` is in UTC."""

    id: int
    code: str = attrs.field(repr=False)
    issuer: str
    currency: str
    testmode: bool
    issuance: str
    expires: str | None
    conditions: str | None
    value: str
    transactions: tuple[Transaction, ...]


def is_installed() -> bool:
    """Return whether `install` is done."""
    return (HOME / "tokens.json").is_file()


def install() -> None:
    """Install pretix into its own environment, create its database, and make organizers and tokens.

    What was done before is not done again. The database takes minutes.

    Raises:
        RuntimeError: if a step fails; the message names its log.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    if is_installed():
        return
    python = HOME / "env" / "bin" / "python"
    if not python.is_file():
        venv.create(HOME / "env", with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run("install", [*pip, f"pretix=={VERSION}", SERVER])
    database = HOME / "template.sqlite3"
    # The migrations run on another file, so that a template that is there is whole.
    if not database.is_file():
        unfinished = HOME / "unfinished.sqlite3"
        unfinished.unlink(missing_ok=True)
        data = _configure(HOME, unfinished)
        _run("migrate", [str(python), "-m", "pretix", "migrate", "--no-input"], data)
        tokens = _run_inside("make-organizers", data, _ORDER)
        unfinished.rename(database)
        (HOME / "tokens.json").write_text(tokens, "utf-8")


def _configure(folder: Path, database: Path) -> dict[str, str]:
    """Write pretix's configuration, and return the environment that names it."""
    (folder / "data").mkdir(exist_ok=True)
    config = folder / "pretix.cfg"
    config.write_text(
        f"[pretix]\ndatadir={folder / 'data'}\nurl=http://127.0.0.1\nregistration=off\necb_rates=off\n"
        f"[database]\nbackend=sqlite3\nname={database}\n[django]\nsecret=of-a-witness\ndebug=off\n",
        "utf-8",
    )
    return {"PRETIX_CONFIG_FILE": str(config), "DJANGO_SETTINGS_MODULE": "pretix.settings"}


def _run(
    step: str, command: list[str], environment: Mapping[str, str] | None = None, order: Mapping[str, Any] | None = None
) -> str:
    """Run one step of the installation, and return its output. The log has its errors: the output may be secret."""
    log = HOME / f"{step}.log"
    with log.open("w") as file:
        done = subprocess.run(
            command,
            input=None if order is None else json.dumps(order),
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            check=False,
            cwd=HOME,
        )
    if done.returncode:
        raise RuntimeError(f"the step {step} of installing pretix failed with status {done.returncode}: read {log}")
    return done.stdout


def _run_inside(step: str, environment: Mapping[str, str], order: Mapping[str, Any] | None = None) -> str:
    """Run one step of our script inside the environment of pretix, and return its output."""
    script = Path(__file__).with_name("pretix_inside.py")
    return _run(step, [str(HOME / "env" / "bin" / "python"), str(script), step], environment, order or {})


class PretixProgram:
    """One running pretix, on a copy of the template database. Close it, or use it as a context manager.

    Attributes:
        base_url: of its API, with ``/api/v1``.
        host: the address and port that it listens on.
        token: of a team of `ORGANIZER` that may read and change gift cards.
        tokens: all tokens, by organizer and team.
        database: its SQLite file.
    """

    def __init__(self, workers: int = 1) -> None:
        if not is_installed():
            raise RuntimeError(_NOT_INSTALLED)
        self._folder = Path(tempfile.mkdtemp(prefix="run-", dir=HOME))
        self.database = self._folder / "db.sqlite3"
        self.reset()
        self.tokens: dict[str, dict[str, str]] = json.loads((HOME / "tokens.json").read_text("utf-8"))
        self.token = self.tokens[ORGANIZER]["till"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        self.base_url = f"http://{self.host}/api/v1"
        server = str(HOME / "env" / "bin" / "gunicorn")
        options = ["--bind", self.host, "--workers", str(workers), "--timeout", "120", "--graceful-timeout", "2"]
        self._log = (self._folder / "server.log").open("w")
        self._process = subprocess.Popen(
            [server, *options, "pretix.wsgi:application"],
            env={**os.environ, **_configure(self._folder, self.database)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            start_new_session=True,  # to signal the workers together with their parent
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                self.request("GET", f"/organizers/{ORGANIZER}/giftcards/")
            except (OSError, HTTPException):
                time.sleep(0.2)
            else:
                return
        log = (self._folder / "server.log").read_text("utf-8")[-2000:]
        raise RuntimeError(f"pretix did not answer within {_PATIENCE_S:.0f} s. The end of its log:\n{log}")

    def reset(self) -> None:
        """Forget all gift cards. pretix opens its database for each request, so it need not be started again."""
        self.replace_database((HOME / "template.sqlite3").read_bytes())

    def replace_database(self, content: bytes) -> None:
        """Let pretix go on with another database."""
        for suffix in ("-journal", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        copy = self.database.with_suffix(".new")
        copy.write_bytes(content)
        copy.replace(self.database)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        """Send one request, and return status, headers (names in lower case) and the body, as JSON if it is JSON.

        Args:
            method: in capitals.
            path: after ``/api/v1``, with the query.
            body: bytes, or something to write as JSON.
            token: another one than `token`; an empty one sends none.
            key: the idempotency key.
            headers: more of them.
        """
        token = self.token if token is None else token
        all_headers = {"Accept-Language": "en", **({"Authorization": f"Token {token}"} if token else {})}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        if key is not None:
            all_headers["X-Idempotency-Key"] = key
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with closing(HTTPConnection(self.host, timeout=_PATIENCE_S)) as connection:
            connection.request(method, f"/api/v1{path}", payload, {**all_headers, **(headers or {})})
            response = connection.getresponse()
            raw = response.read()
        names = {name.lower(): value for name, value in response.getheaders()}
        if names.get("content-type", "").startswith("application/json") and raw:
            return response.status, names, json.loads(raw)
        return response.status, names, raw.decode("utf-8", "replace")

    def truth(self) -> list[Card]:
        """Return all gift cards of all organizers with their transactions, read from pretix's own database."""
        with closing(self._connect(read_only=True)) as connection:
            transactions: dict[int, list[Transaction]] = {}
            for row in connection.execute(
                "SELECT t.*, o.slug AS acceptor FROM pretixbase_giftcardtransaction t"
                " LEFT JOIN pretixbase_organizer o ON o.id = t.acceptor_id ORDER BY t.datetime, t.id"
            ):
                transaction = Transaction(
                    id=row["id"],
                    value=_amount(row["value"]),
                    at=row["datetime"],
                    text=row["text"],
                    info=None if row["info"] is None else json.loads(row["info"]),
                    acceptor=row["acceptor"],
                    order=row["order_id"],
                )
                transactions.setdefault(row["card_id"], []).append(transaction)
            cards = connection.execute(
                "SELECT c.*, o.slug AS issuer FROM pretixbase_giftcard c"
                " JOIN pretixbase_organizer o ON o.id = c.issuer_id ORDER BY c.issuance, c.id"
            )
            return [_card(row, tuple(transactions.get(row["id"], ()))) for row in cards]

    def insert(self, cards: Iterable[Card]) -> None:
        """Write cards with their past into pretix's database. Ids of 0 are chosen by the database."""
        with closing(self._connect()) as connection, connection:
            for card in cards:
                columns = {
                    "id": card.id or None,
                    "issuance": card.issuance,
                    "secret": card.code,
                    "currency": card.currency,
                    "issuer_id": self._organizer_id(connection, card.issuer),
                    "testmode": card.testmode,
                    "expires": card.expires,
                    "conditions": card.conditions,
                }
                card_id = _insert(connection, "pretixbase_giftcard", columns)
                for transaction in card.transactions:
                    row = {
                        "id": transaction.id or None,
                        "card_id": card_id,
                        "value": float(transaction.value),  # as Django writes an amount into SQLite
                        "datetime": transaction.at,
                        "text": transaction.text,
                        "info": None if transaction.info is None else json.dumps(transaction.info),
                        "acceptor_id": self._organizer_id(connection, transaction.acceptor or card.issuer),
                    }
                    _insert(connection, "pretixbase_giftcardtransaction", row)

    def let_auditors_write(self) -> None:
        """Give the teams of auditors the right to change gift cards."""
        rights = '{"organizer.giftcards:read": true, "organizer.giftcards:write": true}'
        self.execute("UPDATE pretixbase_team SET limit_organizer_permissions = ? WHERE name = 'auditor'", rights)

    def lock_key(self, key: str) -> None:
        """Make a key as it is after the death of the process that answered: the work is done, and no answer kept."""
        self.execute("UPDATE pretixapi_apicall SET locked = created, response_code = 0 WHERE idempotency_key = ?", key)

    def age_keys(self, hours: float) -> None:
        """Make all keys that many hours older."""
        older = f"datetime(created, '-{round(hours * 3600)} seconds')"
        self.execute(f"UPDATE pretixapi_apicall SET created = {older}")

    def age_key(self, key: str, hours: int) -> None:
        """Make a key that many hours older."""
        older = f"datetime(created, '-{hours} hours')"
        self.execute(f"UPDATE pretixapi_apicall SET created = {older} WHERE idempotency_key = ?", key)

    def execute(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run one statement on pretix's database, such as one that ages a key, and return its rows."""
        with closing(self._connect()) as connection, connection:
            return [dict(row) for row in connection.execute(statement, values)]

    def forget_old_keys(self) -> None:
        """Let pretix forget old idempotency keys, as it does every 12 hours. Its other periodic tasks do not run."""
        _run_inside("forget-old-keys", _configure(self._folder, self.database))

    def kill_workers(self) -> None:
        """Kill the processes that answer requests, as a crash does. New ones are started by themselves."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)

    def close(self) -> None:
        """Stop the program, and remove its database."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> PretixProgram:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        mode = "ro" if read_only else "rw"
        connection = sqlite3.connect(f"file:{self.database}?mode={mode}", uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        return connection

    @staticmethod
    def _organizer_id(connection: sqlite3.Connection, slug: str) -> int:
        (id,) = connection.execute("SELECT id FROM pretixbase_organizer WHERE slug = ?", (slug,)).fetchone()
        return int(id)


def _insert(connection: sqlite3.Connection, table: str, columns: Mapping[str, object]) -> int:
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" for _ in columns)
    return connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(columns.values())).lastrowid or 0


def _card(row: sqlite3.Row, transactions: tuple[Transaction, ...]) -> Card:
    cents = sum(round(float(transaction.value) * 100) for transaction in transactions)
    return Card(
        id=row["id"],
        code=row["secret"],
        issuer=row["issuer"],
        currency=row["currency"],
        testmode=bool(row["testmode"]),
        issuance=row["issuance"],
        expires=row["expires"],
        conditions=row["conditions"],
        value=_cents_text(cents),
        transactions=transactions,
    )


def _amount(stored: float | int | str) -> str:
    """Return an amount as text. pretix has at most two decimals, and SQLite stores it as a binary number."""
    return _cents_text(round(float(stored) * 100))


def _cents_text(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def main() -> None:
    """Install pretix; with the argument ``serve``, start it as well."""
    install()
    if sys.argv[1:] == ["serve"]:
        with PretixProgram() as program:
            announcement = {"base_url": program.base_url, "organizer": ORGANIZER, "token": program.token}
            sys.stdout.write(f"{json.dumps(announcement)}\n")
            sys.stdout.flush()
            try:
                signal.pause()
            except KeyboardInterrupt:
                return


if __name__ == "__main__":
    main()
