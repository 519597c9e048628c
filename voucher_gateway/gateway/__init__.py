"""The gateway over all accounts."""
