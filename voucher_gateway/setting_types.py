"""The types of settings of an account: secrets, the URL of a database, and the base URL of a vendor.

A provider's settings are an attrs class. Its attributes are the keys of the account's table, those without a default
must be set. A rule about one key belongs in the attribute's converter or validator, which raise
`ConfigurationError` with a sentence that begins with a verb ("must be ...") and never quotes the value.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import urlsplit

import attrs

from voucher_gateway.errors import ConfigurationError, VoucherGatewayError
from voucher_gateway.masking import MASK, Secret, hide_arguments, hide_frames

SecretShape = str | Secret | Mapping[str, Any] | Callable[[], str | Secret] | Sequence[Any]
"""How a secret may be given: as text, ``{"env": NAME}``, ``{"file": PATH}``, a callable, or a list of these."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# A user may write the secret itself in the place of the variable's name. Most secrets have a lower-case letter.
_SURELY_A_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,63}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DATABASE_URL: Final = re.compile(r"[a-z][a-z0-9+]*://.*", re.ASCII)
# SQLAlchemy's URL of an SQLite file whose path is relative: three slashes and no fourth
_RELATIVE_SQLITE: Final = re.compile(r"(sqlite(?:\+[a-z]+)?:///)(?!/|:memory:|file:)(.+)", re.ASCII)


@attrs.frozen
class _Variable:
    name: str


def require_variable_name(name: str) -> None:
    """Check the name of an environment variable.

    Raises:
        ConfigurationError: if no variable can have this name.
    """
    if not _VARIABLE.fullmatch(name):
        raise ConfigurationError("must name an environment variable: letters, digits and underscores")


def missing_variable_error(name: str) -> ConfigurationError:
    """Return the error about a variable that is not set. It shows the name only if that cannot be a secret."""
    label = name if _SURELY_A_NAME.fullmatch(name) else "that it names"
    return ConfigurationError(f"needs the environment variable {label}, which is not set")


@final
@attrs.frozen
class SecretSource:
    """Where a secret comes from. Each `get` reads it again, so that a changed secret is seen.

    Make one with `of`. Pickling keeps the name of a variable or file, but only the mask of a text.
    """

    _origin: Secret | _Variable | Path | Callable[[], str | Secret] | tuple[SecretSource, ...]

    @classmethod
    @hide_arguments
    def of(cls, given: SecretShape | SecretSource, *, folder: Path | None = None) -> SecretSource:
        """Return the source of a secret. A source is returned as it is.

        Args:
            given: the secret as text, ``{"env": NAME}``, ``{"file": PATH}``, a callable that returns it, or a list of
                these: during a rotation the new secret and the old one.
            folder: where relative paths begin; the working directory by default.

        Raises:
            ConfigurationError: if it is none of these, or empty. Nothing is read yet.
        """
        match given:
            case SecretSource():
                return given
            case str() | Secret():
                secret = Secret.of(given)
                require_single_line(secret.reveal())
                return cls(secret)
            case {"env": str(name), **others} if not others:
                require_variable_name(name)
                return cls(_Variable(name))
            case {"file": str(path), **others} if not others:
                if not path:
                    raise ConfigurationError("must name a file")
                return cls((folder or Path.cwd()) / path)
        if callable(given):
            return cls(given)
        if isinstance(given, list | tuple) and given and not any(isinstance(each, list | tuple) for each in given):
            return cls(tuple(cls.of(each, folder=folder) for each in given))
        raise ConfigurationError('must be a string, { env = "NAME" } or { file = "PATH" }')

    def get(self) -> Secret:
        """Read the secret now. A file may end in one line break, which is not part of the secret.

        Raises:
            ConfigurationError: if it is not there, empty, or holds a control character; or if the callable fails.
                Errors of this library that a callable raises pass through.
        """
        with hide_frames():
            return self._read()

    def candidates(self) -> tuple[Secret, ...]:
        """Read all secrets that are given, in their order: more than one during a rotation.

        Raises:
            ConfigurationError: as `get`, for the first of them. Another one that is not there is left out.
        """
        if not isinstance(self._origin, tuple):
            return (self.get(),)
        first, *others = self._origin
        secrets = [first.get()]
        for source in others:
            with suppress(ConfigurationError):
                secrets.append(source.get())
        return tuple(secrets)

    def _read(self) -> Secret:
        origin = self._origin
        match origin:
            case tuple():
                return origin[0].get()
            case Secret():
                return origin
            case _Variable():
                text = os.environ.get(origin.name, "")
                if not text:
                    raise missing_variable_error(origin.name)
            case Path():
                text = _read(origin)
            case _:
                text = _call(origin)
        require_single_line(text)
        return Secret(text)

    def check(self) -> None:
        """Check that `get` works, as far as that is possible without calling a callable.

        Raises:
            ConfigurationError: as `get`.
        """
        if isinstance(self._origin, tuple):
            for source in self._origin:
                source.check()
        elif isinstance(self._origin, Secret | _Variable | Path):
            self.get()

    def __repr__(self) -> str:
        return f"SecretSource({MASK!r})"


def secret_source(given: SecretShape | SecretSource) -> SecretSource:
    """Return the source of a secret, given in any of its ways. Usable as an attrs converter.

    Raises:
        ConfigurationError: as `SecretSource.of`.
    """
    return SecretSource.of(given)


