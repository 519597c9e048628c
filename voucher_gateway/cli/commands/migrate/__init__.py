"""Commands that move the vouchers of one account to another."""
