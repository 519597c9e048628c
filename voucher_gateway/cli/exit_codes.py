"""The exit codes of the command line."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
DECLINED: Final = 1
"""Declined or unsupported."""
WRONG: Final = 2
"""Wrong usage, request, configuration, access or reference."""
NOT_DONE: Final = 3
"""Surely not executed, or in progress: try again."""
UNKNOWN: Final = 4
"""Outcome unknown, or changed by another party at the same time."""
DIFFERENT: Final = 5
"""Differences were found."""
UNREADABLE: Final = 6
"""The vendor's answer to a read is outside of its contract."""
OUR_BUG: Final = 70
INTERRUPTED: Final = 130
