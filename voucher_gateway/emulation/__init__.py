"""Operations that a vendor lacks, made out of those that it has; written once, for all providers.

========================  ====================================  ====================================================
emulation                 made of                               what can go wrong
========================  ====================================  ====================================================
redeem-by-capture         reserve, capture                      nothing: what a crash leaves reserved lapses by itself
release-by-expiry         nothing: the reservation lapses       nothing: the answer says when the value is free
reserve-by-redeem         redeem; refund on release             see `RISKS`: must be accepted
redeem-by-update          read_value, write_value, read_value   see `RISKS`: must be accepted
refund-by-update          the same                              see `RISKS`: must be accepted
top-up-by-update          the same                              see `RISKS`: must be accepted
refund-by-top-up          top_up, native or emulated, there     nothing: the journal keeps refunds within what was
                          where a moved voucher is now          redeemed; see `voucher_gateway.gateway.moved_refunds`
========================  ====================================  ====================================================
"""

from voucher_gateway.emulation.by_capture import (
    capture_already_redeemed,
    issue,
    redeem_by_capture,
    release_already_redeemed,
    release_by_expiry,
    reserve_by_redeem,
)
from voucher_gateway.emulation.by_top_up import refund_by_top_up
from voucher_gateway.emulation.by_update import redeem_by_update, refund_by_update, top_up_by_update
from voucher_gateway.emulation.registry import unsupported_error, with_emulations
from voucher_gateway.emulation.steps import KeyedLocks, StepRunner

__all__ = [
    "KeyedLocks",
    "StepRunner",
    "capture_already_redeemed",
    "issue",
    "redeem_by_capture",
    "redeem_by_update",
    "refund_by_top_up",
    "refund_by_update",
    "release_already_redeemed",
    "release_by_expiry",
    "reserve_by_redeem",
    "top_up_by_update",
    "unsupported_error",
    "with_emulations",
]
