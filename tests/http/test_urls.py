"""URLs are shown as base URL and template, and nothing that was put into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voucher_gateway import scrub_attributes, scrub_url
from voucher_gateway.provider_api import Code, HttpClient, HttpSettings, Path

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = "A/B ü?4711"
BASE = "https://scrubbed.example/api/v1"
PATH = Path.of("/scrubbed/{id}/{code}/info", id="7", code=Code(CODE)).encoded


@pytest.fixture(autouse=True)
def client() -> Iterator[HttpClient]:
    client = HttpClient("shop", HttpSettings(base_url=BASE), explain=lambda _: None)
    client.post_form("https://scrubbed.example/oauth/token")
    yield client
    client.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"{BASE}{PATH}?top=1&filter[code]=x", f"{BASE}/scrubbed/{{id}}/{{code}}/info"),
        (f"https://user:secret@scrubbed.example/api/v1{PATH}", f"{BASE}/scrubbed/{{id}}/{{code}}/info"),
        (f"https://SCRUBBED.example:443/api/v1{PATH}", "https://SCRUBBED.example:443/api/v1/scrubbed/{id}/{code}/info"),
        (BASE, BASE),
        ("https://scrubbed.example/oauth/token?x=1", "https://scrubbed.example/oauth/token"),
        (f"{BASE}/of/no/template/that/is/known", "https://scrubbed.example/••••"),
        (f"{BASE}{PATH}/more", "https://scrubbed.example/••••"),
        ("https://scrubbed.example/api/v10/x", "https://scrubbed.example/••••"),
        (f"http://scrubbed.example/api/v1{PATH}?a=b", f"http://scrubbed.example/api/v1{PATH}?a=b"),
        (f"https://other.example/api/v1{PATH}?a=b", f"https://other.example/api/v1{PATH}?a=b"),
        ("no URL", "no URL"),
        ("https://scrubbed.example:port/", "https://scrubbed.example:port/"),
        ("https://[broken/", "https://[broken/"),
    ],
)
def test_a_url_shows(url: str, shown: str) -> None:
    assert scrub_url(url) == shown


def test_all_attributes_about_the_url_are_scrubbed() -> None:
    given = {
        "url.full": f"{BASE}{PATH}?code=x",
        "http.url": f"{BASE}{PATH}?code=x",
        "url": f"{BASE}{PATH}",
        "http.target": f"/api/v1{PATH}?code=x",
        "url.path": f"/api/v1{PATH}",
        "http.query": "code=x",
        "url.query": "code=x",
        "http.method": "GET",
        "http.status_code": 200,
    }
    url, path = f"{BASE}/scrubbed/{{id}}/{{code}}/info", "/api/v1/scrubbed/{id}/{code}/info"
    assert scrub_attributes(given) == {
        "url.full": url,
        "http.url": url,
        "url": url,
        "http.target": path,
        "url.path": path,
        "http.query": "",
        "url.query": "",
        "http.method": "GET",
        "http.status_code": 200,
    }


def test_attributes_of_other_hosts_stay_as_they_are() -> None:
    given = {"url": "https://shop.example/cart", "http.query": "item=7", "other": 1}
    assert scrub_attributes(given) == given
    assert scrub_attributes({"db.statement": "SELECT 1"}) == {"db.statement": "SELECT 1"}
