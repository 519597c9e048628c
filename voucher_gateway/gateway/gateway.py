"""The gateway: the verbs of every account, with the account's name first.

Each public verb has its whole documentation where it is defined: see the modules beside this one, by subject.
"""

from __future__ import annotations

from voucher_gateway.gateway.event_verbs import EventVerbs
from voucher_gateway.gateway.orders import OrderVerbs
from voucher_gateway.gateway.pauses import PauseVerbs
from voucher_gateway.gateway.upkeep_verbs import UpkeepVerbs


class Gateway(OrderVerbs, EventVerbs, PauseVerbs, UpkeepVerbs):
    """Every account of a shop behind one set of verbs. All threads of a process may share it.

        with Gateway.from_config("voucher-gateway.toml") as gateway:
            gateway.redeem("shop", code, Money("10.53", "EUR"), reference="1001-a", order="1001")

    Changing verbs take these arguments:

    - `reference`: an idempotency key, your own name for this one operation, of 1 to 200 characters. Make it and store
      it before the call.
    - `order`: the shop's order number.
    - `wait`: how long to wait, in seconds, if another worker runs the same call; then it raises `OperationInProgress`.
    - `timeout`: how long the call may take in all, in seconds, with its repeats and with waiting for others. A request
      that was not sent by then is certainly not executed. After it was sent, the outcome is unknown, and the same
      reference tells it. None for the time-outs of the account.
    - `options`: what only this vendor has, such as a location or a reason, by name; `Capabilities.options` lists them.
      They are part of the call: the same reference with other options is a `ReferenceConflict`. Never give a secret.

    A code is looked up in the form that the account's ``normalize_codes`` makes of it.

    With a journal, a call that succeeded is replayed when its reference comes again, and a call that may have run is
    never sent again. Without a journal nothing is remembered: a repeated call is sent again.

    An operation that the vendor lacks is emulated if that is safe, or if the account accepts the risk. Otherwise it
    raises `UnsupportedOperation` before anything is sent.

    Every verb can raise the errors of `voucher_gateway.errors`. A changing verb raises `OutcomeUnknown` if it may have
    run without our knowledge: keep its ticket and `resolve` it.

    Args:
        accounts: the accounts, or providers by account name; or what finds them when they are used: an
            `AccountSource`, a function that finds an account by its name, or an `AccountCache`.
        journal: the journal, or the URL of an SQLite journal; None for no journal.
        check_limits: how many codes may be tried by `check`; None for the defaults.
        other_means: the other means of payments that have it inside, where a call gives none.

    Raises:
        ConfigurationError: if two accounts have the same name, or a former name is still in use.
    """
