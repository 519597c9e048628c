"""Which operations, payments and sales are over, so that their rows may be removed.

A row stays while anything may still happen with it: an outcome that is not known, a reservation that may hold value, a
request that may still arrive and overwrite a value, a payment or a sale of the order that is not over, or a migration
that may go on. Then age does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.instants import format_micros
from voucher_gateway.journal.holds import UNDECIDED_EFFECTS
from voucher_gateway.journal.moves import move_reference
from voucher_gateway.journal.queries import OVERWRITE
from voucher_gateway.journal.records import OperationState
from voucher_gateway.journal.rows import UNRESOLVED_STATES
from voucher_gateway.journal.schema import IS_ACTIVE_HOLD, holds, operations, requests
from voucher_gateway.journal.search import first_id_at
from voucher_gateway.payments.rows.schema import legs, payments
from voucher_gateway.payments.rows.schema import refunds as payment_refunds
from voucher_gateway.payments.rows.states import LegState, OtherState, PaymentState, RefundState
from voucher_gateway.sales.records import SaleState
from voucher_gateway.sales.schema import sales
from voucher_gateway.storage.statements import without_index

FINISHED: Final = (OperationState.SUCCEEDED, OperationState.DECLINED, OperationState.NOT_EXECUTED)
"""The states of operations that nothing changes any more, unless the same reference comes again."""

_HOLD_MARGIN: Final = timedelta(days=1)
"""How far the clock of a vendor may be from ours."""
_MOVING_LEGS: Final = (LegState.HOLDING, LegState.HELD, LegState.CAPTURING, LegState.RELEASING, LegState.RETURNING)
_MOVING_OTHER: Final = (
    OtherState.AUTHORIZING,
    OtherState.AUTHORIZED,
    OtherState.CAPTURING,
    OtherState.VOIDING,
    OtherState.RETURNING,
)
# The tables of migrations, as far as they are needed here: the package of migrations is above this one.
_plans: Final = sa.table(
    "voucher_gateway_migration_plans", sa.column("id"), sa.column("state"), sa.column("updated_at")
)
_plan_vouchers: Final = sa.table("voucher_gateway_migration_vouchers", sa.column("plan_id"), sa.column("state"))
_UNFINISHED_PLANS: Final = ("running", "paused")
_UNFINISHED_MOVES: Final = ("planned", "working", "in-doubt")


@attrs.frozen(kw_only=True)
class Scope:
    """Which rows are asked for.

    Attributes:
        at: the present moment.
        before: only rows that changed last before this moment; None for any age.
        tables: the names of the tables that the database has.
        unfinished_plans: how the references of the migrations begin that may still go on.
    """

    at: datetime
    before: datetime | None
    tables: frozenset[str]
    unfinished_plans: tuple[str, ...] = ()

    @classmethod
    def read(cls, connection: Connection, *, at: datetime, before: datetime | None) -> Scope:
        """Return a scope for the database of a connection."""
        tables = frozenset(sa.inspect(connection).get_table_names())
        plans = tuple(_iterate_open_plans(connection, before or at)) if _plans.name in tables else ()
        return cls(at=at, before=before, tables=tables, unfinished_plans=plans)

    @property
    def has_payments(self) -> bool:
        """Whether the database has the tables of payments."""
        return payments.name in self.tables

    @property
    def has_sales(self) -> bool:
        """Whether the database has the table of sales."""
        return sales.name in self.tables


def _iterate_open_plans(connection: Connection, before: datetime) -> Iterator[str]:
    waiting = sa.select(_plan_vouchers.c.plan_id).where(
        _plan_vouchers.c.plan_id == _plans.c.id, _plan_vouchers.c.state.in_(_UNFINISHED_MOVES)
    )
    query = sa.select(_plans.c.id).where(
        _plans.c.state.in_(_UNFINISHED_PLANS) | (_plans.c.updated_at >= format_micros(before)) | sa.exists(waiting)
    )
    for plan_id in connection.scalars(query):
        yield move_reference(plan_id, "")


def conditions_of_end(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that an operation is over, whatever its order."""
    undecided = requests.c.effect.is_(None) | requests.c.effect.in_(UNDECIDED_EFFECTS)
    overwrite = sa.select(requests.c.id).where(
        requests.c.operation_id == operations.c.id, requests.c.step == OVERWRITE, undecided
    )
    may_hold = holds.c.expires_at.is_(None) | (holds.c.expires_at > format_micros(scope.at - _HOLD_MARGIN))
    hold = sa.select(holds.c.operation_id).where(holds.c.operation_id == operations.c.id, IS_ACTIVE_HOLD, may_hold)
    conditions: list[sa.ColumnElement[bool]] = [
        without_index(operations.c.state).in_([state.value for state in FINISHED]),
        ~sa.exists(overwrite),
        ~sa.exists(hold),
    ]
    conditions += [~operations.c.reference.startswith(prefix, autoescape=True) for prefix in scope.unfinished_plans]
    if scope.before is not None:
        conditions.append(operations.c.id < first_id_at(scope.before))
        conditions.append(operations.c.updated_at < format_micros(scope.before))
    return conditions


