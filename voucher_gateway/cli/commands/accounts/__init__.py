"""Commands for accounts and providers."""
