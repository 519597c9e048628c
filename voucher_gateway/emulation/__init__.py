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
