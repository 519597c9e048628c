"""A new provider's distribution, written from templates: adapter, simulator skeleton, contract test, README."""

from __future__ import annotations

from .naming import Naming
from .writing import write_project

__all__ = ["Naming", "write_project"]
