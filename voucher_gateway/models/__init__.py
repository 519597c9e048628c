"""The domain: vouchers and what happens to them, in no vendor's words.

All classes are frozen. ``raw`` holds the vendor's own object, so that nothing the vendor sent is lost; it takes no
part in ``repr``, equality and hash. Amounts are positive; the direction is in the type.
"""
