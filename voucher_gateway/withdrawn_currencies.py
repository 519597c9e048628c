"""The currencies that ISO 4217 has withdrawn, with the number of decimals that they had last.

A table of active currencies changes every year. A voucher in a currency that left it still has its value, and must be
read, listed, reported and moved. The table has the currencies that were withdrawn since 1999.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TWO_DECIMALS: Final = (
    "AFA ANG ATS AZM BGL BGN CSD CUC CYP DEM EEK FIM GHC HRK IEP LTL LVL MRO MTL MZM NLG ROL RUR SDD SIT SKK SLL SRG"
    " STD TMM VEB VEF XEU YUM ZMK ZWD ZWL ZWN ZWR"
)
_NO_DECIMALS: Final = "ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE TPE TRL"

WITHDRAWN: Final[Mapping[str, int]] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
}
"""The last number of decimals of each withdrawn currency."""
