"""Commands that need no vendor: the demonstration and the simulators."""
