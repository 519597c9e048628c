"""What belongs to one process: what a forked child renews, its loggers, and the locks of log handlers."""