@final
@attrs.frozen
class DatabaseUrl:
    """The URL of a database. It may contain a password, so it can be given in every way that a secret can.

    Make one with `of`.
    """

    _source: SecretSource
    _folder: Path | None

    @classmethod
    @hide_arguments
    def of(cls, given: SecretShape | SecretSource | DatabaseUrl, *, folder: Path | None = None) -> DatabaseUrl:
        """Return the URL of a database. A `DatabaseUrl` is returned as it is.

        Args:
            given: the URL as text, or where it is to be read.
            folder: where the relative path of an SQLite file begins; the working directory by default.

        Raises:
            ConfigurationError: if it is none of these. Nothing is read yet.
        """
        return given if isinstance(given, DatabaseUrl) else cls(SecretSource.of(given, folder=folder), folder)

    def get(self) -> str:
        """Read the URL now.

        Raises:
            ConfigurationError: if it cannot be read, or is not a URL.
        """
        with hide_frames():
            return self._read()

    def _read(self) -> str:
        url = self._source.get().reveal()
        if not _DATABASE_URL.fullmatch(url):
            raise ConfigurationError("must be a database URL, such as sqlite:///voucher-gateway.db")
        relative = _RELATIVE_SQLITE.fullmatch(url)
        return f"{relative[1]}{self._folder}/{relative[2]}" if relative and self._folder else url

    def check(self) -> None:
        """Check that `get` works, as far as that is possible without calling a callable.

        Raises:
            ConfigurationError: as `get`.
        """
        self._source.check()
        if not callable(self._source._origin):
            self.get()

    def __repr__(self) -> str:
        return f"DatabaseUrl({MASK!r})"


def require_single_line(text: str) -> None:
    """Check a text that goes into a header, a database or a message: it is one line, and not empty.

    A control character would break an HTTP header, and the error of the HTTP library quotes the header. Half of a
    surrogate pair stands for a byte of an environment variable that is not UTF-8; no database stores it.

    Raises:
        ConfigurationError: if it is empty, or has such a character. The message does not quote it.
    """
    if not text:
        raise ConfigurationError("must not be empty")
    if _CONTROL.search(text):
        raise ConfigurationError(
            "must be one line of text in UTF-8: it has a line break, another control character, or a wrong byte"
        )


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or "unreadable"
    except ValueError:  # not UTF-8, or a path with a NUL
        reason = "not text in UTF-8"
    else:
        return text.removesuffix("\n").removesuffix("\r")
    # The path is not quoted: it may be the secret itself in the wrong place.
    raise ConfigurationError(f"cannot be read from its file: {reason}")


def _call(function: Callable[[], str | Secret]) -> str:
    try:
        given: object = function()
    except VoucherGatewayError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a caller's function raises
        wrong = f"raised {type(error).__name__}"
    else:
        if isinstance(given, str | Secret):
            return Secret.of(given).reveal()
        wrong = "did not return a string"
    # Raised outside of the handler: the function's own error may contain the secret, and would be our error's context.
    raise ConfigurationError(f"the callable that provides it {wrong}")


_URL_TEXT: Final = re.compile(r"[!-~]+", re.ASCII)
_HOST_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def parse_base_url(value: str) -> str:
    """Return the base URL of a vendor's API in its normal form. Usable as an attrs converter.

    The scheme and host become lower case; a default port and slashes at the end are dropped.

    Raises:
        ConfigurationError: if it is not https (http is taken for this machine itself), or has user information, a
            query, a fragment, a bad host or port, or a path that is not in its normal form.
    """
    given = Secret(value)  # a caller may write a password into it
    del value
    with hide_frames():
        return _normal_base_url(given.reveal())


def _normal_base_url(value: str) -> str:
    if not _URL_TEXT.fullmatch(value) or "\\" in value:
        raise ConfigurationError("must be a URL of plain ASCII characters")
    try:
        parts = urlsplit(value)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError("must be a URL with a valid host and port") from None
    if scheme not in _DEFAULT_PORTS:
        raise ConfigurationError("must begin with https://")
    if "@" in parts.netloc:
        raise ConfigurationError("must not hold a user name or password")
    if "?" in value or "#" in value:
        raise ConfigurationError("must not have a query or fragment")
    if port == 0 or parts.netloc.endswith(":"):
        raise ConfigurationError("must have a valid port or none")
    address = _address(host)
    bracketed = "[" in parts.netloc
    is_name = not bracketed and all(_HOST_LABEL.fullmatch(label) for label in host.split("."))
    if not is_name and not (bracketed and isinstance(address, ipaddress.IPv6Address) and address.scope_id is None):
        raise ConfigurationError("must have a valid host")
    if scheme == "http" and not is_this_machine(host):
        raise ConfigurationError("must begin with https:// (http:// is for this machine itself only)")
    path = parts.path.rstrip("/")
    if any(part.lower().replace("%2e", ".") in ("", ".", "..") for part in path.split("/")[1:]):
        raise ConfigurationError('must not have "", "." or ".." in its path')
    where = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else host
    return f"{scheme}://{where}{'' if port in (None, _DEFAULT_PORTS[scheme]) else f':{port}'}{path}"


def is_this_machine(host: str) -> bool:
    """Return whether a host name or address, without brackets, is that of the loopback interface."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
