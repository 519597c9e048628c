"""The vendor's error replies: the shape is the only documented one, and no operation of its page refers to it."""

from http.client import responses

from voucher_gateway.simulator import Refused, Reply


def http_error(status: int, message: str) -> Reply:
    """The vendor's `HttpError`; its `statusCode` is a text (vendor page)."""
    error = responses.get(status, "Error")
    return Reply(status, {"statusCode": str(status), "error": error, "message": message})


def bad_request(message: str) -> Refused:
    """To be raised: 400, with words that the vendor does not document."""
    return Refused(http_error(400, message))
