"""Opens the database of an account: its name, its tables, and the keys to its codes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection, make_url

from voucher_gateway.provider_api import ConfigurationError, DatabaseUrl, Secret, format_micros, now
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.files import MIN_KEY_BYTES, key_file, make_key, read_key
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway_local.settings import LocalSettings
from voucher_gateway_local.tables import VOUCHERS, keys, vouchers
from voucher_gateway_local.vault import Vault, require_cryptography

_POSTGRES_PORT: Final = 5432
_DRIVER_DEFAULTS: Final = {
    "hostaddr": "PGHOSTADDR",
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
}
"""The environment variables by which the driver completes a URL.

The name of a database comes from its URL, and not from a UUID in the database. The journal needs it when a gateway
is made. For a UUID the database would have to be opened then, and a server that is down would stop all other accounts.
Besides, a copy of a database has the same UUID, but the journal must not confuse it with the original.
"""


@attrs.frozen
class OpenDatabase:
    """An open database.

    Attributes:
        database: the database.
        vault: the keys to its codes.
    """

    database: Database
    vault: Vault


def host_of(url: DatabaseUrl) -> str:
    """Return the name of a database without login and password: the file, or all hosts and ports with the database.

    Raises:
        ConfigurationError: if it is not a URL of a database, or names the database by a service of another file.
    """
    parsed = _parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        # Absolute, as in `Database`, so that a file has one name in every working directory.
        return f"sqlite:{Path(parsed.database or '').resolve()}"
    return _server_of(_driver_arguments(parsed))


def absolute_url(url: DatabaseUrl) -> DatabaseUrl:
    """Return the URL with an absolute path of the SQLite file, which is the same in every working directory.

    Raises:
        ConfigurationError: if it is not a URL of a database, or the folder's name cannot stand in one.
    """
    parsed = _parse_url(url)
    path = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or path in ("", ":memory:") or path.startswith("file:"):
        return url  # refused when it is opened
    file = str(Path(path).resolve())
    absolute = parsed.set(database=file).render_as_string(hide_password=False)
    if make_url(absolute).database != file:
        raise ConfigurationError("url must name a file in a folder whose name can stand in a URL")
    return DatabaseUrl.of(absolute)


def _parse_url(url: DatabaseUrl) -> sa.URL:
    try:
        return make_url(url.get())
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError("url must be a database URL, such as sqlite:///vouchers.db") from None


def _driver_arguments(parsed: sa.URL) -> dict[str, Any]:
    """Return the driver's arguments for a URL. Its query can have everything that the other parts can have."""
    parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError("url must have as many ports as hosts in its query") from None
    return dict(arguments)


def _server_of(arguments: dict[str, Any]) -> str:
    if "service" in arguments:
        raise ConfigurationError("url must name host and database: a service may mean another one elsewhere")
    arguments = {**{name: os.environ.get(variable, "") for name, variable in _DRIVER_DEFAULTS.items()}, **arguments}
    hosts = str(arguments["hostaddr"] or arguments["host"] or "localhost").split(",")
    ports = str(arguments["port"]).split(",")
    if len(ports) != len(hosts):  # one port of the environment counts for all hosts; the driver refuses other numbers
        ports = ports[:1] * len(hosts)
    servers = [f"{host}:{port or _POSTGRES_PORT}" for host, port in zip(hosts, ports, strict=True)]
    return f"{','.join(servers)}/{arguments['dbname'] or arguments['user']}"


def open_book(settings: LocalSettings) -> OpenDatabase:
    """Open the database, and create it if it does not exist.

    Raises:
        ConfigurationError: if the URL or a key is wrong, or a library is missing.
        DatabaseUnavailable: if the database cannot be opened.
    """
    require_cryptography()
    database = Database(settings.url.get(), VOUCHERS)
    try:
        return OpenDatabase(database, _vault(database, settings))
    except BaseException:
        database.close()
        raise


def _vault(database: Database, settings: LocalSettings) -> Vault:
    with database.read() as connection:
        used = bool(connection.scalar(sa.select(sa.func.count()).select_from(keys)))
    key = _key(database, settings, used=used)
    former = [_long_enough(source.get(), "a former key") for source in settings.former_keys]
    with database.write() as connection:
        lock_in_transaction(connection, "local keys")
        return _open_vault(connection, key, former)


def _open_vault(connection: Connection, key: Secret, former: list[Secret]) -> Vault:
    """Open the keys of the database. Make them if it is new; wrap them again if they are under a former key."""
    rows = connection.execute(sa.select(keys.c.number, keys.c.wrapped).order_by(keys.c.number)).all()
    if not rows:
        return _first(connection, key)
    # The newest first: if the configuration went back to an earlier key, that key has an older row as well.
    for number, wrapped in reversed(rows):
        if (material := Vault.unwrap(wrapped, [key])) is not None:
            # Without former keys, every machine has the new key: the rows of older keys are deleted. If there are none,
            # nothing is written, so that a standby can be read.
            if not former and number != rows[0].number:
                connection.execute(sa.delete(keys).where(keys.c.number < number))
            return Vault(material)
        if (material := Vault.unwrap(wrapped, former)) is not None:
            connection.execute(sa.insert(keys).values(wrapped=Vault.wrap(material, key), made_at=_at(), looks=0))
            return Vault(material)
    raise ConfigurationError("key does not open this database: its vouchers are kept under another")


def _first(connection: Connection, key: Secret) -> Vault:
    if connection.scalar(sa.select(sa.func.count()).select_from(vouchers)):
        raise ConfigurationError("the database has vouchers, but the keys to their codes are missing: restore a backup")
    vault, wrapped = Vault.make(key)
    connection.execute(sa.insert(keys).values(wrapped=wrapped, made_at=_at(), looks=0))
    return vault


def _key(database: Database, settings: LocalSettings, *, used: bool) -> Secret:
    if settings.key is not None:
        return _long_enough(settings.key.get(), "key")
    if database.path is None:
        raise ConfigurationError("key must be given for PostgreSQL: the same on every machine")
    path = key_file(database.path)
    if not path.exists():
        if used:  # a new key would open nothing, and hide the loss of the right one
            raise ConfigurationError(f"the key {path} is gone: without it, no voucher can be found; restore it")
        make_key(path)
    return read_key(path)


def _long_enough(key: Secret, what: str) -> Secret:
    if len(key.reveal().encode("utf-8", "surrogatepass")) < MIN_KEY_BYTES:
        raise ConfigurationError(f"{what} must have at least {MIN_KEY_BYTES} characters")
    return key


def _at() -> str:
    return format_micros(now())
