"""The hook of a class of attrs, written out field by field."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from voucher_gateway.wire.amounts import WireError
from voucher_gateway.wire.scalars import Hook

_OBJECT_EXPECTED: Final = "expected an object"
_AS_IT_IS: Final = (str, int, bool)
"""Types whose hook returns a value of exactly that class unchanged, so that it need not be called."""


def class_hook(cls: type[Any], converter: cattrs.Converter, **overrides: Any) -> Hook:
    """Return the hook that structures a JSON object as a class of attrs.

    Args:
        cls: the class.
        converter: whose hooks are to be used for the fields.
        **overrides: for each field that needs one, cattrs' ``override(...)``.
    """
    attrs.resolve_types(get_origin(cls) or cls)
    # cattrs gathers the fields with a default in a dict and hands them over as keywords. Nearly all fields of a
    # voucher have one, and a page takes a sixth longer for it. It does name the wrong fields, though.
    if converter.detailed_validation or not _is_plain(cls, overrides):
        hook = _by_cattrs(cls, converter, overrides)
    else:
        hook = _compile_hook(cls, converter, overrides)
    hook.overrides = overrides  # type: ignore[attr-defined]  # where cattrs' own hooks keep them, too
    return hook


def is_nullable(kind: Any) -> bool:
    """Whether a type is ``X | None``."""
    return get_origin(kind) in (Union, UnionType) and len(get_args(kind)) == 2 and NoneType in get_args(kind)


def inner_kind(kind: Any) -> Any:
    """Return the X of ``X | None``."""
    [inner] = [part for part in get_args(kind) if part is not NoneType]
    return inner


def _by_cattrs(cls: type[Any], converter: cattrs.Converter, overrides: Mapping[str, Any]) -> Hook:
    structured = make_dict_structure_fn(cls, converter, **overrides)

    def hook(value: Any, _: Any) -> Any:
        # Unchecked, a text or an array would do as an object all of whose fields may be missing.
        if type(value) is dict:
            return structured(value, cls)
        raise WireError(_OBJECT_EXPECTED)

    return hook


def _is_plain(cls: type[Any], overrides: Mapping[str, Any]) -> bool:
    """Whether each field must be there or is ``X | None = None``, and the constructor only assigns them."""
    return (
        get_origin(cls) is None
        and not any(override.omit or override.struct_hook for override in overrides.values())
        and all(map(_is_plain_field, attrs.fields(cls)))
        and getattr(cls, "__setattr__", None) is object.__setattr__  # else frozen, or with checks on assignment
        and not any(hasattr(cls, name) for name in ("__attrs_pre_init__", "__attrs_post_init__", "__attrs_init__"))
    )


def _is_plain_field(field: attrs.Attribute[Any]) -> bool:
    absent_is_none = field.default is None and is_nullable(field.type)
    required = field.default is attrs.NOTHING
    return field.init and (required or absent_is_none) and field.converter is None and field.validator is None


def _compile_hook(cls: type[Any], converter: cattrs.Converter, overrides: Mapping[str, Any]) -> Hook:
    """Write and compile the function that a careful person would: read, check and assign, field by field."""
    scope: dict[str, Any] = {"cls": cls, "new": cls.__new__, "WireError": WireError}
    lines = [
        f"if value.__class__ is not dict: raise WireError({_OBJECT_EXPECTED!r})",
        "get = value.get",
        # The constructor of such a class would do nothing more, and take a tenth of the time of a page.
        "made = new(cls)",
    ]
    for number, field in enumerate(attrs.fields(cls)):
        name = (overrides[field.name].rename if field.name in overrides else None) or field.name
        nullable = is_nullable(field.type)
        kind = inner_kind(field.type) if nullable else field.type
        scope[f"hook{number}"], scope[f"kind{number}"] = converter.get_structure_hook(kind), kind

        doubts = ["v is not None"] if nullable else []
        if kind in _AS_IT_IS:
            doubts.append(f"v.__class__ is not {kind.__name__}")
        lines += [
            f"v = value[{name!r}]" if field.default is attrs.NOTHING else f"v = get({name!r})",
            f"if {' and '.join(doubts) or True}: v = hook{number}(v, kind{number})",
            f"made.{field.name} = v",
        ]
    source = "\n ".join(["def hook(value, _):", *lines, "return made"])
    # Made of our own names and those that a wire class declares, as attrs and cattrs do it; no reply comes near it.
    exec(compile(source, f"<hook of {cls.__qualname__}>", "exec"), scope)  # noqa: S102 - see above
    hook: Hook = scope["hook"]
    return hook
