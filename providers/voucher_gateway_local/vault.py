"""How codes and PINs are kept: found by a keyed fingerprint, and sealed.

Both take keys of their own, made at random for each database and stored in it only wrapped: sealed under the key that
the settings give, which is not in the database. So who steals the database alone can neither read a code nor try out
guesses, and the settings' key can be changed without touching a single voucher: the keys are wrapped again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

from voucher_gateway.provider_api import Code, ConfigurationError, Masked, Pin, Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MAC_BYTES: Final = 32
_WRAPPING: Final = b"voucher-gateway local: wrapping, 1"
_SEALED_STEP: Final = 64
"""Sealed texts are filled up to a multiple of this, so that their length tells neither the code's nor of a PIN."""


class Vault:
    """The keys of one database, opened.

    Args:
        material: the keys themselves: one for fingerprints, one for sealing.
    """

    def __init__(self, material: bytes) -> None:
        self._finding, sealing = material[:_KEY_BYTES], material[_KEY_BYTES:]
        self._sealing = _cipher(sealing)

    @classmethod
    def make(cls, key: Secret) -> tuple[Self, str]:
        """Make keys for a new database, and return them with the text that is to be stored."""
        material = os.urandom(2 * _KEY_BYTES)
        return cls(material), _wrap(material, key)

    @staticmethod
    def unwrap(wrapped: str, keys: Sequence[Secret]) -> bytes | None:
        """Return what was wrapped under one of these keys; None if it was under another."""
        for key in keys:
            if (opened := _unseal(_wrapping(key), wrapped, b"")) is not None:
                return opened
        return None

    @staticmethod
    def wrap(material: bytes, key: Secret) -> str:
        """Return the text that is stored of the keys."""
        return _wrap(material, key)

    def fingerprint(self, code: Code) -> str:
        """Return the fingerprint by which a code is found again: the same for the same code, within one database."""
        return self._mac("code", code.reveal())

    def content(self, *parts: object) -> str:
        """Return a digest of what a call asks for, to tell two calls of one reference apart. It may be masked."""
        return self._mac("content", *parts)

    def seal(self, id: str, code: Code, pin: Pin | None) -> str:
        """Return code and PIN of the voucher with this id, sealed; it opens for no other voucher."""
        plain = json.dumps([code.reveal(), None if pin is None else pin.reveal()]).encode()
        padded = plain.ljust(-(-len(plain) // _SEALED_STEP) * _SEALED_STEP)
        return _seal(self._sealing, padded, id.encode())

    def open(self, id: str, sealed: str) -> tuple[Code, Pin | None]:
        """Return what was sealed for the voucher with this id.

        Raises:
            ConfigurationError: if it does not open: the row was tampered with, or comes from another database.
        """
        opened = _unseal(self._sealing, sealed, id.encode())
        if opened is None:
            raise ConfigurationError("a voucher's code does not open: its row was changed, or is of another database")
        code, pin = json.loads(opened)
        return Code(code), None if pin is None else Pin(pin)

    def _mac(self, *parts: object) -> str:
        # BLAKE2b with a key is a MAC by itself (RFC 7693), at a quarter of the time of HMAC with SHA-256.
        plain = [part.reveal() if isinstance(part, Masked) else str(part) for part in parts]
        text = "\0".join([f"{len(part)}:{part}" for part in plain])
        keyed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._finding, digest_size=_MAC_BYTES)
        return keyed.hexdigest()


def _wrap(material: bytes, key: Secret) -> str:
    return _seal(_wrapping(key), material, b"")


def _wrapping(key: Secret) -> AESGCM:
    """Return the cipher of a configured key. It is taken to be random: a password would be too weak to be one."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_WRAPPING)
    return _cipher(derived.derive(key.reveal().encode("utf-8", "surrogatepass")))


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _seal(cipher: AESGCM, plain: bytes, about: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + cipher.encrypt(nonce, plain, about)).decode()


def _unseal(cipher: AESGCM, sealed: str, about: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    try:
        raw = base64.b64decode(sealed)
        return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        return None


def same_pin(kept: Pin, given: Pin) -> bool:
    """Whether two PINs are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(_digest(kept), _digest(given))


def _digest(pin: Pin) -> bytes:
    return hashlib.sha256(pin.reveal().encode("utf-8", "surrogatepass")).digest()


def require_cryptography() -> None:
    """Make sure that the library for it is installed.

    Raises:
        ConfigurationError: if it is not.
    """
    if importlib.util.find_spec("cryptography") is None:
        raise ConfigurationError("vouchers of one's own need: pip install 'voucher-gateway[local]'")
