"""Strict cattrs converters: nothing is coerced.

cattrs itself turns None into ``"None"``, ``"false"`` into True and 7.9 into 7. Here each type has one hook
that accepts exactly its JSON form. A field of any other type is refused when its class is first used.

========================================== ==========================================================
type in a wire class                       takes
========================================== ==========================================================
``str``, ``int``, ``bool``                 exactly this type; a bool is not an int
``Decimal``                                a number, with a point or without
``Annotated[Decimal, format]``             what the `AmountFormat` parses
``datetime``                               an RFC 3339 timestamp; becomes UTC
``Currency``                               an ISO 4217 code
``Code``, ``Pin``, ``Secret``              text, masked from here on
an ``Enum``                                a value of a member; others become UNKNOWN if there is one
``X | None``                               null, too
``list[X]``, a class of attrs              an array, an object; names that the class does not have are ignored
``Mapping[str, Any]``, ``Any``             any object, any value, unchanged
========================================== ==========================================================

When reading, a field without a default is required. A field with a default may be missing. Only ``X | None`` may be
null. When writing, a field that equals its default is left out. A field without a default is always written, also as
null. In classes that are only written, ``Annotated[Money, format]`` is an amount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NoReturn, get_args, get_origin

import attrs
import cattrs
from cattrs import override
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_unstructure_fn

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.instants import format_instant
from voucher_gateway.masking import Masked
from voucher_gateway.money import Money
from voucher_gateway.wire.amounts import AmountFormat, WireError
from voucher_gateway.wire.compiled_hooks import class_hook, inner_kind, is_nullable
from voucher_gateway.wire.scalars import Hook, scalar_hook


class StrictConverter(cattrs.Converter):
    """A cattrs converter that reads single values by `scalar_hook` alone.

    cattrs asks for the hook of a class and its bases first and only then its predicates, so that registering hooks
    is not enough: a StrEnum would be served as the str that it also is, and never checked.
    """

    def get_structure_hook(self, type: Any, cache_result: bool = True) -> Hook:
        """Return the hook of a type."""
        return scalar_hook(type) or super().get_structure_hook(type, cache_result)


def strict_converter(*, instants: Callable[[datetime], str] = format_instant) -> cattrs.Converter:
    """Return a converter for one vendor's wire classes, for `structure` and `unstructure`.

    Args:
        instants: writes a datetime the way the vendor wants it, e.g. `format_milliseconds`.
    """
    converter = StrictConverter(detailed_validation=False, omit_if_default=True)
    register = converter.register_structure_hook_factory
    register(_is_any, _refuse)  # the hook that is registered last is asked first
    register(_is_raw_object, _raw_object_hook)
    register(_is_list, _list_hook)
    register(is_nullable, _nullable_hook)
    register(_is_amount, _amount_hook)
    register(attrs.has, class_hook)
    register(_is_money, _refuse)  # a class of attrs, but not a vendor's object
    for kind in (bytes, float):  # cattrs has coercing hooks for them
        converter.register_structure_hook(kind, _refuse_value)

    converter.register_unstructure_hook(datetime, instants)
    converter.register_unstructure_hook(Masked, Masked.reveal)
    converter.register_unstructure_hook(Money, _refuse_money)
    converter.register_unstructure_hook_factory(_is_amount, _amount_writer)
    return converter


def configure(converter: cattrs.Converter, cls: type[Any], **overrides: Any) -> None:
    """Tell a converter how a wire class differs from the vendor's object, in cattrs' own overrides.

    Once for each class, when its module is imported::

        declare(converter, VoucherObject, **rename_to_camel(VoucherObject, id="_id"))

    Raises:
        ConfigurationError: if the class lacks a field that is named.
    """
    _require_fields(cls, overrides)

    def is_cls(kind: Any) -> bool:
        return kind is cls

    def structuring(kind: Any, of: cattrs.Converter) -> Callable[[Any, Any], Any]:
        return class_hook(kind, of, **overrides)

    def unstructuring(kind: Any, of: cattrs.Converter) -> Callable[[Any], dict[str, Any]]:
        return make_dict_unstructure_fn(attrs.resolve_types(kind), of, _cattrs_omit_if_default=True, **overrides)

    converter.register_structure_hook_factory(is_cls, structuring)
    converter.register_unstructure_hook_factory(is_cls, unstructuring)


def rename_to_camel(cls: type[Any], **vendor_names: str) -> dict[str, Any]:
    """Return overrides for `declare` that make each field camel case on the wire: valid_until is validUntil.

    Args:
        cls: the wire class.
        **vendor_names: the vendor's names of fields that are not plain camel case.

    Raises:
        ConfigurationError: if the class lacks a field that is named.
    """
    _require_fields(cls, vendor_names)
    return {
        field.name: override(rename=vendor_names.get(field.name) or _camel(field.name)) for field in attrs.fields(cls)
    }


def unstructure(converter: cattrs.Converter, body: object) -> Any:
    """Return an object of a wire class as JSON values for `encode`, amounts and instants spelled the vendor's way.

    Masked text is revealed: what comes out is for the wire and for nothing else.

    Raises:
        AmountPrecisionError: if an amount has more decimals than its format.
        AmountOutOfRange: if an amount is negative or too large for its format.
    """
    return converter.unstructure(body)


def _require_fields(cls: type[Any], names: Iterable[str]) -> None:
    unknown = set(names) - {field.name for field in attrs.fields(cls)}
    if unknown:
        raise ConfigurationError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _refuse(kind: Any) -> NoReturn:
    raise ConfigurationError(
        f"a wire class has a field of type {kind}: use a type that is listed in the table of this module"
    )


def _refuse_value(_: Any, kind: Any) -> NoReturn:
    _refuse(kind)


def _is_any(_: Any) -> bool:
    return True


def _is_money(kind: Any) -> bool:
    return kind is Money


def _refuse_money(_: Money) -> NoReturn:
    raise ConfigurationError("a wire class has Money without a format: use Annotated[Money, format]")


def _is_raw_object(kind: Any) -> bool:
    return get_origin(kind) in (Mapping, dict) and get_args(kind) == (str, Any)


def _raw_object_hook(_: Any) -> Hook:
    def hook(value: Any, _: Any) -> Mapping[str, Any]:
        if type(value) is dict:
            return value
        raise WireError("expected an object")

    return hook


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _list_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    structured = list_structure_factory(kind, converter)

    def hook(value: Any, _: Any) -> Any:
        if type(value) is list:
            return structured(value, kind)
        raise WireError("expected an array")

    return hook


def _nullable_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    inner = inner_kind(kind)
    inner_hook = converter.get_structure_hook(inner)

    def hook(value: Any, _: Any) -> Any:
        return None if value is None else inner_hook(value, inner)

    return hook


def _is_amount(kind: Any) -> bool:
    return get_origin(kind) is Annotated and any(isinstance(note, AmountFormat) for note in kind.__metadata__)


def _format_of(kind: Any) -> AmountFormat:
    [amount_format] = (note for note in kind.__metadata__ if isinstance(note, AmountFormat))
    return amount_format


def _amount_writer(kind: Any) -> Callable[[Money], Any]:
    return _format_of(kind).write


def _amount_hook(kind: Any) -> Hook:
    if kind.__origin__ is not Decimal:
        _refuse(kind)  # the currency of a Money is not in the amount
    parse = _format_of(kind).parse

    def hook(value: Any, _: Any) -> Any:
        return parse(value)

    return hook
