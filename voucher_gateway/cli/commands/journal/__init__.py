"""Commands for the journal: its operations, what is in doubt, its events, its upkeep and its audit."""
