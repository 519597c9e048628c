"""A simulator's records as JSON values and back, for its state file and for older pictures of its ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, TypeVar

from cattrs.preconf.json import make_converter

T = TypeVar("T")

# Plain errors instead of groups of them: the kit says of a state file only that it is none of this simulator's.
_CONVERTER: Final = make_converter(detailed_validation=False)
_CONVERTER.register_unstructure_hook(Decimal, str)
_CONVERTER.register_structure_hook(Decimal, lambda text, _: Decimal(text))


def to_records(value: object) -> Any:
    """Return attrs objects, and lists and dicts of them, as fresh JSON values: instants and Decimals as text."""
    return _CONVERTER.unstructure(value)


def from_records(kind: type[T], value: Any) -> T:
    """Return what `to_records` wrote, such as a ``list[StoredVoucher]``, by the annotations of its classes.

    Raises:
        LookupError, TypeError, ValueError: for anything else.
    """
    return _CONVERTER.structure(value, kind)
