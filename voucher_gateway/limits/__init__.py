"""What bounds a call: its deadline, the class of its work, and the limits that all processes share."""
