"""Stages: one configuration for the tests, the sandbox and the shop, with what differs under ``[stages.NAME]``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from voucher_gateway.config.provider_settings import ConfigProblems, did_you_mean, toml_type_name

STAGE_VARIABLE: Final = "VOUCHER_GATEWAY_STAGE"
"""The environment variable that names the stage."""

_SOURCES: Final = ("env", "file")


def apply_stage(table: Mapping[str, Any], stage: str | None, problems: ConfigProblems) -> dict[str, Any]:
    """Return a configuration as it is in a stage, without the table of stages.

    A key of the stage replaces the same key outside of it. Tables are merged key by key, but a table that names an
    environment variable or a file is one value.

    Args:
        table: the whole configuration.
        stage: the name of the stage; None for the one that the environment names in `STAGE_VARIABLE`, if any.
        problems: receives what is wrong.
    """
    common = {key: value for key, value in table.items() if key != "stages"}
    stages = table.get("stages", {})
    if not isinstance(stages, Mapping):
        problems.add(("stages",), f"must be a table of stages by name, not {toml_type_name(stages)}")
        return common
    name = stage or os.environ.get(STAGE_VARIABLE)
    if not name:
        return common
    if name not in stages:
        known = ", ".join(map(str, stages)) or "none"
        problems.add(("stages",), f"has no stage {name!r:.40}{did_you_mean(name, stages)}; it has: {known}")
        return common
    changes = stages[name]
    if not isinstance(changes, Mapping):
        problems.add(("stages", name), f"must be a table, not {toml_type_name(changes)}")
        return common
    if "stages" in changes:
        problems.add(("stages", name, "stages"), "must not stand in a stage")
    return _merge(common, changes)


def _merge(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(table)
    for key, value in changes.items():
        present = merged.get(key)
        merged[key] = _merge(present, value) if _is_table(present) and _is_table(value) else value
    return merged


def _is_table(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a table of keys, and not a value that stands in a variable or a file."""
    return isinstance(value, Mapping) and not any(isinstance(value.get(source), str) for source in _SOURCES)
