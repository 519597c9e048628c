"""Simulators whose replies a test can change, independent of the vendor's format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs

from voucher_gateway.simulator import InvalidJson, Reply, Request, Route, Simulator, read_json, write_json

Change = Callable[[Any], Any]
"""Returns the changed JSON document of a reply; numbers with a fraction are `Decimal`."""

Place = tuple[str | int, ...]
"""The place of a value in a JSON document: names and positions from the top."""


def make_tamperable(kind: type[Simulator]) -> type[Simulator]:
    """Return the same simulator with two more attributes.

    `change` is a function that changes each JSON document, or None. `refusal` is a status and the number of answers
    before every request gets that status, or None.
    """

    class Tamperable(kind):  # type: ignore[misc, valid-type]  # a class that is only known at run time
        change: Change | None = None
        refusal: tuple[int, int] | None = None

        def routes(self) -> Sequence[Route]:
            return [attrs.evolve(route, handler=self._wrap(route.handler)) for route in super().routes()]

        def not_found(self, request: Request) -> Reply:
            return self._change_reply(super().not_found(request))

        def _wrap(self, handler: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
            def handle(request: Request) -> Reply:
                return self._change_reply(self._apply_refusal(handler(request)))

            return handle

        def _apply_refusal(self, reply: Reply) -> Reply:
            if self.refusal is None or not 200 <= reply.status < 300 or _logs_in(reply):
                return reply
            status, passing = self.refusal
            self.refusal = (status, max(0, passing - 1))
            return reply if passing else self.error_reply(status, "Nothing is shown.")

        def _change_reply(self, reply: Reply) -> Reply:
            if self.change is None or not 200 <= reply.status < 300:
                return reply
            try:
                document = read_json(reply.payload())
            except InvalidJson:
                return reply
            if isinstance(document, dict) and "access_token" in document:
                return reply
            return attrs.evolve(
                reply.with_header("Content-Type", "application/json"), body=write_json(self.change(document))
            )

    Tamperable.__name__ = kind.__name__
    return Tamperable


def _logs_in(reply: Reply) -> bool:
    try:
        document = read_json(reply.payload())
    except InvalidJson:
        return False
    return isinstance(document, dict) and "access_token" in document


def leaves(document: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every value of a JSON document that is neither an object nor an array, with its place."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from leaves(value, (*at, name))
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from leaves(value, (*at, position))
    else:
        yield at, document


def with_leaves(document: Any, change: Callable[[Any], Any]) -> Any:
    """Return a JSON document with every value changed that is neither an object nor an array."""
    if isinstance(document, dict):
        return {name: with_leaves(value, change) for name, value in document.items()}
    if isinstance(document, list):
        return [with_leaves(value, change) for value in document]
    return change(document)


def with_leaf(document: Any, place: Place, value: Any) -> Any:
    """Return a JSON document with the value of one place replaced, where the document has that place."""
    if not place:
        return value
    name, *rest = place
    if isinstance(document, dict) and name in document:
        return {**document, name: with_leaf(document[name], tuple(rest), value)}
    if isinstance(document, list) and isinstance(name, int) and name < len(document):
        return [*document[:name], with_leaf(document[name], tuple(rest), value), *document[name + 1 :]]
    return document


def each_leaf(change: Callable[[Any], Any]) -> Change:
    """Return the change of a document that changes every value in it."""
    return partial(with_leaves, change=change)


def one_word(word: str, other: str) -> Change:
    """Return the change of a document that puts one text in place of another, wherever that stands alone."""

    def replace(value: Any) -> Any:
        return other if value == word and isinstance(value, str) else value

    return each_leaf(replace)


def one_leaf(place: Place, value: Any) -> Change:
    """Return the change of a document that replaces the value of one place."""
    return partial(with_leaf, place=place, value=value)


def with_objects(document: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a JSON document with every object in it changed, the inner ones first."""
    if isinstance(document, dict):
        return change({name: with_objects(value, change) for name, value in document.items()})
    if isinstance(document, list):
        return [with_objects(value, change) for value in document]
    return document
