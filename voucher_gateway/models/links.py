"""What a vendor ties a voucher to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, final


@final
class Links(Mapping[str, str]):
    """The vendor's ids by the name of what they stand for. It cannot be changed, and can be hashed and pickled."""

    __slots__ = ("_ids",)

    _ids: dict[str, str]

    def __init__(self, ids: Mapping[str, str]) -> None:
        """Copy the ids.

        Raises:
            TypeError: if they are not texts by name. The message does not quote them.
        """
        given: object = ids
        if not isinstance(given, Mapping):
            raise TypeError("links must be a mapping of str to str")
        copied = dict(given)
        for name, id in copied.items():
            if type(name) is not str or type(id) is not str:
                raise TypeError("links must be a mapping of str to str")
        object.__setattr__(self, "_ids", copied)

    def __getitem__(self, name: str) -> str:
        return self._ids[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __hash__(self) -> int:
        return hash(frozenset(self._ids.items()))

    def __repr__(self) -> str:
        return repr(self._ids)

    def __reduce__(self) -> tuple[type[Links], tuple[dict[str, str]]]:
        return Links, (dict(self._ids),)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("links cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("links cannot be changed")


def as_links(ids: Mapping[str, str]) -> Mapping[str, str]:
    """Return the ids as `Links`; what are links already is returned as it is."""
    return ids if type(ids) is Links else Links(ids)


NO_LINKS: Final = Links({})
"""Of a voucher that the vendor ties to nothing."""
