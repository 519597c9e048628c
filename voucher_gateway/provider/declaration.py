"""The versions of the interface, and the check that a provider's class overrides what it declares."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.capabilities import Operation, RepeatSafety, Support
from voucher_gateway.errors import ConfigurationError

INTERFACE: Final = 1
"""The version of this interface. A provider declares the one that it was built for."""

OLDEST_INTERFACE: Final = 1
"""The oldest version for which a provider may be built. A version is accepted for one release after it was replaced."""

_ALWAYS: Final = frozenset({Operation.FIND, Operation.GET})


def check_declaration(cls: type[Any], base: type[Any]) -> None:
    """Refuse a class whose declaration and methods differ, when it is defined.

    Args:
        cls: the provider's class, derived from `base`.
        base: `VoucherProvider`, whose methods the class overrides.

    Raises:
        ConfigurationError: names each difference.
    """
    wrong = []
    for operation in Operation:
        overridden = getattr(cls, operation.value) is not getattr(base, operation.value)
        claimed = cls.declared.of(operation).support is Support.NATIVE
        if operation in _ALWAYS:
            if not claimed:
                wrong.append(f"{operation.value} must be declared native")
        elif claimed and not overridden and operation is not Operation.BALANCE:  # which calls find
            wrong.append(f"{operation.value} is declared native but not overridden")
        elif overridden and not claimed:
            wrong.append(f"{operation.value} is overridden but not declared native")
    for name, claimed in (
        ("read_value", cls.declared.can_overwrite_value),
        ("write_value", cls.declared.can_overwrite_value),
        ("resolve", bool(cls.declared.resolvable)),
    ):
        overridden = getattr(cls, name) is not getattr(base, name)
        declaration = "resolvable" if name == "resolve" else "can_overwrite_value"
        if claimed and not overridden:
            wrong.append(f"{declaration} is declared but {name} is not overridden")
        elif overridden and not claimed:
            wrong.append(f"{name} is overridden but {declaration} is not declared")
    keyed = [name.value for name, how in cls.declared.operations.items() if how.repeat is RepeatSafety.VENDOR_KEY]
    if keyed and cls.declared.keys is None:
        wrong.append(f"{keyed[0]} is declared to have a vendor key but keys=KeyRules(...) is missing")
    if cls.declared.can_issue_inactive and "active" not in cls.declared.stored_fields:
        wrong.append("can_issue_inactive is declared but stored_fields does not name active")
    if wrong:
        raise ConfigurationError(f"provider {cls.__name__}: " + "; ".join(wrong))
