"""Seals codes and PINs in the journal's database, as long as a payment or a sale needs them.

A sealed text is encrypted (AES-256-GCM) under a key that is derived from the journal's key (HKDF-SHA256). It opens only
for the table, row and column that it was sealed for. The id of the journal's key is stored beside it, so that it opens
as long as that key is configured.
"""

from __future__ import annotations

import base64
import importlib.util
import os
from typing import TYPE_CHECKING, Final, TypeVar

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.masking import Masked, hide_frames

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

M = TypeVar("M", bound=Masked)

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"voucher-gateway journal: sealing, 1"
_PADDED_STEP: Final = 64
"""Texts are padded to a multiple of this, so that the length of a sealed text does not show that of a code or a PIN."""
_END: Final = b"\x80"
"""Ends the text before the padding of zeros (ISO/IEC 7816-4). UTF-8 never has it as the first byte of a character."""


class Sealer:
    """Seals and opens the texts of one table.

    Args:
        keys: the journal's. The newest one seals.
        table: the table that stores the texts.

    Raises:
        ConfigurationError: if the package ``cryptography`` is not installed.
    """

    def __init__(self, keys: JournalKeys, table: str) -> None:
        require_cryptography()
        self._keys = keys
        self._table = table
        self._ciphers: dict[str, AESGCM] = {}

    @property
    def key_id(self) -> str:
        """The id of the key that `seal` uses. The caller stores it beside the text."""
        return self._keys.newest

    def seal(self, text: Masked, *, row: str, column: str) -> str:
        """Return a code or a PIN, encrypted. The result is different each time.

        Args:
            text: the code or the PIN.
            row: names the row in the table.
            column: where the result is stored.
        """
        with hide_frames():
            plain = text.reveal().encode("utf-8", "surrogatepass") + _END
            padded = plain.ljust(-(-len(plain) // _PADDED_STEP) * _PADDED_STEP, b"\0")
            nonce = os.urandom(_NONCE_BYTES)
            sealed = self._cipher(self.key_id).encrypt(nonce, padded, self._place(row, column))
        return base64.b64encode(nonce + sealed).decode()

    def unseal(self, kind: type[M], sealed: str, *, row: str, column: str, key_id: str) -> M:
        """Return the code or the PIN that was sealed for this row and column.

        Args:
            kind: `Code` or `Pin`.
            sealed: what `seal` returned.
            row: as it was given to `seal`.
            column: as it was given to `seal`.
            key_id: the id of the key that sealed it.

        Raises:
            ConfigurationError: if that key is not configured any more, or the text does not open: the row was changed,
                or is from another database.
        """
        from cryptography.exceptions import InvalidTag

        with hide_frames():
            try:
                raw = base64.b64decode(sealed)
                padded = self._cipher(key_id).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._place(row, column))
            except (InvalidTag, ValueError):
                padded = None
            if padded is None:
                raise ConfigurationError(
                    f"a sealed text of {self._table} does not open: its row was changed, or is from another database"
                )
            return kind(padded[: padded.rindex(_END)].decode("utf-8", "surrogatepass"))

    def _place(self, row: str, column: str) -> bytes:
        return "\0".join(f"{len(part)}:{part}" for part in (self._table, row, column)).encode()

    def _cipher(self, key_id: str) -> AESGCM:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            cipher = self._ciphers[key_id] = self._derive_cipher(key_id)
        return cipher

    def _derive_cipher(self, key_id: str) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        key = self._keys.keys.get(key_id)
        if key is None:
            raise ConfigurationError(
                f"{self._table} has texts that are sealed under the journal key {key_id!r:.20}, which is not configured"
                " any more: add it to journal_keys"
            )
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
        return AESGCM(derived.derive(key.reveal().encode("utf-8", "surrogatepass")))


def require_cryptography() -> None:
    """Check that the package for encryption is installed.

    Raises:
        ConfigurationError: if it is not.
    """
    if importlib.util.find_spec("cryptography") is None:
        raise ConfigurationError("payments and sales need encryption: pip install 'voucher-gateway[payments]'")
