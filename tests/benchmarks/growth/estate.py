"""Two vendors with a million vouchers, of which all but the last ones may have moved: `canned_estate` with a memory.

What is said of a voucher follows from its number and from whether it was frozen or created, which takes six bytes a
voucher. One voucher of a hundred has a code that the target does not accept, so that it gets a new one; another has no
value left, so that the policy skips it.

`Vendors.pretend` lets both vendors say that a run has moved vouchers that it has not: those of the copied rows. The
ids at the target follow from the number for chosen codes, and count from 1 for new ones, so that SQL can write them.

Run by `serving_vendors`, or by hand: ``python -m tests.benchmarks.growth.estate --vouchers 1000000``.
"""

from __future__ import annotations

import json
import urllib.request
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

import attrs

from tests.benchmarks.canned import ON_A_PAGE, voucher
from tests.benchmarks.canned_estate import TARGET_ANSWERS, VALUE
from tests.benchmarks.canned_server import arguments, message, serve, serving_module

KINDS: Final = 100
"""Vouchers whose numbers differ by a multiple of this are of the same kind."""

FIRST: Final = 10_000_000
"""Is added to a number, so that all ids are of one length."""

_UNFIT: Final = 1
_EMPTY: Final = 2
_UNTIL: Final = '"2029-12-31T22:59:59+00:00"'
_AT: Final = "2026-11-20T12:00:00.000Z"


def id_of(number: int) -> str:
    """Return the id of the source's voucher of this number, which is one or more."""
    return f"V{FIRST + number}"


def number_of(id: str) -> int:
    """Return the number of the source's voucher of this id."""
    return int(id[1:]) - FIRST


def is_carried(number: int) -> bool:
    """Return whether the voucher has a value."""
    return number % KINDS != _EMPTY


def gets_new_code(number: int) -> bool:
    """Return whether the target does not accept the code of the voucher."""
    return number % KINDS == _UNFIT


def code_of(number: int) -> str:
    """Return the code of the source's voucher of this number."""
    return f"JTL{';' if gets_new_code(number) else '-'}{id_of(number)}"


def target_id_of(number: int) -> str:
    """Return the id at the target of a voucher that keeps its code."""
    return f"t{code_of(number)}"


def new_target_id(count: int) -> str:
    """Return the id at the target of the voucher that was the first, the second and so on to get a new code."""
    return f"x{FIRST + count}"


@attrs.frozen
class Vendors:
    """The vendors, in a process of their own.

    Attributes:
        base_url: where both of them listen, without a path.
    """

    base_url: str

    def forget(self) -> None:
        """Let all vouchers be at the source again, as if nothing had ever moved."""
        self._tell("forget")

    def pretend(self, first: int, last: int) -> None:
        """Let these vouchers have moved: the first and the last number, and all between them."""
        self._tell(f"pretend/{first}/{last}")

    def _tell(self, path: str) -> None:
        with urllib.request.urlopen(f"{self.base_url}/control/{path}") as reply:
            reply.read()


@contextmanager
def serving_vendors(vouchers: int) -> Iterator[Vendors]:
    """Serve from another process."""
    with serving_module("tests.benchmarks.growth.estate", "--vouchers", str(vouchers)) as base_url:
        yield Vendors(base_url)


