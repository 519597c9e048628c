"""Checks that a plan belongs to a journal: made under its key, and as it was made."""

from __future__ import annotations

import hmac

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.migration.plan.plan_file import PlanSummary


def require_own_plan(keys: JournalKeys, plan: PlanSummary, *, begun: bool) -> None:
    """Check that a plan was made under a key of this journal, and was not changed since.

    Args:
        keys: the keys of the journal.
        plan: the plan.
        begun: whether the journal knows a run of the plan by its hash. Then a plan of an earlier version, which has no
            seal, is accepted.

    Raises:
        ConfigurationError: if it was made under another key, or its seal is wrong or missing.
    """
    key_id, check = plan.header.key_id, plan.header.key_check
    if key_id is None and begun:
        return
    if key_id is None:
        raise ConfigurationError(
            f"{plan.path}: the plan has no seal of the journal's key, and no run of it is known here; make a new one"
        )
    if key_id not in keys.keys or check is None or not hmac.compare_digest(keys.check_value(key_id), check):
        raise ConfigurationError(
            f"{plan.path}: the plan was made under another key of the journal, so its codes cannot be compared under"
            " this one; name the journal and the key file with which the plan was made"
        )
    if plan.seal is None or not hmac.compare_digest(keys.seal(plan.id, key_id), plan.seal):
        raise ConfigurationError(
            f"{plan.path}: the seal of the plan is wrong: the file was changed after it was made; make a new plan"
        )
