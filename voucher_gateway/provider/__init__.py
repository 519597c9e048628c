"""The one interface to every vendor, which each provider implements."""
