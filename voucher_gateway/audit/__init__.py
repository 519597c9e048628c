"""Verifies that nobody changed the journal besides this library: see `voucher_gateway.audit.verify`."""