def removable_operations(scope: Scope, *, with_order: bool = False) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that an operation may be removed.

    Args:
        scope: which rows are asked for.
        with_order: whether the payments and sales of its order are removed with it, if they are over. Otherwise they
            must be gone.
    """
    conditions = conditions_of_end(scope)
    if scope.has_payments:
        of_order = sa.select(payments.c.id).where(payments.c.order_number == operations.c.order_number)
        conditions.append(~sa.exists(of_order.where(~_payment_is_over(scope, payments)) if with_order else of_order))
    if scope.has_sales:
        of_order = sa.select(sales.c.id).where(sales.c.order_number == operations.c.order_number)
        conditions.append(~sa.exists(of_order.where(~_sale_is_over(scope)) if with_order else of_order))
    return conditions


def removable_payments(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a payment may be removed: all payments of its order are over."""
    others = payments.alias("others")
    not_over = sa.select(others.c.id).where(
        others.c.order_number == payments.c.order_number, ~_payment_is_over(scope, others)
    )
    return [_payment_is_over(scope, payments), ~sa.exists(not_over)]


def removable_sales(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a sale may be removed."""
    return [_sale_is_over(scope)]


def _payment_is_over(scope: Scope, table: Any) -> sa.ColumnElement[bool]:
    moving_leg = sa.select(legs.c.number).where(
        legs.c.payment_id == table.c.id, legs.c.state.in_([state.value for state in _MOVING_LEGS])
    )
    open_refund = sa.select(payment_refunds.c.number).where(
        payment_refunds.c.payment_id == table.c.id, payment_refunds.c.state == RefundState.OPEN.value
    )
    conditions = [
        table.c.state.in_([PaymentState.CAPTURED.value, PaymentState.CANCELLED.value]),
        table.c.attention.is_(None),
        table.c.other_state.not_in([state.value for state in _MOVING_OTHER]),
        ~sa.exists(moving_leg),
        ~sa.exists(open_refund),
        ~_has_unresolved(table.c.order_number),
    ]
    if scope.before is not None:
        conditions.append(table.c.updated_at < format_micros(scope.before))
    return sa.and_(*conditions)


def _sale_is_over(scope: Scope) -> sa.ColumnElement[bool]:
    conditions = [
        sales.c.state.in_([SaleState.DELIVERED.value, SaleState.REVOKED.value]),
        sales.c.attention.is_(None),
        sales.c.watch_until.is_(None),
        ~_has_unresolved(sales.c.order_number),
    ]
    if scope.before is not None:
        conditions.append(sales.c.updated_at < format_micros(scope.before))
    return sa.and_(*conditions)


def _has_unresolved(order_number: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    of_order = operations.alias("of_order")
    unresolved: Sequence[str] = UNRESOLVED_STATES
    return sa.exists(
        sa.select(of_order.c.id).where(of_order.c.order_number == order_number, of_order.c.state.in_(unresolved))
    )
