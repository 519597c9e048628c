"""The codes and PINs of sales.

A code is derived from the journal's key and the sale, and so is never stored. A code that the caller chose or the
vendor made, and a PIN, are sealed in the row until they are delivered.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import tag_of
from voucher_gateway.journal.keys.sealer import Sealer
from voucher_gateway.masking import Code, Pin, hide_arguments, hide_frames
from voucher_gateway.sales.records import SaleRow
from voucher_gateway.sales.schema import sales
from voucher_gateway.sales.verbs import SellingAccount

_CODE: Final = "sealed_code"
_PIN: Final = "sealed_pin"
_LITERAL_START: Final = re.compile(r"\^([A-Za-z0-9-]+)(?![A-Za-z0-9*?+{|-])")
"""What a pattern demands at the beginning, where that is plain text."""


class SaleCodes:
    """Derives, seals and opens the codes and PINs of the sales of a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def choose(self, sale_id: str, account: SellingAccount) -> tuple[str, Code | None]:
        """Return what the derived code of a new sale begins with, and the code; None if the vendor has to make one.

        The code matches the account's pattern. Otherwise the customer's code would not be found.

        Raises:
            InvalidRequest: if no such code can be derived, and the vendor's own codes cannot be used.
        """
        key_id = self._journal.keys.newest
        if account.code_pattern is None:
            return "", self._derive(sale_id, key_id, "", account)
        for prefix in ("", _literal_start(account.code_pattern.pattern)):
            code = self._derive(sale_id, key_id, prefix, account)
            if code is not None and account.matches_code(code):
                return prefix, code
        if account.capabilities.codes.choosable and not account.capabilities.codes.ids_choosable:
            raise InvalidRequest(
                "no code that matches code_pattern can be derived: give each sale a code of your own, or let"
                " code_pattern begin with ^ and the first letters of all codes",
                field="code",
                rule="matches code_pattern",
                account=account.name,
            )
        return "", None

    def _derive(self, sale_id: str, key_id: str, prefix: str, account: SellingAccount) -> Code | None:
        rules = account.capabilities.codes
        if not rules.choosable:
            return None
        longest = None if rules.max_length is None else rules.max_length - len(prefix)
        rest = attrs.evolve(rules, min_length=max(1, rules.min_length - len(prefix)), max_length=longest)
        if prefix:
            rest = attrs.evolve(rest, pattern=None)  # the whole code is checked below
        code = self._journal.keys.derive_code(tag_of(sale_id), rest, key_id=key_id)
        if code is None:
            return None
        with hide_frames():
            whole = Code(f"{prefix}{code.reveal()}")
            if rules.find_broken_rule(whole.reveal()) is not None:
                return None
        # In another form the voucher could not be found by its code.
        return account.normalize(whole)

    @hide_arguments
    def fingerprint(self, code: Code, account: SellingAccount, key_id: str) -> str:
        """Return the fingerprint of a code at the vendor of an account."""
        provider = account.provider
        return self._journal.keys.fingerprint(code, provider=provider.name, host=provider.host, key_id=key_id)

    @hide_arguments
    def seal_columns(self, sale_id: str, code: Code | None, pin: Pin | None) -> dict[str, Any]:
        """Return the columns of a row with a code and a PIN, sealed.

        Raises:
            ConfigurationError: if something is to be sealed, and the package for encryption is not installed.
        """
        if code is None and pin is None:
            return {}
        sealer = self._sealer()
        columns: dict[str, Any] = {"seal_key_id": sealer.key_id}
        if code is not None:
            columns[_CODE] = sealer.seal(code, row=sale_id, column=_CODE)
        if pin is not None:
            columns[_PIN] = sealer.seal(pin, row=sale_id, column=_PIN)
        return columns

    def code_of(self, row: SaleRow, account: SellingAccount) -> Code | None:
        """Return the code of a sale: derived, or as it was sealed; None if it is not known here.

        Raises:
            ConfigurationError: if a key is not configured any more, or the derived code is not that of the sale.
        """
        if row.sealed_code is not None:
            assert row.seal_key_id is not None
            return self._sealer().unseal(Code, row.sealed_code, row=row.id, column=_CODE, key_id=row.seal_key_id)
        if row.fingerprint is None:
            return None
        code = self._derive(row.id, row.key_id, row.code_prefix, account)
        if code is None or self.fingerprint(code, account, row.key_id) != row.fingerprint:
            return None  # the caller chose it, and it is delivered; or the account has other rules of codes now
        return code

    def pin_of(self, row: SaleRow) -> Pin | None:
        """Return the PIN of a sale as it was sealed; None if it has none, or it is delivered.

        Raises:
            ConfigurationError: if the key is not configured any more.
        """
        if row.sealed_pin is None:
            return None
        assert row.seal_key_id is not None
        return self._sealer().unseal(Pin, row.sealed_pin, row=row.id, column=_PIN, key_id=row.seal_key_id)

    def require_code(self, row: SaleRow, account: SellingAccount) -> Code:
        """Return the code of a sale whose code the vendor does not make.

        Raises:
            ConfigurationError: if it cannot be derived any more.
        """
        code = self.code_of(row, account)
        if code is None:
            raise ConfigurationError(
                f"the code of the sale {row.name} cannot be derived any more: the account {account.name} has another"
                " vendor, host, or form of codes than when the sale was opened"
            )
        return code

    def _sealer(self) -> Sealer:
        return Sealer(self._journal.keys, sales.name)


def _literal_start(pattern: str) -> str:
    """Return the text with which all matches of a pattern begin; empty if that is not plain text."""
    match = _LITERAL_START.match(pattern)
    return "" if match is None else match[1]
