"""Single requests with the library's transport replaced: no connection of ours vouches for what happened."""

from __future__ import annotations

import http.client
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import requests
import responses
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.provider_api import (
    BearerKey,
    Code,
    Intent,
    OutcomeUnknown,
    Path,
    Pin,
    ProviderUnavailable,
    Request,
    Response,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf

URL = "https://jars.example/v1"


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("something"),
        requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError())),
        requests.ReadTimeout("too slow"),
        requests.Timeout("too slow"),
        requests.exceptions.SSLError("at any time"),
        requests.exceptions.ChunkedEncodingError("half"),
        requests.RequestException("anything"),
        urllib3.exceptions.HTTPError("anything"),
        http.client.RemoteDisconnected("gone"),
        TimeoutError(),
        ConnectionResetError(),
        OSError("anything"),
        ValueError("anything"),
        LookupError("anything"),
    ],
    ids=repr,
)
def test_an_error_without_a_connection_of_ours_is_never_taken_for_not_executed(
    error: Exception, client_of: ClientOf, intent: Intent
) -> None:
    client = client_of(URL, tries=3)
    with responses.RequestsMock() as mocked:
        mocked.post(f"{URL}/charges", body=error)
        with pytest.raises(OutcomeUnknown):
            client.change(Request(method="POST", path=Path.of("/charges"), json={}), intent, Response.json)
        assert len(mocked.calls) == 1


def test_a_read_takes_an_error_without_a_connection_of_ours_for_an_outage(client_of: ClientOf) -> None:
    with responses.RequestsMock() as mocked:
        mocked.get(f"{URL}/jars", body=requests.ConnectionError("something"))
        with pytest.raises(ProviderUnavailable):
            client_of(URL).read(Request(method="GET", path=Path.of("/jars")), Response.json)


def test_a_request_is_what_the_adapter_says_and_nothing_more(client_of: ClientOf, intent: Intent) -> None:
    client = client_of(URL)
    client.auth = BearerKey(SecretSource.of("a-key"))
    request = Request(
        method="DELETE",
        path=Path.of("/jars/{code}", code=Code("J/1")),
        query=[("pin", Pin("0815"))],
        json={"code": Code("J/1"), "comment": "ä"},
    )
    with responses.RequestsMock() as mocked:
        mocked.delete(f"{URL}/jars/J%2F1?pin=0815", body=b'{"gone": 1.10}', headers={"X-Request-Id": "r-1"})
        gone = client.change(request, intent, lambda reply: (str(reply.json()["gone"]), reply.request_id))
        sent = mocked.calls[0].request
    assert gone == ("1.10", "r-1")
    assert sent.body == '{"code":"J/1","comment":"ä"}'.encode()
    assert dict(sent.headers) == {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "Authorization": "Bearer a-key",
        "Content-Length": "29",
        "Content-Type": "application/json",
        "User-Agent": "voucher-gateway",
    }


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Fri, 20 Nov 2026 10:00:00 GMT", "2026-11-20T10:00:00+00:00"),
        ("Fri, 20 Nov 2026 10:00:00 +0100", "2026-11-20T09:00:00+00:00"),
        ("Fri, 20 Nov 2026 10:00:00 -0000", "2026-11-20T10:00:00+00:00"),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("Fri, 99 Nov 2026 10:00:00 GMT", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_the_vendors_clock_is_its_date_header_if_that_can_be_read(said: str | None, read: str | None) -> None:
    reply = Response(status=200, headers={} if said is None else {"date": said}, body=b"")
    assert (reply.date and reply.date.isoformat()) == read


@given(
    st.text()
    | st.lists(st.sampled_from(["Fri,", "20", "99", "Nov", "2026", "10:00:00", "-", "+0000", "GMT", "(", ""])).map(
        " ".join
    )
)
def test_a_date_header_of_any_text_is_an_instant_or_none(said: str) -> None:
    date = Response(status=200, headers={"date": said}, body=b"").date
    assert date is None or date.utcoffset() == timedelta(0)
