"""The promises about levels themselves: a level is reached by doing what it is about, never by having nothing to do."""

from __future__ import annotations

from typing import Final

from voucher_gateway.conformance import Level
from voucher_gateway.testing.promise import Promise

REACHING: Final = (
    Promise(
        "L1",
        Level.SPEND,
        "A provider of the spend level changes something: at least one changing operation is declared native.",
        "Declare what the vendor can do, such as Operation.ISSUE or Operation.REDEEM with native(...), and override "
        "the method of that name. Start with one; its promises then say what else it needs. A vendor that can only be "
        "read stays at Level.READ.",
    ),
)
"""Every promise about levels."""
