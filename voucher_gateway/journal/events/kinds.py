"""The kinds of events."""

from __future__ import annotations

import enum


class EventKind(enum.StrEnum):
    """What happened.

    Attributes:
        OPERATION_STARTED: an attempt at an operation begins. Its first request is recorded and about to be sent.
        OPERATION_SUCCEEDED: the vendor executed the operation.
        OPERATION_DECLINED: the vendor refused it, and nothing changed.
        OPERATION_NOT_EXECUTED: it was not carried out, and nothing changed.
        OPERATION_UNKNOWN: it may have been carried out. The event comes again after each look-up without a result.
        OPERATION_PENDING: the vendor has accepted it, and will complete or cancel it later.
        OPERATION_DECIDED: a person decided what became of it, or corrected an earlier decision.
        PAYMENT_OPENED: the payment of an order begins.
        PAYMENT_REOPENED: its authorization was given up, and it can be changed again.
        PAYMENT_CHANGED: its vouchers, amounts or holds changed, and its state did not.
        PAYMENT_AUTHORIZED: every part of it stands, and nothing is taken.
        PAYMENT_CAPTURING: it is decided to take the money.
        PAYMENT_CAPTURED: everything is taken.
        PAYMENT_SHORT: a part of it is lost.
        PAYMENT_CANCELLING: it is decided to give everything back.
        PAYMENT_CANCELLED: everything is given back.
        PAYMENT_REFUNDED: a refund of it is done.
        SALE_OPENED: a voucher is about to be issued for an order.
        SALE_PREPARED: its voucher is issued and cannot be spent yet.
        SALE_FULFILLING: it is decided to make the voucher spendable.
        SALE_FULFILLED: the voucher can be spent.
        SALE_DELIVERED: the buyer has its code.
        SALE_REVOKING: it is decided to stop the voucher.
        SALE_REVOKED: the voucher cannot be spent any more.
        SALE_RESTORED: a revoked sale is opened again.
        SALE_CHANGED: the sale's row changed, and its state did not.
        JOURNAL_RESTORED: the journal was restored from a backup.
        JOURNAL_PRUNED: old entries were removed.
        JOURNAL_FORGOTTEN: personal data of an order were erased.
        JOURNAL_UPGRADED: the tables were upgraded.
        ACCOUNT_RENAMED: the operations of an account belong to another name now.
        ACCOUNT_PAUSED: calls of an account are refused until it is resumed.
        ACCOUNT_RESUMED: calls of an account are sent again.
    """

    OPERATION_STARTED = "operation.started"
    OPERATION_SUCCEEDED = "operation.succeeded"
    OPERATION_DECLINED = "operation.declined"
    OPERATION_NOT_EXECUTED = "operation.not_executed"
    OPERATION_UNKNOWN = "operation.unknown"
    OPERATION_PENDING = "operation.pending"
    OPERATION_DECIDED = "operation.decided"
    PAYMENT_OPENED = "payment.opened"
    PAYMENT_REOPENED = "payment.reopened"
    PAYMENT_CHANGED = "payment.changed"
    PAYMENT_AUTHORIZED = "payment.authorized"
    PAYMENT_CAPTURING = "payment.capturing"
    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_SHORT = "payment.short"
    PAYMENT_CANCELLING = "payment.cancelling"
    PAYMENT_CANCELLED = "payment.cancelled"
    PAYMENT_REFUNDED = "payment.refunded"
    SALE_OPENED = "sale.opened"
    SALE_PREPARED = "sale.prepared"
    SALE_FULFILLING = "sale.fulfilling"
    SALE_FULFILLED = "sale.fulfilled"
    SALE_DELIVERED = "sale.delivered"
    SALE_REVOKING = "sale.revoking"
    SALE_REVOKED = "sale.revoked"
    SALE_RESTORED = "sale.restored"
    SALE_CHANGED = "sale.changed"
    JOURNAL_RESTORED = "journal.restored"
    JOURNAL_PRUNED = "journal.pruned"
    JOURNAL_FORGOTTEN = "journal.forgotten"
    JOURNAL_UPGRADED = "journal.upgraded"
    ACCOUNT_RENAMED = "account.renamed"
    ACCOUNT_PAUSED = "account.paused"
    ACCOUNT_RESUMED = "account.resumed"
