"""HTTP with a vendor: the only place that imports requests."""

from voucher_gateway.http.api_calls import ApiCalls
from voucher_gateway.http.auth import Auth, BearerKey, ClientCredentials
from voucher_gateway.http.client import HttpClient
from voucher_gateway.http.messages import Path, Request, Response
from voucher_gateway.http.settings import HttpSettings
from voucher_gateway.http.urls import scrub_attributes, scrub_url

__all__ = [
    "ApiCalls",
    "Auth",
    "BearerKey",
    "ClientCredentials",
    "HttpClient",
    "HttpSettings",
    "Path",
    "Request",
    "Response",
    "scrub_attributes",
    "scrub_url",
]
