"""HTTP with a vendor: the only place that imports requests."""
