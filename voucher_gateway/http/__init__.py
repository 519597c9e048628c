"""HTTP requests to vendors: the only package that imports requests."""
