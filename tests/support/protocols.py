"""Members of protocol classes, found out once a process."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import pytest

_REMEMBERED_BY_PYTHON: Final = sys.version_info >= (3, 12)


@contextmanager
def remembered_protocols() -> Iterator[None]:
    """Remember the members of each protocol class, as Python does from 3.12 on.

    Python 3.11 finds them out at each `isinstance`. requests asks that for each setting of a request, and openapi-core
    for each part of a document: a twentieth of the CPU of the tests of the providers.
    """
    if _REMEMBERED_BY_PYTHON:
        yield
        return
    members: Any = typing.__dict__["_get_protocol_attrs"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typing, "_get_protocol_attrs", cache(members))
        yield
