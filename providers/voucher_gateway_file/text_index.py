"""The index of the ids or of the codes of a file: finds records with the same one, and the record with a given one.

Memory does not grow while a file is read for the first time: only digests are compared (`DuplicateFinder`). If some
come twice, the file is read again, and only the texts with these digests are kept in mind. The places of all texts are
kept only once a text is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from voucher_gateway.provider_api import DuplicateFinder
from voucher_gateway_file.place_map import PlaceMap, text_digest, text_digests


class TextIndex:
    """Finds the places of the records with a text. It does not keep the texts.

    Attributes:
        is_complete: whether it has the places of all texts that were added.
    """

    def __init__(self) -> None:
        """Make the index of an empty file."""
        self._places = PlaceMap()
        self._finder: DuplicateFinder | None = None
        self._suspects: set[int] | None = None
        self.is_complete = True

    def compare_digests(self) -> AbstractContextManager[object]:
        """Begin the first reading of a file: the texts that are added are compared at its end, by `find_suspects`."""
        self._finder = DuplicateFinder()
        return self._finder

    def find_suspects(self) -> set[int]:
        """End the first reading, and return the digests that came more than once."""
        assert self._finder is not None
        suspects = self._finder.duplicates()
        self._finder, self.is_complete = None, False
        return suspects

    def watch(self, suspects: set[int]) -> None:
        """Begin the second reading: only texts with one of these digests are kept in mind."""
        self._suspects, self.is_complete = suspects, False

    def add(self, text: str, place: int, *, unequal: int = 0) -> int | None:
        """Add a text with its place, unless another place may belong to the same text. Return that place.

        Args:
            text: the text.
            place: its place.
            unequal: how many such places belong to other texts, as the caller knows.
        """
        if self._finder is not None:
            self._finder.add(text_digest(text))
            return None
        if self._suspects is not None and text_digest(text) not in self._suspects:
            return None
        return self._places.add(text, place, unequal=unequal)

    def add_all(self, texts: Sequence[str | None], first: int) -> Iterator[tuple[int, int, str]]:
        """Add the texts of records with consecutive places.

        Args:
            texts: the texts; None for a record that has none.
            first: the place of the first record.

        Yields:
            place, earlier place and text of each text that may belong to an earlier place; see `add`.
        """
        if self._finder is not None:
            self._finder.update(text_digests(text for text in texts if text is not None))
            return
        numbered: Iterable[tuple[int, str | None]] = enumerate(texts, first)
        if self._suspects is not None:
            digests = zip(numbered, text_digests(text or "" for text in texts), strict=True)
            numbered = [pair for pair, digest in digests if digest in self._suspects]
        for place, text in numbered:
            if text is not None and (earlier := self.add(text, place)) is not None:
                yield place, earlier, text

    def forget(self) -> None:
        """Forget all places, before they are inserted again."""
        self._places, self._suspects = PlaceMap(), None

    def insert(self, text: str, place: int) -> None:
        """Add a text with its place, whether or not another place has the same text."""
        self._places.insert(text, place)

    def candidates(self, text: str) -> Iterator[int]:
        """Yield the places that may belong to a text, the first one first. The index must be complete."""
        assert self.is_complete
        return self._places.candidates(text)
