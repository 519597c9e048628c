"""What an operations team sees of each call: one log line, a span and metrics."""
