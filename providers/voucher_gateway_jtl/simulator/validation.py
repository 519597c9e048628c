"""Reads request bodies by the field rules of the vendor, and collects what breaks them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from iso4217 import Currency

from voucher_gateway.simulator import InvalidJson
from voucher_gateway_jtl.simulator.errors import Errors, InvalidField
from voucher_gateway_jtl.simulator.scalars import from_cents, to_cents

if TYPE_CHECKING:
    from collections.abc import Collection

    from voucher_gateway.simulator import Request


_CURRENCIES: Final = frozenset(currency.code for currency in Currency)
# The error codes call the field `id` of a new voucher CUSTOM_ID (vendor page on error codes).
_CODE_NAMES: Final = {"VOUCHER.CREATE": {"id": "CUSTOM_ID"}}


class Fields:
    """One JSON body. Each method reads a field and notes when it breaks a rule; `check` refuses what was noted.

    Args:
        request: with a JSON object as its body.
        action: the first two parts of the error codes, such as VOUCHER.CREATE.
        errors: makes the replies.
        known: every field that the vendor documents for this body; others are ignored.
        read_only: documented fields that nobody may set; ignored, even when strict.
        strict: refuse unknown fields instead.

    Raises:
        Refused: 422, the one refusal of a body that is documented, for anything but a JSON object.
    """

    def __init__(
        self,
        request: Request,
        action: str,
        errors: Errors,
        *,
        known: Collection[str],
        read_only: Collection[str] = (),
        strict: bool = False,
    ) -> None:
        self._action = action
        self._errors = errors
        self._found: list[InvalidField] = []
        self._body = self._object(request)
        if strict:
            for name in self._body.keys() - set(known) - set(read_only):
                self.refuse(name, "unknown", "is not a field of this request")

    def _object(self, request: Request) -> dict[str, object]:
        if request.content_type != "application/json":
            raise self._errors.invalid(self._action, [])
        try:
            body = request.json()
        except InvalidJson:
            raise self._errors.invalid(self._action, []) from None
        if not isinstance(body, dict):
            raise self._errors.invalid(self._action, [])
        return body

    def refuse(self, name: str, rule: str, message: str) -> None:
        """Notes that a field breaks a rule, such as max:255."""
        code_name = _CODE_NAMES.get(self._action, {}).get(name, name.upper())
        code = f"{self._action}.{code_name}.{rule.upper()}"
        self._found.append(InvalidField(code, name, rule, f"The field {name} {message}."))

    def check(self) -> None:
        """Ends the reading.

        Raises:
            Refused: 422 with everything that was noted.
        """
        if self._found:
            raise self._errors.invalid(self._action, self._found)

    def has(self, name: str) -> bool:
        """Whether the body has the field, whatever its value."""
        return name in self._body

    def non_empty_text(self, name: str, *, longest: int | None = None) -> str:
        """A string that is neither missing nor empty; "" stands for a wrong one until `check`."""
        if self._body.get(name) in (None, ""):
            self.refuse(name, "required", "is required")
            return ""
        return self.text(name, longest=longest) or ""

    def text(self, name: str, *, longest: int | None = None) -> str | None:
        """A string of at most that many characters, if there is one."""
        if name not in self._body:
            return None
        value = self._body[name]
        if not isinstance(value, str):
            self.refuse(name, "string", "must be a string")
        elif longest is not None and len(value) > longest:
            self.refuse(name, f"max:{longest}", f"may have {longest} characters at most")
        else:
            return value
        return None

    def choice(self, name: str, options: Collection[str]) -> str | None:
        """One of a few strings, if there is one."""
        value = self.text(name)
        if value is not None and value not in options:
            self.refuse(name, "in", f"must be one of {', '.join(sorted(options))}")
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean, if there is one; neither 0 nor "false" is one."""
        value = self._body.get(name)
        if name in self._body and not isinstance(value, bool):
            self.refuse(name, "boolean", "must be true or false")
        return value if isinstance(value, bool) else None

    def integer(self, name: str, *, least: int, most: int) -> int | None:
        """An integer within bounds, if there is one; neither "7" nor true is one."""
        value = self._body.get(name)
        if name not in self._body:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(name, "integer", "must be an integer")
            return None
        if value < least:
            self.refuse(name, f"min:{least}", f"must be {least} at least")
        elif value > most:
            self.refuse(name, f"max:{most}", f"may be {most} at most")
        return value

    def amount(self, *, least: int = 0) -> int:
        """The required field `amount` in cents; 0 stands for a wrong one until `check`."""
        value = self.non_empty_text("amount")
        cents = to_cents(value)
        if cents is not None:
            if cents < least:
                self.refuse("amount", f"min:{from_cents(least)}", "is too small")
            return cents
        if re.fullmatch(r"-[0-9]+(\.[0-9]+)?", value):
            self.refuse("amount", "min:0", "may not be negative")
        elif value and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            self.refuse("amount", "numeric", "must be a number in a string")
        elif len(value) > 9:
            self.refuse("amount", "max:9", "may have 9 characters at most")
        elif value:
            self.refuse("amount", "regex", "must have exactly two digits after the point")
        return 0

    def currency(self) -> str:
        """The required field `currency`, a code of ISO 4217 in capitals; wrong ones are noted."""
        value = self.non_empty_text("currency")
        if value and value not in _CURRENCIES:
            self.refuse("currency", "valid_currency", "must be a currency of ISO 4217")
        return value
