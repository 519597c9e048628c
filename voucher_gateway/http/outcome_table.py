"""The table from which the effect of a request follows.

==========================================================  ==============
seen                                                        effect
==========================================================  ==============
name not resolved, refused, connect time-out, TLS handshake  not_executed
refused by a proxy, before it was sent                   not_executed
2xx that can be read                                         succeeded
2xx that says that the vendor will decide later              pending
400, 403, 404, 422 in the vendor's body shape                declined
401, 429                                                     not_executed
3xx, 408, 409, 425, 5xx and every other status               unknown
400, 403, 404, 422 in another shape                          unknown
2xx that cannot be read                                      unknown
anything that breaks after the first byte was sent           unknown
every other failure                                          unknown
==========================================================  ==============

A provider may narrow this where its vendor documents a status.
"""

from __future__ import annotations

import enum
from typing import Final

from voucher_gateway.outcome import Effect


class TransportFailure(enum.StrEnum):
    """Why no complete reply came. The value is the sentence for messages."""

    NAME_NOT_RESOLVED = "the host name could not be resolved"
    REFUSED = "the connection could not be made"
    CONNECT_TIMED_OUT = "no connection within the time allowed"
    HANDSHAKE_FAILED = "the TLS handshake failed"
    PROXY_REFUSED = "the proxy did not connect us"
    OUT_OF_TIME = "the time allowed was over before it could be sent"
    TIMED_OUT = "no complete answer within the time allowed"
    BROKE_OFF = "the connection broke before a complete answer"
    TOO_LARGE = "the answer is larger than allowed"
    NOT_RECOGNISED = "the request failed for an unknown reason"


# These happen only before a request can leave.
_ALWAYS_BEFORE: Final = frozenset(
    {
        TransportFailure.NAME_NOT_RESOLVED,
        TransportFailure.REFUSED,
        TransportFailure.CONNECT_TIMED_OUT,
        TransportFailure.PROXY_REFUSED,
    }
)
# These may also happen later, so our own connection must confirm that it was not ready.
_BEFORE_IF_CONNECTING: Final = frozenset(
    {TransportFailure.HANDSHAKE_FAILED, TransportFailure.TIMED_OUT, TransportFailure.BROKE_OFF}
)

REFUSALS: Final = frozenset({400, 403, 404, 422})
"""The statuses of a refusal, unless a vendor documents others."""

_NOT_EXECUTED: Final = frozenset({401, 429})


def effect_of_failure(failure: TransportFailure, *, sent: bool | None) -> Effect:
    """Return the effect of a request without a complete answer.

    Args:
        failure: why no complete reply came.
        sent: whether a byte of the request itself may have left (what a proxy or TLS needs first does not count): False
            if our connection was still being made, None if we never saw a connection.
    """
    if sent:
        return Effect.UNKNOWN
    if failure in _ALWAYS_BEFORE or failure is TransportFailure.OUT_OF_TIME:
        return Effect.NOT_EXECUTED
    if failure in _BEFORE_IF_CONNECTING and sent is False:
        return Effect.NOT_EXECUTED
    return Effect.UNKNOWN


def effect_of_status(status: int, *, in_shape: bool, refusals: frozenset[int] = REFUSALS) -> Effect:
    """Return the effect of a request that got a reply.

    Args:
        status: the HTTP status.
        in_shape: whether the body has the vendor's shape for this status: readable for 2xx, the vendor's error body
            for a refusal (and not a proxy's HTML page).
        refusals: the statuses that this vendor documents for refusals.
    """
    if status in _NOT_EXECUTED:
        return Effect.NOT_EXECUTED
    if not in_shape:
        return Effect.UNKNOWN
    if 200 <= status <= 299:
        return Effect.SUCCEEDED
    return Effect.DECLINED if status in refusals else Effect.UNKNOWN
