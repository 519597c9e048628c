"""Requests that reached a simulator, held against the vendor's OpenAPI document."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest

from tests.support.examples import is_thorough
from voucher_gateway.simulator import RecordedRequest, RunningSimulator


@attrs.frozen
class RequestChecker:
    """Checks requests against a document.

    `make test-all` checks each request. `make test` checks one request of each shape: two requests have the same shape
    if they differ only in ids and in values of the same type.

    Attributes:
        document: the vendor's document.
    """

    document: OpenAPI
    _words: frozenset[str] = attrs.field(init=False)
    _checked: set[str] = attrs.field(factory=set, init=False)

    @_words.default
    def _words_of_the_paths(self) -> frozenset[str]:
        paths = (self.document.spec / "paths").keys()
        return frozenset(segment for path in paths for segment in str(path).split("/"))

    def check_sent(self, running: RunningSimulator) -> None:
        """Raise an error if the document does not allow a request that reached the simulator."""
        for record in running.requests:
            shape = self._shape_of(record)
            if is_thorough() or shape not in self._checked:
                self.check_request(running, record)
                self._checked.add(shape)

    def check_request(self, running: RunningSimulator, record: RecordedRequest) -> None:
        """Raise an error if the document does not allow this request."""
        base = urlsplit(running.announcement["base_url"])
        url = f"{base.scheme}://{base.netloc}{record.path}?{record.query}"
        request = requests.Request(record.method, url, dict(record.headers), data=record.body)
        self.document.validate_request(RequestsOpenAPIRequest(request))

    def _shape_of(self, record: RecordedRequest) -> str:
        path = [segment if segment in self._words else "" for segment in record.path.split("/")]
        query = sorted(name for name, _ in parse_qsl(record.query, keep_blank_values=True))
        headers = sorted(name.lower() for name, _ in record.headers)
        return repr((record.method, path, query, headers, _types_in(record.body)))


def _types_in(body: bytes) -> Any:
    try:
        return _types_of(json.loads(body))
    except ValueError:
        return sorted(name for name, _ in parse_qsl(body.decode("latin-1"), keep_blank_values=True))


def _types_of(value: object) -> Any:
    if isinstance(value, dict):
        return {name: _types_of(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_types_of(element) for element in value]
    return type(value).__name__