class Estate:
    """All that both vendors say.

    Args:
        vouchers: how many vouchers the source's list has.
    """

    def __init__(self, vouchers: int) -> None:
        self._vouchers = vouchers
        self._source = json.dumps({**voucher("ID"), "remaining_amount": VALUE, "type": None, "sku": None})
        self._token = json.dumps({"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400})
        self._forget()

    def _forget(self) -> None:
        self._frozen = bytearray(self._vouchers + 1)
        self._created = array("I")
        """The numbers of the vouchers that the target has under their codes, in the order of their creation."""
        self._new_count = 0
        self._new_codes: dict[int, str] = {}

    def answer(self, line: bytes, body: bytes) -> bytes:
        """Return the whole answer to a request."""
        method, target, _ = line.decode("ascii").split(" ")
        parts = urlsplit(target)
        names = parts.path.strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if names[0] == "control":
            return message(self._control(names[1:]))
        if names[0] == "oauth":
            return message(self._token)
        if names[0] == "api":
            return message(self._answer_of_target(method, target, names[2:], query, body))
        return message(self._answer_of_source(method, names[2:], query))

    def _control(self, names: list[str]) -> str:
        if names[0] == "forget":
            self._forget()
        else:
            for number in range(int(names[1]), int(names[2]) + 1):
                if is_carried(number):
                    self._frozen[number] = True
                    if gets_new_code(number):
                        self._new_count += 1
                    else:
                        self._created.append(number)
        return "{}"

    # --- the source ---

    def _answer_of_source(self, method: str, names: list[str], query: dict[str, str]) -> str:
        if not names:
            return self._page_of_source(int(query["page"]))
        number = number_of(names[0])
        if method == "PATCH":
            self._frozen[number] = True
        text = self._at_source(number)
        if names[-1] == "complete":
            text = text.replace('"sku"', f'"code": "{code_of(number)}", "pin": null, "sku"')
        return text

    def _page_of_source(self, page: int) -> str:
        first = (page - 1) * ON_A_PAGE + 1
        numbers = range(first, min(first + ON_A_PAGE, self._vouchers + 1))
        pages = -(-self._vouchers // ON_A_PAGE)
        meta = {"current_page": page, "per_page": ON_A_PAGE, "last_page": pages, "total": self._vouchers}
        return f'{{"data": [{",".join(map(self._at_source, numbers))}], "meta": {json.dumps(meta)}}}'

    def _at_source(self, number: int) -> str:
        text = self._source.replace('"ID"', f'"{id_of(number)}"')
        if not is_carried(number):
            text = text.replace(VALUE, "0.00")
        if self._frozen[number]:
            text = text.replace('"active"', '"inactive"').replace(_UNTIL, "null")
        return text

    # --- the target ---

    def _answer_of_target(self, method: str, target: str, names: list[str], query: dict[str, str], body: bytes) -> str:
        if not target.startswith("/api/vouchers"):
            return next(text for start, text in TARGET_ANSWERS.items() if target.startswith(start))
        if method == "POST":
            return self._create(json.loads(body)["code"])
        if names:
            return _at_target(names[0], self._code_at_target(names[0]))
        if "code" in query:
            ids = [self._id_at_target(query["code"])]
            total = 1
        else:
            first, total = int(query["skip"]), len(self._created) + self._new_count
            ids = list(map(self._id_in_list, range(first, min(first + int(query["top"]), total))))
        balance = f'"balance": {VALUE}, "code"'
        docs = [_at_target(id, self._code_at_target(id)).replace('"code"', balance) for id in ids]
        return f'{{"docs": [{",".join(docs)}], "total": {total}}}'

    def _create(self, code: str) -> str:
        if code.startswith("JTL-"):
            number = number_of(code[4:])
            self._created.append(number)
            return _at_target(target_id_of(number), code)
        self._new_count += 1
        self._new_codes[self._new_count] = code
        return _at_target(new_target_id(self._new_count), code)

    def _id_in_list(self, index: int) -> str:
        if index < len(self._created):
            return target_id_of(self._created[index])
        return new_target_id(index - len(self._created) + 1)

    def _id_at_target(self, code: str) -> str:
        if code.startswith("JTL-"):
            return f"t{code}"
        if code.startswith("NEW-"):
            return new_target_id(int(code[4:]))
        return next(new_target_id(count) for count, known in self._new_codes.items() if known == code)

    def _code_at_target(self, id: str) -> str:
        if id.startswith("t"):
            return id[1:]
        count = int(id[1:]) - FIRST
        return self._new_codes.get(count, f"NEW-{count}")


def _at_target(id: str, code: str) -> str:
    until = '"validUntil": "2029-12-31T22:59:59.000Z"'
    return (
        f'{{"_id": "{id}", "code": "{code}", "amount": {VALUE}, {until}, "origin": "default",'
        f' "sellerId": "a-seller", "createdAt": "{_AT}", "updatedAt": "{_AT}"}}'
    )


if __name__ == "__main__":
    parser = arguments()
    parser.add_argument("--vouchers", type=int, default=1000)
    given = parser.parse_args()
    serve(Estate(given.vouchers).answer, latency_ms=given.latency_ms)
