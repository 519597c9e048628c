"""Reads request bodies by the vendor's rules for fields, and collects the fields that break one."""

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
    """A JSON body. Each method reads one field and records it if it breaks a rule; `check` refuses them all.

    Args:
        request: the request; its body must be a JSON object.
        action: the first two parts of the error codes, such as VOUCHER.CREATE.
        errors: makes the replies.
        known: every field that the vendor documents for this body. Other fields are ignored.
        read_only: documented fields that a client cannot set. They are ignored, even if `strict` is set.
        strict: refuse unknown fields instead of ignoring them.

    Raises:
        Refused: 422 if the body is not a JSON object. It is the only documented refusal of a body.
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
        self._invalid: list[InvalidField] = []
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
        """Record that a field breaks a rule, such as max:255."""
        code_name = _CODE_NAMES.get(self._action, {}).get(name, name.upper())
        code = f"{self._action}.{code_name}.{rule.upper()}"
        self._invalid.append(InvalidField(code, name, rule, f"The field {name} {message}."))

    def check(self) -> None:
        """Refuse the request if a field breaks a rule.

        Raises:
            Refused: 422 with all of them.
        """
        if self._invalid:
            raise self._errors.invalid(self._action, self._invalid)

    def has(self, name: str) -> bool:
        """Return whether the body has the field, whatever its value."""
        return name in self._body

    def non_empty_text(self, name: str, *, longest: int | None = None) -> str:
        """Return a string that must be there and not be empty; "" if it is invalid."""
        if self._body.get(name) in (None, ""):
            self.refuse(name, "required", "is required")
            return ""
        return self.text(name, longest=longest) or ""

    def text(self, name: str, *, longest: int | None = None) -> str | None:
        """Return a string of at most that many characters; None if it is missing or invalid."""
        if name not in self._body:
            return None
        value = self._body[name]
        if not isinstance(value, str):
            self.refuse(name, "string", "must be a string")
        elif longest is not None and len(value) > longest:
            self.refuse(name, f"max:{longest}", f"must have at most {longest} characters")
        else:
            return value
        return None

    def choice(self, name: str, options: Collection[str]) -> str | None:
        """Return a string that must be one of the options; None if it is missing."""
        value = self.text(name)
        if value is not None and value not in options:
            self.refuse(name, "in", f"must be one of {', '.join(sorted(options))}")
        return value

    def flag(self, name: str) -> bool | None:
        """Return a boolean; None if it is missing or invalid. 0 and "false" are not booleans."""
        value = self._body.get(name)
        if name in self._body and not isinstance(value, bool):
            self.refuse(name, "boolean", "must be true or false")
        return value if isinstance(value, bool) else None

    def integer(self, name: str, *, least: int, most: int) -> int | None:
        """Return an integer within bounds; None if it is missing or invalid. "7" and true are not integers."""
        value = self._body.get(name)
        if name not in self._body:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(name, "integer", "must be an integer")
            return None
        if value < least:
            self.refuse(name, f"min:{least}", f"must be at least {least}")
        elif value > most:
            self.refuse(name, f"max:{most}", f"must be at most {most}")
        return value

    def amount(self, *, least: int = 0) -> int:
        """Return the required field `amount` in cents; 0 if it is invalid."""
        value = self.non_empty_text("amount")
        cents = to_cents(value)
        if cents is not None:
            if cents < least:
                self.refuse("amount", f"min:{from_cents(least)}", "is too small")
            return cents
        if re.fullmatch(r"-[0-9]+(\.[0-9]+)?", value):
            self.refuse("amount", "min:0", "must not be negative")
        elif value and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            self.refuse("amount", "numeric", "must be a string with a number")
        elif len(value) > 9:
            self.refuse("amount", "max:9", "must have at most 9 characters")
        elif value:
            self.refuse("amount", "regex", "must have exactly two digits after the point")
        return 0

    def currency(self) -> str:
        """Return the required field `currency`, a code of ISO 4217 in capitals."""
        value = self.non_empty_text("currency")
        if value and value not in _CURRENCIES:
            self.refuse("currency", "valid_currency", "must be a currency of ISO 4217")
        return value
