"""The one runner of changing calls.

Every changing verb of `Gateway` becomes a `Call` and goes through an `Execution`, one step for each request that
changes something at a vendor. `Direct` makes the steps and remembers nothing; `Journalled` writes every one of them
down first, replays what succeeded, and never sends again what may have run. It is imported from its own module, and
only when a journal is opened, since it brings SQLAlchemy along.
"""
