"""Lazy listing: a vendor's pages as one iterator, fetched ahead, without duplicates, with a report of what moved.

Vendors page by number or offset, so entries of a list that changes while it is read move from page to page. A client
cannot prevent that. A listing returns entries that come twice once, reads a list that grows to its new end, and
`Listing.report` says whether the pages fit together.
"""
