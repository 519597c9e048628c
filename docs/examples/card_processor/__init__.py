"""A pretended card processor: a process of its own with an HTTP API, its books, and a client for shops.

Start it with `python -m card_processor` in the folder `docs/examples`. The first line that it prints is JSON: where it
listens. It keeps its books in memory, and is no pattern for a real processor.
"""
