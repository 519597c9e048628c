"""JTL's error bodies: a string for 403, an object for 404, an object with fields for 422 (seed)."""

from __future__ import annotations

import secrets
import string
from typing import Final

from attrs import asdict, frozen

from voucher_gateway.simulator import Refused, Reply

_VAGUE: Final = "The request could not be followed."


@frozen
class InvalidField:
    """One item of a 422: its code is ENTITY.ACTION.FIELD.RULE (vendor page)."""

    code: str
    property: str
    rule: str
    message: str


class UndocumentedCodes:
    """Codes that the vendor certainly has and does not document, drawn again at each start.

    So no adapter can learn our inventions; the messages say nothing for the same reason.
    """

    def __init__(self) -> None:
        self._drawn: dict[str, str] = {}

    def __getitem__(self, condition: str) -> str:
        """The code that stands for a condition until the end of this run."""
        if condition not in self._drawn:
            letters = (secrets.choice(string.ascii_uppercase) for _ in range(12))
            self._drawn[condition] = f"VOUCHER.{''.join(letters)}"
        return self._drawn[condition]


class Errors:
    """Makes error replies. Refusals are raised, so that rules read straight on."""

    def __init__(self) -> None:
        self.codes = UndocumentedCodes()

    def plain(self, status: int, message: str) -> Reply:
        """A status that no vendor page describes, in the shape of the documented 404."""
        if status == 403:
            return Reply(403, "Forbidden")  # seed: a bare JSON string
        reply = Reply(status, {"status": status, "code": self.codes[f"status-{status}"], "message": message})
        return reply.with_header("WWW-Authenticate", "Bearer") if status == 401 else reply

    def token_error(self) -> Refused:
        """No token, or one that is unknown or expired."""
        return Refused(self.plain(401, "A valid access token is needed."))

    def forbidden(self) -> Refused:
        """The token lacks the scope."""
        return Refused(self.plain(403, ""))

    def no_voucher(self) -> Refused:
        """There is no voucher with that id or code; the code is the seed's."""
        return Refused(Reply(404, {"status": 404, "code": "VOUCHER.NOT_FOUND", "message": "There is no such voucher."}))

    def absent(self, condition: str) -> Refused:
        """Something else that is not there: 404 with an undocumented code."""
        return Refused(Reply(404, {"status": 404, "code": self.codes[condition], "message": _VAGUE}))

    def against_rules(self, condition: str) -> Refused:
        """A well-formed request that a business rule forbids: 422 with an undocumented code."""
        return Refused(Reply(422, {"status": 422, "code": self.codes[condition], "message": _VAGUE}))

    def invalid(self, action: str, errors: list[InvalidField]) -> Refused:
        """Fields that break their rules, such as for the action VOUCHER.CREATE."""
        body = {
            "status": 422,
            "code": f"{action}.UNPROCESSABLE_ENTITY",
            "message": "Some of the given data is not valid.",
            "errors": [asdict(error) for error in errors],
        }
        return Refused(Reply(422, body))
