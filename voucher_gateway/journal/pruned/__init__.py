"""What stays of operations whose rows were removed: their references, accounts and names."""
