"""A shop with FastAPI. `shop.py` is what to read."""
