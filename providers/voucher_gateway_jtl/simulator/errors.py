"""JTL's error bodies (seed): a string for 403, an object for 404, an object with fields for 422."""

from __future__ import annotations

import secrets
import string
from typing import Final

from attrs import asdict, frozen

from voucher_gateway.simulator import Refused, Reply

_UNINFORMATIVE: Final = "The request could not be followed."


@frozen
class InvalidField:
    """One item of a 422. Its code is ENTITY.ACTION.FIELD.RULE (vendor page)."""

    code: str
    property: str
    rule: str
    message: str


class UndocumentedCodes:
    """Error codes that the vendor has and does not document: random ones, new at each start.

    An adapter therefore cannot learn codes that we invented. The messages say nothing for the same reason.
    """

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}

    def __getitem__(self, condition: str) -> str:
        """Return the code of a condition. It is the same until the simulator stops."""
        if condition not in self._codes:
            letters = (secrets.choice(string.ascii_uppercase) for _ in range(12))
            self._codes[condition] = f"VOUCHER.{''.join(letters)}"
        return self._codes[condition]


class Errors:
    """Makes error replies. The methods that return a `Refused` are for `raise`."""

    def __init__(self) -> None:
        self.codes = UndocumentedCodes()

    def plain(self, status: int, message: str) -> Reply:
        """Return the reply of a status that is not documented, in the shape of the documented 404."""
        if status == 403:
            return Reply(403, "Forbidden")  # seed: a bare JSON string
        reply = Reply(status, {"status": status, "code": self.codes[f"status-{status}"], "message": message})
        return reply.with_header("WWW-Authenticate", "Bearer") if status == 401 else reply

    def unauthorized(self) -> Reply:
        """Return the reply to a request without a token, or with one that is unknown or expired."""
        return self.plain(401, "A valid access token is needed.")

    def forbidden(self, scope: str) -> Reply:  # noqa: ARG002 - the reply does not name it
        """Return the reply to a request whose token lacks a scope."""
        return self.plain(403, "")

    def no_voucher(self) -> Refused:
        """Return the 404 for an id or code that no voucher has; the error code is the seed's."""
        return Refused(Reply(404, {"status": 404, "code": "VOUCHER.NOT_FOUND", "message": "There is no such voucher."}))

    def absent(self, condition: str) -> Refused:
        """Return the 404 for anything else that does not exist, with an undocumented code."""
        return Refused(Reply(404, {"status": 404, "code": self.codes[condition], "message": _UNINFORMATIVE}))

    def against_rules(self, condition: str) -> Refused:
        """Return the 422 for a well-formed request that a business rule forbids, with an undocumented code."""
        return Refused(Reply(422, {"status": 422, "code": self.codes[condition], "message": _UNINFORMATIVE}))

    def invalid(self, action: str, errors: list[InvalidField]) -> Refused:
        """Return the 422 that lists the fields that break a rule; an action is such as VOUCHER.CREATE."""
        body = {
            "status": 422,
            "code": f"{action}.UNPROCESSABLE_ENTITY",
            "message": "Some of the given data is not valid.",
            "errors": [asdict(error) for error in errors],
        }
        return Refused(Reply(422, body))
