"""Commands for orders: payments with vouchers, and sales of vouchers."""
