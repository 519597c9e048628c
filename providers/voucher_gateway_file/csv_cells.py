"""Reads the cells of a row of CSV as values of a voucher, and writes such values as cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Final

from voucher_gateway.provider_api import Code, InvalidRequest, MalformedResponse, Medium, Money, Status, decode, encode
from voucher_gateway_file.csv_form import INSTANTS
from voucher_gateway_file.formula_cells import escape_formula, unescape_formula
from voucher_gateway_file.voucher_record import MASKED, READERS, FieldProblem, Object

_VALIDITY: Final = re.compile(r"([0-9]{1,9}) ([a-z]{1,20})", re.ASCII)
_FLAGS: Final = {"true": True, "false": False}
_WITH_COMMA: Final = re.compile(r"-?[0-9]+(?:,[0-9]+)?", re.ASCII)
_CACHED: Final = 1 << 13
"""The number of cells of a column, or of amounts in a currency, that are read only once."""
_MOST_DIGITS: Final = 18
"""Before the decimal sign; `Money` accepts no more."""


def plain_amount(cell: str, decimal_comma: bool) -> str:
    """Return an amount with a decimal point.

    Raises:
        FieldProblem: if it is not an amount with a decimal comma.
    """
    if not decimal_comma:
        return cell
    if not _WITH_COMMA.fullmatch(cell):
        raise FieldProblem("must have ASCII digits with at most one decimal comma, and nothing between thousands")
    return cell.replace(",", ".")


class CellCache(dict[str, Any]):
    """The values of the cells of a column, each read once. It is faster than a cache of a function.

    Args:
        read: reads a cell.
    """

    def __init__(self, read: Callable[[str], Any]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: str) -> Any:
        if len(self) >= _CACHED:
            self.clear()
        value = self[cell] = self._read(cell)
        return value


def read_amount(cell: str, *, currency: str | None, decimal_comma: bool) -> tuple[Money, str]:
    """Return the money of a cell, and its amount with a decimal point.

    Raises:
        FieldProblem: if it is not an amount, or the row has no currency.
    """
    if currency is None:
        raise FieldProblem("has an amount, but the row has no currency")
    amount = plain_amount(cell, decimal_comma)
    pattern = _whole_amount(currency)
    if pattern is not None and pattern.fullmatch(amount):
        return Money.from_exact(Decimal(amount), currency), amount
    return READERS["initial"]({"amount": amount, "currency": currency}), amount


def are_amounts(cells: Sequence[str], currency: str | None, *, decimal_comma: bool) -> bool:
    """Return whether `read_amount` certainly reads all of these cells. It takes a fraction of the time."""
    places = _places_of(currency)
    if places is None:
        return not cells
    return _amount_lines(places, decimal_comma).fullmatch("\n".join([*cells, ""])) is not None


@lru_cache(64)
def _places_of(currency: str | None) -> int | None:
    """Return how many decimals a currency has; None if that is not a currency."""
    try:
        exponent = None if currency is None else Money.zero(currency).amount.as_tuple().exponent
    except InvalidRequest:
        return None
    return -exponent if isinstance(exponent, int) else None


@lru_cache(64)
def _whole_amount(currency: str) -> re.Pattern[str] | None:
    """Return the pattern of amounts with all decimals of a currency; None if that is not a currency."""
    places = _places_of(currency)
    if places is None:
        return None
    decimals = rf"\.[0-9]{{{places}}}" if places else ""
    return re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}{decimals}", re.ASCII)


@lru_cache(64)
def _amount_lines(places: int, decimal_comma: bool) -> re.Pattern[str]:
    """Return the pattern of lines that have an amount each."""
    decimals = rf"(?:{',' if decimal_comma else '[.]'}[0-9]{{1,{places}}})?" if places else ""
    return re.compile(rf"(?:[0-9]{{1,{_MOST_DIGITS}}}{decimals}\n)*+", re.ASCII)


def _read_flag(cell: str) -> bool:
    if (flag := _FLAGS.get(cell.lower())) is None:  # a spreadsheet writes TRUE
        raise FieldProblem("must be true or false")
    return flag


def _flag_cell(flag: bool) -> str:
    return "true" if flag else "false"


def _read_validity(cell: str) -> Object:
    if (match := _VALIDITY.fullmatch(cell)) is None:
        raise FieldProblem("must be a number of days, weeks, months or years, such as 3 years")
    return {"value": int(match[1]), "interval": match[2]}


def _validity_cell(validity: Object) -> str:
    return f"{validity['value']} {validity['interval']}"


def _json_cell(value: Any) -> str:
    return escape_formula(encode(value).decode())


def _read_json(cell: str) -> Any:
    try:
        return decode(unescape_formula(cell).encode(), what="cell")
    except MalformedResponse as error:
        rule = error.message.removeprefix("the cell ")
    raise FieldProblem(rule)


READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "taxable": _read_flag,
    "deletable": _read_flag,
    "validity": _read_validity,
    "metadata": _read_json,
    "links": _read_json,
}
"""How a cell is read as the JSON value of its field, where it is not that text."""
WRITE: Final[Mapping[str, Callable[[Any], str]]] = {
    "taxable": _flag_cell,
    "deletable": _flag_cell,
    "validity": _validity_cell,
    "metadata": _json_cell,
    "links": _json_cell,
}
"""How the JSON value of a field is written as a cell, where it is not that text."""


def reader_of(name: str) -> Callable[[str], Any]:
    """Return the function that reads a cell of a column as the value of its field."""
    if name in FREE_TEXTS:
        return unescape_formula
    if name in _MEMBERS:
        return partial(_read_member, READERS[name], {member.value: member for member in _MEMBERS[name]})
    if name == "code":
        return _read_code
    if name == "id":
        return _read_id
    return partial(_read_cell, READ.get(name, unescape_formula), READERS[name])


def _read_code(cell: str) -> Any:
    return Code(cell) if "'" not in cell and not cell.startswith(MASKED) else READERS["code"](unescape_formula(cell))


def _read_id(cell: str) -> Any:
    return cell if "'" not in cell else READERS["id"](unescape_formula(cell))


def _read_member(check: Callable[[Any], Any], members: Mapping[str, Any], cell: str) -> Any:
    return members.get(cell) or check(unescape_formula(cell))


def _read_cell(read: Callable[[str], Any], check: Callable[[Any], Any], cell: str) -> Any:
    return check(read(cell))


def is_special(names: tuple[str | None, str | None]) -> bool:
    """Return whether an id or a code has an apostrophe, which may stand before a formula, or the code is masked."""
    id, code = names
    return (id is not None and "'" in id) or (code is not None and ("'" in code or code.startswith(MASKED)))


REPEATED: Final = frozenset({"status", "medium", "taxable", "deletable", "validity", *INSTANTS})
"""The fields whose values come again and again in one file."""
FREE_TEXTS: Final = frozenset({"account", "tax_rate", "sku", "batch", "order", "login", "origin"})
"""The fields whose cells are never wrong."""
_MEMBERS: Final[Mapping[str, type[Status] | type[Medium]]] = {"status": Status, "medium": Medium}
