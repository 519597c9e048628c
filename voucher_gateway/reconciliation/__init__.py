"""Compares the journal with the records of the vendors."""
