"""URLs of requests for logs and traces: with the template of the path, and without the query.

Libraries that record all HTTP of a process (Sentry, OpenTelemetry) record URLs, and a vendor's URL may contain a code.
The URLs from here consist of base URLs and templates only, so no rule is needed that distinguishes a code from an id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from voucher_gateway.masking import MASK

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")

_MOST: Final = 1000
"""The highest number of templates and base URLs that are kept; all other paths are masked."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URLS: Final = ("url.full", "http.url", "url")
_PATHS: Final = ("url.path", "http.target")
_QUERIES: Final = ("url.query", "http.query", "url.fragment", "http.fragment")

_templates: Final[dict[str, re.Pattern[str]]] = {}
_bases: Final[dict[tuple[str, str, int | None], dict[str, None]]] = {}


def register_template(template: str) -> None:
    """Let `scrub_url` know a path template, such as ``/vouchers/{id}``."""
    if template not in _templates and len(_templates) < _MOST:
        literals = PLACEHOLDER.split(template)[::2]
        _templates[template] = re.compile("[^/]+".join(map(re.escape, literals)))


def register_base_url(url: str) -> None:
    """Let `scrub_url` know the base URL of an account, or the URL of its token endpoint."""
    parts = urlsplit(url)
    paths = _bases.setdefault(_origin_of(parts), {})
    if len(paths) < _MOST:
        paths[parts.path.rstrip("/")] = None


def scrub_url(url: str) -> str:
    """Return a URL as a log or a trace may show it.

    A URL at the host of an account comes back with the template of its path, such as
    ``https://vivenu.com/api/vouchers/{id}/{code}/info``, and without its query. A path of no known template is masked.
    The URL of any other host comes back as it is.
    """
    scrubbed = _scrub(url)
    return url if scrubbed is None else scrubbed


def scrub_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a span, or the data of a breadcrumb, as a trace may show them.

    If they describe a request to the host of an account, the URL is replaced as by `scrub_url`, and so are its path,
    query and fragment under the names that OpenTelemetry and Sentry have for them. All else comes back as it is.
    """
    scrubbed = dict(attributes)
    url = next((safe_url for name in _URLS if (safe_url := _scrub(attributes.get(name))) is not None), None)
    if url is None:
        return scrubbed
    replacements = dict.fromkeys(_URLS, url) | dict.fromkeys(_PATHS, urlsplit(url).path) | dict.fromkeys(_QUERIES, "")
    return {name: replacements.get(name, value) for name, value in scrubbed.items()}


def _scrub(url: object) -> str | None:
    """Return the safe form of a URL at the host of an account; None for every other URL."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        paths = None if parts is None else _bases.get(_origin_of(parts))
    except ValueError:  # a port that is not a number
        return None
    if parts is None or paths is None:
        return None
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    for base in list(paths):
        if parts.path == base:
            return f"{origin}{base}"
        if not parts.path.startswith(f"{base}/"):
            continue
        for template, pattern in list(_templates.items()):
            if pattern.fullmatch(parts.path, len(base)):
                return f"{origin}{base}{template}"
    return f"{origin}/{MASK}"


def _origin_of(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)
