"""The rules that a vendor has, as data of its capabilities."""
