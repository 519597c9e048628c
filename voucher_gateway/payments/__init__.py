"""The payment of an order by several vouchers and another means, such as a card.

A payment has legs, one for each voucher. It is authorized, captured, cancelled and refunded as a whole. Its state is in
tables on the journal's own database, and each step is committed by itself, so that any process can resume it.
"""
