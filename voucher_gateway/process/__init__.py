"""What belongs to one process: what a forked child renews, and the locks of log handlers."""
