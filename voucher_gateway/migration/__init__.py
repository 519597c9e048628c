"""Moving an estate of vouchers from one account to another: plan, run, verify, roll back.

Everything goes through the interface that all providers have, so that any pair of accounts will do. The names here are
loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voucher_gateway.migration.plan.losses import LOSSES
    from voucher_gateway.migration.plan.make import make_plan
    from voucher_gateway.migration.plan.model import Action, Destination, End, Kind, PlanHeader, PlannedVoucher, Step
    from voucher_gateway.migration.plan.plan_file import (
        PlanSummary,
        plan_id,
        read_header,
        read_summary,
        read_totals,
        read_vouchers,
    )
    from voucher_gateway.migration.plan.policy import Policy, Recode, Retire, load_policy
    from voucher_gateway.migration.plan.risks import RISKS, find_unaccepted_risks
    from voucher_gateway.migration.plan.totals import Tally, Totals
    from voucher_gateway.migration.run.progress import Progress, RunReport
    from voucher_gateway.migration.run.rollback import RollbackReport, rollback_plan
    from voucher_gateway.migration.run.rows import PlanState, ReportedVoucher, RowState
    from voucher_gateway.migration.run.runner import pause_plan, run_plan
    from voucher_gateway.migration.run.state import ids_of_moved_vouchers
    from voucher_gateway.migration.run.status import MigrationStatus, status_of
    from voucher_gateway.migration.verify.checks import Difference, DifferenceKind
    from voucher_gateway.migration.verify.verify import Total, Verification, verify_plan

__all__ = [
    "LOSSES",
    "RISKS",
    "Action",
    "Destination",
    "Difference",
    "DifferenceKind",
    "End",
    "Kind",
    "MigrationStatus",
    "PlanHeader",
    "PlanState",
    "PlanSummary",
    "PlannedVoucher",
    "Policy",
    "Progress",
    "Recode",
    "ReportedVoucher",
    "Retire",
    "RollbackReport",
    "RowState",
    "RunReport",
    "Step",
    "Tally",
    "Total",
    "Totals",
    "Verification",
    "find_unaccepted_risks",
    "ids_of_moved_vouchers",
    "load_policy",
    "make_plan",
    "pause_plan",
    "plan_id",
    "read_header",
    "read_summary",
    "read_totals",
    "read_vouchers",
    "rollback_plan",
    "run_plan",
    "status_of",
    "verify_plan",
]

_HOMES = {
    "losses": ["LOSSES"],
    "plan": ["Action", "Destination", "End", "Kind", "PlanHeader", "PlannedVoucher", "Step"],
    "plan_file": ["PlanSummary", "plan_id", "read_header", "read_summary", "read_totals", "read_vouchers"],
    "planning": ["make_plan"],
    "policy": ["Policy", "Recode", "Retire", "load_policy"],
    "judging": ["Difference", "Wrong"],
    "progress": ["Progress", "RunReport"],
    "records": ["Noted", "PlanState", "RowState"],
    "risks": ["RISKS", "unaccepted"],
    "rollback": ["RollbackReport", "rollback_plan"],
    "running": ["pause_plan", "run_plan"],
    "state": ["moved_ids"],
    "status": ["MigrationStatus", "status_of"],
    "totals": ["Tally", "Totals"],
    "verifying": ["Total", "Verification", "verify_plan"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
