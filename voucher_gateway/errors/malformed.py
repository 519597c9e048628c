"""The vendor's answer, or a file of vouchers, cannot be used."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.errors.base import VoucherGatewayError


class MalformedResponse(VoucherGatewayError):
    """The answer to a read breaks the vendor's contract.

    Attributes:
        problems: every wrong field, in the vendor's words, without its value.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.problems = problems


class IntegrityMismatch(MalformedResponse):
    """The vendor's answer names another amount or voucher than the request.

    An adapter raises it while it reads the answer to a changing call. It becomes the reason of an `OutcomeUnknown`.
    """


_MAX_QUOTED: Final = 20
"""The maximum of problems in a message; `MalformedFile.problems` has more."""


class MalformedFile(MalformedResponse):
    """A file of vouchers has mistakes. It is the user's own file, and no vendor answered.

    Attributes:
        problems: the first problems, at most 200 of them, with line and column, without a value.
        problem_count: the number of all problems.
        wrong_lines: the number of lines that have a problem.
        listed_in: the path of the file that lists all problems; None if none was written.
    """

    def __init__(
        self,
        message: str,
        *,
        problems: tuple[str, ...] = (),
        problem_count: int | None = None,
        wrong_lines: int | None = None,
        listed_in: str | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, problems=problems, **context)
        self.problem_count = len(problems) if problem_count is None else problem_count
        self.wrong_lines = self.problem_count if wrong_lines is None else wrong_lines
        self.listed_in = listed_in

    def __str__(self) -> str:
        """Return the message with the first problems."""
        rest = self.problem_count - _MAX_QUOTED
        problems = "; ".join([*self.problems[:_MAX_QUOTED], *([f"and {rest} more"] if rest > 0 else [])])
        return f"{super().__str__()}: {problems}" if problems else super().__str__()
