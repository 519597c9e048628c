"""Stores codes and PINs: each is encrypted, and found by a keyed fingerprint.

Both use random keys of the database. The database stores these keys only encrypted under the key of the settings, which
is not in the database. A thief of the database can therefore neither read a code nor test guesses. The key of the
settings can be changed without a change of the vouchers: only the keys are encrypted again.
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
"""Encrypted texts are padded to a multiple of this, so that their length shows neither the code's nor a PIN."""


class Vault:
    """The keys of one database, decrypted.

    Args:
        material: the two keys: one for fingerprints, one for encryption.
    """

    def __init__(self, material: bytes) -> None:
        self._finding, sealing = material[:_KEY_BYTES], material[_KEY_BYTES:]
        self._sealing = _cipher(sealing)

    @classmethod
    def make(cls, key: Secret) -> tuple[Self, str]:
        """Make keys for a new database, and return them with the text to store."""
        material = os.urandom(2 * _KEY_BYTES)
        return cls(material), _wrap(material, key)

    @staticmethod
    def unwrap(wrapped: str, keys: Sequence[Secret]) -> bytes | None:
        """Return the keys that were wrapped under one of `keys`; None if it was another key."""
        for key in keys:
            if (opened := _unseal(_wrapping(key), wrapped, b"")) is not None:
                return opened
        return None

    @staticmethod
    def wrap(material: bytes, key: Secret) -> str:
        """Return the text that stores the keys, encrypted under `key`."""
        return _wrap(material, key)

    def fingerprint(self, code: Code) -> str:
        """Return the fingerprint by which a code is found. Within one database, equal codes have equal fingerprints."""
        return self._mac("code", code.reveal())

    def content(self, *parts: object) -> str:
        """Return a digest of the content of a call, to compare two calls with one reference. Parts may be masked."""
        return self._mac("content", *parts)

    def seal(self, id: str, code: Code, pin: Pin | None) -> str:
        """Return code and PIN of the voucher with this id, encrypted. The text does not open for another voucher."""
        plain = json.dumps([code.reveal(), None if pin is None else pin.reveal()]).encode()
        padded = plain.ljust(-(-len(plain) // _SEALED_STEP) * _SEALED_STEP)
        return _seal(self._sealing, padded, id.encode())

    def open(self, id: str, sealed: str) -> tuple[Code, Pin | None]:
        """Return the code and PIN that were sealed for the voucher with this id.

        Raises:
            ConfigurationError: if it does not open: the row was changed, or is from another database.
        """
        opened = _unseal(self._sealing, sealed, id.encode())
        if opened is None:
            raise ConfigurationError("a voucher's code does not open: its row was changed, or is from another database")
        code, pin = json.loads(opened)
        return Code(code), None if pin is None else Pin(pin)

    def _mac(self, *parts: object) -> str:
        # Keyed BLAKE2b is a MAC (RFC 7693), four times as fast as HMAC with SHA-256.
        plain = [part.reveal() if isinstance(part, Masked) else str(part) for part in parts]
        text = "\0".join([f"{len(part)}:{part}" for part in plain])
        keyed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._finding, digest_size=_MAC_BYTES)
        return keyed.hexdigest()


def _wrap(material: bytes, key: Secret) -> str:
    return _seal(_wrapping(key), material, b"")


def _wrapping(key: Secret) -> AESGCM:
    """Return the cipher of a configured key. The key must be random: a password would be too weak."""
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
    """Return whether two PINs are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(_digest(kept), _digest(given))


def _digest(pin: Pin) -> bytes:
    return hashlib.sha256(pin.reveal().encode("utf-8", "surrogatepass")).digest()


def require_cryptography() -> None:
    """Check that the library for encryption is installed.

    Raises:
        ConfigurationError: if it is not.
    """
    if importlib.util.find_spec("cryptography") is None:
        raise ConfigurationError("the provider local needs: pip install 'voucher-gateway[local]'")
