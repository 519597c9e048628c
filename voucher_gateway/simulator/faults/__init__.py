"""Faults that a test injects: what a fault is, the table of all faults, and the queue of injected ones."""
