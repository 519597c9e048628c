"""Faults that a vendor declares in its own words, beside those that can happen at every vendor."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from voucher_gateway.simulator.faults.kinds import FaultContext, FaultKind
from voucher_gateway.simulator.faults.table import FAULTS
from voucher_gateway.simulator.http.messages import Reply, Request

_NAME: Final = re.compile("[a-z0-9]+(-[a-z0-9]+)*")


def fault(
    name: str,
    status: int,
    body: object = b"",
    *,
    commits: bool = False,
    sentence: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    then: Callable[[Any, Request], None] | None = None,
) -> FaultKind:
    """Return a fault by which a vendor answers in its own words. List it in `Simulator.own_faults`.

    Args:
        name: as callers write it: small letters and digits, with hyphens between words.
        status: of the vendor's reply.
        body: of the vendor's reply, as in `Reply`.
        commits: whether the vendor carries the request out before it answers so.
        sentence: what happens, for people; made of the status and of `commits` by default.
        headers: further headers of the reply.
        then: called with the simulator and the request, under the simulator's lock, just before the reply: for what the
            vendor does besides, such as to leave a key locked.

    Raises:
        ValueError: for a name that cannot be, or that is one of the kit's `FAULTS`.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name of a fault has small letters, digits and hyphens between words, not {name!r}")
    if name in FAULTS:
        raise ValueError(f"the kit has a fault {name!r}: choose another name")
    reply = Reply(status, body, tuple(headers))

    def act(exchange: FaultContext) -> Reply:
        if commits:
            exchange.proceed()
        if then is not None:
            with exchange.simulator.lock:
                then(exchange.simulator, exchange.request)
        return reply

    done = "The vendor does it and answers" if commits else "The vendor answers"
    end = f"with {status} in its own words" if commits else f"{status} in its own words; nothing happened"
    return FaultKind(name, sentence or f"{done} {end}.", commits, action=act)
