"""Seals the files of a certificate by an HMAC of the journal's key, and checks them.

- A JSON file has the content, its SHA-256 and the seal. The hash is that of the content in one line of JSON with sorted
  keys, so another layout of the file does not matter.
- An HTML file ends in a comment with the SHA-256 of all bytes before it and the seal.
- A folder of CSV files has a file ``seal.json`` with the SHA-256 of each file, and the seal of that list.

Each of them has, under the seal, the SHA-256 of the JSON content, the plan and the time, so that the parts of one
certificate are recognised.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys.keys import JournalKeys

SEAL_FILE: Final = "seal.json"
"""The file that has the hashes of the other files of a folder."""

_MOST_NAMES: Final = 20
_WITHOUT_PLAN: Final = "the file does not say of which plan it is; make the certificate again"
_HTML_IDENTITY: Final = re.compile(
    rb"<!-- voucher-gateway certificate (?P<sha256>[0-9a-f]{64}) of the plan (?P<plan_id>[0-9a-f]{64})"
    rb" made at (?P<made_at>[^ ]{1,40}) -->\n\Z"
)
_HTML_SEAL: Final = re.compile(
    rb"<!-- voucher-gateway certificate seal: key (?P<key>[^ ]{1,64}) sha256 (?P<digest>[0-9a-f]{64})"
    rb" hmac (?P<seal>[0-9a-f]{64}) -->\n\Z"
)


@attrs.frozen(kw_only=True)
class Seal:
    """The seal of a file.

    Attributes:
        key_id: the id of the journal's key.
        key_check: a digest by which that key is recognised. It does not reveal the key.
        sha256: the SHA-256 of what is sealed.
        hmac: the HMAC of it under the key.
    """

    key_id: str
    key_check: str
    sha256: str
    hmac: str


@attrs.frozen(kw_only=True)
class CertificateIdentity:
    """By what the parts of one certificate are recognised.

    Attributes:
        sha256: the SHA-256 of the JSON content.
        plan_id: the SHA-256 of the plan.
        made_at: when the accounts had been read, as in the JSON content.
    """

    sha256: str
    plan_id: str
    made_at: str


@attrs.frozen(kw_only=True)
class CheckedCertificate:
    """The result of the check of a certificate that was not changed.

    Attributes:
        path: the file or folder.
        sha256: the SHA-256 of what is sealed.
        key_id: the id of the key.
        identity: the certificate that it is a part of.
        content: the content of a JSON file; empty for others.
    """

    path: Path
    sha256: str
    key_id: str
    identity: CertificateIdentity
    content: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


def make_seal(keys: JournalKeys, digest: str) -> Seal:
    """Return the seal of a SHA-256, under the newest key of the journal."""
    key_id = keys.newest
    return Seal(
        key_id=key_id,
        key_check=keys.check_value(key_id),
        sha256=digest,
        hmac=keys.seal_certificate(digest, key_id),
    )


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the content of a certificate."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seal_json(keys: JournalKeys, content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a sealed JSON file."""
    seal = attrs.asdict(make_seal(keys, digest_of(content)))
    text = json.dumps({"certificate": content, "seal": seal}, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def seal_html(keys: JournalKeys, document: str, identity: CertificateIdentity) -> bytes:
    """Return the bytes of a sealed HTML file."""
    content = document.encode()
    if not content.endswith(b"\n"):
        content += b"\n"
    name = f"certificate {identity.sha256} of the plan {identity.plan_id} made at {identity.made_at}"
    content += f"<!-- voucher-gateway {name} -->\n".encode()
    seal = make_seal(keys, hashlib.sha256(content).hexdigest())
    comment = f"<!-- voucher-gateway certificate seal: key {seal.key_id} sha256 {seal.sha256} hmac {seal.hmac} -->\n"
    return content + comment.encode()


def identity_of(content: Mapping[str, Any]) -> CertificateIdentity:
    """Return by what a certificate with this content is recognised.

    Raises:
        KeyError, TypeError: if it does not have a plan and a time.
    """
    return CertificateIdentity(
        sha256=digest_of(content), plan_id=str(content["plan"]["id"]), made_at=str(content["made_at"])
    )


def check_certificates(
    keys: JournalKeys, paths: Sequence[Path], plan_id: str | None = None
) -> tuple[CheckedCertificate, ...]:
    """Check several files, and that all of them are parts of one certificate.

    Args:
        keys: the keys of the journal.
        paths: JSON or HTML files, or folders of CSV files.
        plan_id: the plan that they must be of; None for any.

    Raises:
        ConfigurationError: if one of them is not a certificate, was made under another key, or was changed; or if two
            are of different plans or of different certificates of one plan.
    """
    checked = tuple(check_certificate(keys, path) for path in paths)
    first = checked[0]
    for part in checked:
        ours, theirs = part.identity, first.identity
        if plan_id is not None and ours.plan_id != plan_id:
            raise ConfigurationError(f"{part.path} is of the plan {ours.plan_id}, and not of the plan {plan_id}")
        if ours.plan_id != theirs.plan_id:
            raise ConfigurationError(
                f"{part.path} is of the plan {ours.plan_id}, and {first.path} is of the plan {theirs.plan_id}"
            )
        if ours != theirs:
            raise ConfigurationError(
                f"{part.path} and {first.path} are of two certificates of one plan: the first was made at"
                f" {ours.made_at} and the second at {theirs.made_at}"
            )
    return checked


def check_certificate(keys: JournalKeys, path: Path) -> CheckedCertificate:
    """Check that a certificate was sealed by this journal, and that it was not changed since.

    Args:
        keys: the keys of the journal.
        path: a JSON or HTML file, or a folder of CSV files.

    Raises:
        ConfigurationError: if it is not a certificate, was made under another key, or was changed.
    """
    if path.is_dir():
        return _check_folder(keys, path)
    content = _read(path)
    if content.lstrip()[:1] == b"{":
        return _check_json(keys, path, content)
    match = _HTML_SEAL.search(content)
    if match is None:
        raise ConfigurationError(f"{path}: the file has no seal of a certificate; it is not one, or it was cut off")
    seal = Seal(
        key_id=match["key"].decode("utf-8", "replace"),
        key_check="",
        sha256=match["digest"].decode(),
        hmac=match["seal"].decode(),
    )
    page = content[: match.start()]
    digest = hashlib.sha256(page).hexdigest()
    _require_seal(keys, path, seal, digest)
    name = _HTML_IDENTITY.search(page)
    if name is None:
        raise ConfigurationError(f"{path}: {_WITHOUT_PLAN}")
    identity = CertificateIdentity(
        **{field: value.decode("ascii", "replace") for field, value in name.groupdict().items()}
    )
    return CheckedCertificate(path=path, sha256=digest, key_id=seal.key_id, identity=identity)


def _check_json(keys: JournalKeys, path: Path, content: bytes) -> CheckedCertificate:
    value, seal, digest = _check_sealed(keys, path, content)
    if isinstance(value.get("files"), dict):
        raise ConfigurationError(f"{path}: the file is the seal of a folder, not a certificate; check the folder")
    try:
        identity = identity_of(value)
    except (KeyError, TypeError):
        identity = None
    if identity is None:
        raise ConfigurationError(f"{path}: {_WITHOUT_PLAN}")
    return CheckedCertificate(path=path, sha256=digest, key_id=seal.key_id, identity=identity, content=value)


def _check_sealed(keys: JournalKeys, path: Path, content: bytes) -> tuple[dict[str, Any], Seal, str]:
    """Return the content of a sealed JSON file, its seal and its hash."""
    value, seal = _parse(path, content)
    digest = digest_of(value)
    _require_seal(keys, path, seal, digest)
    return value, seal, digest


def _check_folder(keys: JournalKeys, path: Path) -> CheckedCertificate:
    value, seal, digest = _check_sealed(keys, path / SEAL_FILE, _read(path / SEAL_FILE))
    files = value.get("files")
    if not isinstance(files, dict):
        raise ConfigurationError(f"{path / SEAL_FILE}: the file has no list of files; it is not a seal of a folder")
    for name, file_digest in files.items():
        if _hash_file(path / Path(name).name) != file_digest:
            raise ConfigurationError(f"{path / Path(name).name}: the file was changed after the certificate was made")
    if added := sorted(entry for entry in path.iterdir() if entry.name not in (*files, SEAL_FILE)):
        raise ConfigurationError(
            f"{path}: these are not part of the certificate: {_names_text(added)}; move them to another folder"
        )
    names = [value.get(name) for name in ("certificate", "plan", "made_at")]
    if not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"{path}: {_WITHOUT_PLAN}")
    sha256, plan_id, made_at = map(str, names)
    identity = CertificateIdentity(sha256=sha256, plan_id=plan_id, made_at=made_at)
    return CheckedCertificate(path=path, sha256=digest, key_id=seal.key_id, identity=identity)


