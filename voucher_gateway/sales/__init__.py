"""Selling vouchers: a sale prepares a voucher, makes it spendable after the payment, and revokes it if need be.

`Gateway.sale` opens a sale, `Gateway.sales` lists them, and `Gateway.recover` completes what was decided. The steps of
a sale are committed on the journal's own database.
"""
