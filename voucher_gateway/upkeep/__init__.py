"""The upkeep of a journal of years: removes, erases and archives old rows, and says how large the journal is."""
