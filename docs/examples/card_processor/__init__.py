"""A pretended card processor: a separate process with an HTTP API, its books, and a client for shops.

Start it with `python -m card_processor` in the folder `docs/examples`. The first line that it prints is JSON: where it
listens. It keeps its books in memory, and is not a pattern for a real processor.
"""
