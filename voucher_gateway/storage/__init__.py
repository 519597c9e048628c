"""The database under the journal, and under all else that is stored: vouchers of our own, moves, snapshots."""
