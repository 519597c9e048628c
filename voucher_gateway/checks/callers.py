"""Names of callers: the same text for all addresses that one customer can easily have."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Final

from voucher_gateway.errors import InvalidRequest

_MAX_LENGTH: Final = 200
_RULE: Final = f"the address of one client, or your own name for it, 1 to {_MAX_LENGTH} printable characters"
_PORT: Final = re.compile(r"(?P<v4>[0-9.]+):[0-9]{1,5}|\[(?P<v6>[^\]]+)\](?::[0-9]{1,5})?", re.ASCII)
_NETWORK_BITS: Final = 64
"""Every IPv6 customer has a network of that size at least, and may choose any address in it."""
_TRANSLATED_IPV4: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""The addresses of IPv4 clients behind a translator (RFC 6052)."""


def normalize_caller(caller: str) -> str:
    """Return the text under which a caller is counted.

    An IPv4 address is one caller, with or without a port, and as a part of an IPv6 address too. All addresses of an
    IPv6 network of 64 bits are one caller. Any other text is a caller under this name.

    Raises:
        TypeError: if it is not a str, as where a server gives no address.
        InvalidRequest: if it is empty, too long, not printable, or a list of addresses, such as a whole
            ``X-Forwarded-For``: a client may write into that what it likes.
    """
    if not isinstance(caller, str):
        raise TypeError(f"caller is a str, not {type(caller).__name__}")
    caller = unicodedata.normalize("NFC", caller.strip())
    if not 1 <= len(caller) <= _MAX_LENGTH or not caller.isprintable() or "," in caller:
        raise InvalidRequest(f"caller must be {_RULE}", field="caller", rule=_RULE)
    port = _PORT.fullmatch(caller)
    text = (port["v4"] or port["v6"]) if port else caller
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return caller
    return str(address if isinstance(address, ipaddress.IPv4Address) else _normalize_ipv6(address))


def _normalize_ipv6(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Network:
    ipv4 = address.ipv4_mapped or address.sixtofour
    if ipv4 is None and address in _TRANSLATED_IPV4:
        ipv4 = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return ipv4 or ipaddress.IPv6Network((address, _NETWORK_BITS), strict=False)
