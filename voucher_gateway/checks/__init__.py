"""The guess guard: how many codes a caller, and all callers together, may try.

A voucher's code is money, and a shop front lets every visitor try codes. `check` looks a code up behind the guard.
`guard` counts, in the journal's database, so that all workers and machines share one count.
"""
