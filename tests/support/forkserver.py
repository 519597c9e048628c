"""New processes that start fast: each is forked from a process of one thread that has imported everything."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Final

# What every process would otherwise import when it opens its journal or sends its first request.
_IMPORTED_LATE: Final = (
    "voucher_gateway.migration.run.runner",
    "voucher_gateway_jtl.provider",
    "voucher_gateway_ticketing.provider",
    "sqlite3",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
    "encodings.idna",
)


def forkserver() -> ForkServerContext:
    """Return the context that makes processes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.simulators", *_IMPORTED_LATE])
    root = str(Path(__file__).parents[2])
    if root not in sys.path:
        sys.path.append(root)  # the new processes import the tests' modules from it
    return context
