"""Acme Gift Cards for voucher-gateway: a provider, and a simulator of the vendor."""
