"""A new provider's distribution, written from templates: adapter, simulator skeleton, contract test, README."""
