"""The journal of operations: what was about to be sent, what came of it, and under which names."""
