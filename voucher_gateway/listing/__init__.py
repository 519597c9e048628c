"""Lazy listing: a vendor's pages as one iterator, fetched ahead, without doubles, honest about what moved.

Vendors page by number or offset, so a list that changes while it is read shifts under the reader. Nothing can mend
that from outside; what can be done is done here: entries that come twice are given once, a listing that grows is
read to its new end, and `Listing.report` says whether all that was read fits together.
"""
