"""Reads the query of a list, and cuts the requested page out of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import define, frozen

from voucher_gateway_jtl.simulator.errors import Errors, InvalidField
from voucher_gateway_jtl.simulator.scalars import instant_from_text

if TYPE_CHECKING:
    from voucher_gateway.simulator import Request

T = TypeVar("T")


@define
class PageRequest:
    """The requested part of a list. `total` is set by `pick`."""

    number: int
    size: int
    total: int = 0

    @property
    def first(self) -> int:
        """The position of the first item, counted from 1."""
        return (self.number - 1) * self.size + 1

    @property
    def last_number(self) -> int:
        """The number of the last page; an empty list has one page."""
        return max(-(-self.total // self.size), 1)


@frozen
class ListPage(Generic[T]):
    """The items of one page."""

    page: PageRequest
    items: list[T]


@frozen
class Period:
    """A period of time that includes both bounds; None stands for no bound."""

    since: datetime | None
    until: datetime | None

    def contains(self, at: datetime | None) -> bool:
        """Return whether the period contains an instant. A missing instant is in a period without bounds only."""
        if at is None:
            return self.since is None and self.until is None
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)


class ListQuery:
    """The query of a list. Each method reads one parameter and records it if it is invalid; `check` refuses them all.

    If a parameter is repeated, the last one counts. The format of arrays is not documented: they may be repeated,
    joined with commas, or both.

    Args:
        request: the request; its query can be decoded.
        action: the first two parts of the error codes.
        errors: makes the replies.
    """

    def __init__(self, request: Request, action: str, errors: Errors) -> None:
        self._action = action
        self._errors = errors
        self._invalid: list[InvalidField] = []
        self._parameters: dict[str, list[str]] = {}
        for name, value in request.query.items(multi=True):
            self._parameters.setdefault(name.removesuffix("[]"), []).append(value)
        self._read: set[str] = set()

    def text(self, name: str) -> str | None:
        """Return a string as it is; None if it is not given."""
        self._read.add(name)
        return self._parameters[name][-1] if name in self._parameters else None

    def texts(self, name: str) -> list[str] | None:
        """Return an array of strings; None if it is not given."""
        self._read.add(name)
        if name not in self._parameters:
            return None
        return [part for value in self._parameters[name] for part in value.split(",")]

    def choice(self, name: str, options: Sequence[str]) -> str | None:
        """Return a string that must be one of the options."""
        value = self.text(name)
        if value is not None and value not in options:
            self._refuse(name, "in", f"must be one of {', '.join(options)}")
        return value

    def flag(self, name: str) -> bool | None:
        """Return a boolean. It may be true, false, 1 or 0: its format is not documented."""
        value = self.choice(name, ("true", "false", "1", "0"))
        return None if value is None else value in {"true", "1"}

    def period(self, name: str) -> Period:
        """Return the period of a pair of parameters such as filter[created_from] and filter[created_to].

        The bounds are RFC 3339. A plus sign that was not percent-encoded arrives as a blank, and is refused.
        """
        return Period(self._instant(f"filter[{name}_from]"), self._instant(f"filter[{name}_to]"))

    @property
    def has_filters(self) -> bool:
        """Whether any parameter filters the list."""
        return any(name.startswith("filter[") for name in self._parameters)

    def page(self, max_size: int | None) -> PageRequest:
        """Return the requested page. It has at most that many items, even if the client asks for more."""
        size = self._count("per_page", 25)
        return PageRequest(self._count("page", 1), size if max_size is None else min(size, max_size))

    def descending(self) -> bool:
        """Return whether the newest come first. That is the default, too (not documented)."""
        fields = self.texts("sort")
        if fields is None:
            return True
        if not set(fields) <= {"created_at", "-created_at"}:
            self._refuse("sort", "in", "must be created_at or -created_at")
        return fields[0] == "-created_at"

    def check(self, *, strict: bool) -> None:
        """Refuse the request if a parameter was invalid, or unknown and `strict` is set.

        Raises:
            Refused: 422 with all of them.
        """
        if strict:
            for name in self._parameters.keys() - self._read:
                self._refuse(name, "unknown", "is not a parameter of this request")
        if self._invalid:
            raise self._errors.invalid(self._action, self._invalid)

    def _instant(self, name: str) -> datetime | None:
        value = self.text(name)
        if value is None:
            return None
        instant = instant_from_text(value)
        if instant is None:
            self._refuse(name, "date", "must be an RFC 3339 date-time")
        return instant

    def _count(self, name: str, default: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch("[0-9]{1,9}", value):
            self._refuse(name, "integer", "must be an integer of reasonable size")
        elif int(value) < 1:
            self._refuse(name, "min:1", "must be at least 1")
        else:
            return int(value)
        return default

    def _refuse(self, name: str, rule: str, message: str) -> None:
        code = f"{self._action}.{re.sub('[^A-Z0-9]+', '_', name.upper()).strip('_')}.{rule.upper()}"
        self._invalid.append(InvalidField(code, name, rule, f"The parameter {name} {message}."))


def pick(items: Sequence[T], page: PageRequest, *, descending: bool) -> ListPage[T]:
    """Return one page of `items`, which are in order of creation."""
    page.total = len(items)
    start = page.first - 1
    if descending:
        items = items[::-1]
    return ListPage(page, list(items[start : start + page.size]))
