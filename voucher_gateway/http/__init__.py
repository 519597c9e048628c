"""HTTP with a vendor: the only place that imports requests."""

from voucher_gateway.http.auth import Auth, BearerKey, ClientCredentials
from voucher_gateway.http.calls import Calls
from voucher_gateway.http.client import HttpClient
from voucher_gateway.http.request import Path, Reply, Request
from voucher_gateway.http.settings import HttpSettings
from voucher_gateway.http.urls import scrub_attributes, scrub_url

__all__ = [
    "Auth",
    "BearerKey",
    "Calls",
    "ClientCredentials",
    "HttpClient",
    "HttpSettings",
    "Path",
    "Reply",
    "Request",
    "scrub_attributes",
    "scrub_url",
]
