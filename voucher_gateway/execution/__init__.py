"""How a changing call is executed, with a journal or without.

`Gateway` makes a command of each changing call, and an executor executes it. There is one step for each request that
changes something at a vendor. `DirectExecutor` runs the steps and remembers nothing. `JournalExecutor` records each
step before it is sent, replays what succeeded, and never repeats what may have run. It has its own
module because it needs SQLAlchemy.
"""
