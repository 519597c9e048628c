"""A shop with Django. `checkout.py` is what to read."""
