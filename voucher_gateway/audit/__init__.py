"""Verifies that nothing but this library changed the journal: see `voucher_gateway.audit.verify`."""