def _names_text(entries: Sequence[Path]) -> str:
    """Return the names of some entries of a folder; a subfolder has a slash at its end."""
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries[:_MOST_NAMES]]
    others = len(entries) - len(names)
    return ", ".join(names) + (f" and {others} more" if others else "")


class _AmbiguousText(ValueError):
    """A JSON text that programs read differently, or that has more than a certificate has."""


def _parse(path: Path, content: bytes) -> tuple[dict[str, Any], Seal]:
    reason = "the file is not a certificate"
    try:
        value = json.loads(content, parse_float=_refuse_float, object_pairs_hook=_object)
        seal = Seal(**value["seal"])
        certificate = value["certificate"]
        if value.keys() > {"certificate", "seal"}:
            raise _AmbiguousText
        if isinstance(certificate, dict):
            return certificate, seal
    except _AmbiguousText:
        reason = "the file is not a certificate as it was written: it has a name twice, a name too many, or a fraction"
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ConfigurationError(f"{path}: {reason}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Programs do not agree on which of two values of one name they read."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _AmbiguousText
    return value


def _refuse_float(_: str) -> Any:
    """Refuse a number with a fraction. A certificate has amounts as strings."""
    raise _AmbiguousText


def _require_seal(keys: JournalKeys, path: Path, seal: Seal, digest: str) -> None:
    other_key = seal.key_id not in keys.keys or (
        seal.key_check != "" and not _equal(keys.check_value(seal.key_id), seal.key_check)
    )
    if other_key:
        raise ConfigurationError(
            f"{path}: the certificate was sealed under another key of the journal; name the journal and the key file"
            " with which it was made"
        )
    if not _equal(digest, seal.sha256) or not _equal(keys.seal_certificate(digest, seal.key_id), seal.hmac):
        raise ConfigurationError(
            f"{path}: the seal is wrong: the file was changed after it was made, or another journal made it"
        )


def _equal(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), str(given).encode("utf-8", "surrogatepass"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "the file cannot be read"
    raise ConfigurationError(f"{path}: {reason}")


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 16):
                digest.update(block)
    except OSError as error:
        reason = error.strerror or "the file cannot be read"
    else:
        return digest.hexdigest()
    raise ConfigurationError(f"{path}: {reason}")
