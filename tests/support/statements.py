"""SQL that is compiled once a process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

_STATEMENTS: Final = 5000


@contextmanager
def shared_compilations() -> Iterator[None]:
    """Let all engines of a kind of database share the SQL that SQLAlchemy has made of statements.

    SQLAlchemy keeps it for each engine, by the dialect object. Nearly every test opens a database, and would take an
    eighth of its CPU to compile the same statements again.
    """
    create = sa.create_engine
    compiled: dict[type, LRUCache[Any, Any]] = defaultdict(lambda: LRUCache(_STATEMENTS))

    def create_with_shared_statements(*arguments: Any, **options: Any) -> sa.Engine:
        engine = create(*arguments, **options)
        engine._compiled_cache = compiled[type(engine.dialect)]
        return engine

    def is_of_same_kind(dialect: object, other: object) -> bool:
        return type(dialect) is type(other)

    def hash_of_kind(dialect: object) -> int:
        return hash(type(dialect))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sa, "create_engine", create_with_shared_statements)
        patch.setattr(DefaultDialect, "__eq__", is_of_same_kind)
        patch.setattr(DefaultDialect, "__hash__", hash_of_kind)
        yield
