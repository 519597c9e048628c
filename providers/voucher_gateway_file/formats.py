"""The two formats of a file of vouchers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, Self

from voucher_gateway.provider_api import MalformedFile, MalformedResponse, decode, encode
from voucher_gateway_file.voucher_record import Object, ParsedRecord, Problem, read_object

BOM: Final = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8."""


def file_error(message: str, problems: Sequence[str], **counts: Any) -> MalformedFile:
    """Return the error of a file that its owner must correct. Its note says what to do.

    Args:
        message: what is wrong, without the problems.
        problems: the first problems.
        **counts: the other attributes of `MalformedFile`.
    """
    error = MalformedFile(message, problems=tuple(problems), **counts)
    error.add_note("Correct the file at these places, then run the same command again.")
    return error


class FileFormat(Protocol):
    """One of the two formats of a file."""

    @property
    def allows_quoted_line_breaks(self) -> bool:
        """Whether a record can have line breaks within double quotes."""
        ...

    @property
    def header(self) -> bool:
        """Whether a file begins with the names of its columns."""
        ...

    def adapt_to_file(self, header: bytes, following: Iterable[bytes]) -> Self:
        """Return the format of the file with this header, by some of the records after it."""
        ...

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the fields of the columns in a header."""
        ...

    def sentences(self, header: bytes) -> tuple[str, ...]:
        """Return sentences for people about the form of a file with this header."""
        ...

    def settings(self) -> dict[str, object]:
        """Return the settings by which the form of the file is not guessed again."""
        ...

    def read(self, body: bytes, columns: Sequence[str]) -> ParsedRecord:
        """Return the fields of a record, or its problems."""
        ...

    def read_rows(self, body: bytes, count: int, columns: Sequence[str]) -> list[ParsedRecord] | None:
        """Return the fields of some records at once; None if they must be read one by one."""
        ...

    def names_of_rows(
        self, body: bytes, count: int, columns: Sequence[str]
    ) -> list[tuple[str | None, str | None]] | None:
        """Return the ids and the codes of some records at once; None if they must be read one by one."""
        ...

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:
        """Return the object of a record, and its problems."""
        ...

    def place(self, where: str) -> str:
        """Return the words of a message for a place in an object."""
        ...

    def could_be_cut_off(self, body: bytes) -> bool:
        """Return whether this can be the beginning of a record that a killed writer left."""
        ...

    def has_later_rows(self, body: bytes, columns: Sequence[str]) -> bool:
        """Return whether a record that is not closed has rows after its first line, because a quote is missing."""
        ...

    def top(self) -> bytes:
        """Return the beginning of a new file."""
        ...

    def line(self, given: Object, columns: Sequence[str]) -> bytes:
        """Return an object as a record."""
        ...


_BEGINNING: Final = b'{"id":"'
"""The beginning of every line that we write: the id comes first, and there are no spaces."""


class JsonLines:
    """Reads and writes lines of JSON."""

    allows_quoted_line_breaks: Final = False
    header: Final = False

    def adapt_to_file(self, header: bytes, following: Iterable[bytes]) -> Self:  # noqa: ARG002 - see `CsvFormat`
        """Return the format itself: JSON has one form."""
        return self

    def columns(self, body: bytes) -> Sequence[str]:
        """Return the names of the columns: JSON has none."""
        raise AssertionError(body)

    def sentences(self, header: bytes) -> tuple[str, ...]:  # noqa: ARG002 - see `CsvFormat`
        """Return no sentence: JSON has one form."""
        return ()

    def settings(self) -> dict[str, object]:
        """Return no setting: JSON has one form."""
        return {}

    def read(self, body: bytes, columns: Sequence[str]) -> ParsedRecord:
        """Return the fields of a line, or its problems."""
        given, problems = self.parse(body, columns)
        parsed = read_object(given)
        return ParsedRecord(given, parsed.fields, problems + parsed.problems)

    def read_rows(self, body: bytes, count: int, columns: Sequence[str]) -> list[ParsedRecord] | None:  # noqa: ARG002
        """Return None: lines are read one by one."""
        return None

    def names_of_rows(
        self,
        body: bytes,  # noqa: ARG002 - see `CsvFormat`
        count: int,  # noqa: ARG002
        columns: Sequence[str],  # noqa: ARG002
    ) -> list[tuple[str | None, str | None]] | None:
        """Return None: lines are read one by one."""
        return None

    def parse(self, body: bytes, columns: Sequence[str]) -> tuple[Object, list[Problem]]:  # noqa: ARG002 - see `CsvFormat`
        """Return the object of a line, and its problems."""
        try:
            record = decode(body, what="line")
        except MalformedResponse as error:
            return {}, [("", error.message.removeprefix("the line "))]
        if not isinstance(record, dict):
            return {}, [("", "is not a JSON object")]
        return record, []

    def place(self, where: str) -> str:
        """Return a place in an object, which is a path of names."""
        return where

    def could_be_cut_off(self, body: bytes) -> bool:
        """Return whether this can be the beginning of a line that we write. Another incomplete line is an error."""
        return body.startswith(_BEGINNING) or _BEGINNING.startswith(body) or not body.strip(b"\0")

    def has_later_rows(self, body: bytes, columns: Sequence[str]) -> bool:  # noqa: ARG002 - see `CsvFormat`
        """Return False: a line of JSON has no line break."""
        return False

    def top(self) -> bytes:
        """Return the beginning of a new file."""
        return b""

    def line(self, given: Object, columns: Sequence[str]) -> bytes:  # noqa: ARG002 - see `CsvFormat`
        """Return an object as a line."""
        return encode(given) + b"\n"
