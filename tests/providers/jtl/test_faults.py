"""Every fault of the kit at every changing call: what the adapter says is what the ledger shows.

Never declined or not executed for what happened, never a success for what did not, and nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import Money, NewVoucher, OutcomeUnknown, VoucherChanges, VoucherGatewayError
from voucher_gateway.simulator import FAULTS

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway_jtl import JtlProvider

EUR = Money(4, "EUR")

SUCCEEDED, DECLINED, NOT_EXECUTED, UNKNOWN = "succeeded", "declined", "not_executed", "unknown"


def _movements(id: str, kind: str) -> Callable[[Any], int]:
    """How often the vendor moved money of a voucher so, by the true ledger."""
    return lambda book: sum(movement.type == kind for movement in book.vouchers[id].movements)


def _status(id: str, status: str) -> Callable[[Any], int]:
    return lambda book: int(book.vouchers[id].status == status)


@attrs.frozen
class Verb:
    """One changing call.

    Attributes:
        prepare: makes what the call needs, and returns it.
        match: the request that meets the fault; {} stands for the id of what was prepared.
        call: makes the call on what was prepared.
        happened: how often the vendor did it, by the true ledger.
    """

    prepare: Callable[[JtlProvider], Any]
    match: str
    call: Callable[[JtlProvider, Any], object]
    happened: Callable[[Any], int]


def _issued(id: str, *, active: bool) -> Callable[[JtlProvider], Any]:
    new = NewVoucher(initial=Money(10, "EUR"), id=id, code=f"C-{id}", active=active)
    return lambda shop: shop.issue(new, reference="i")


def _reserved(id: str) -> Callable[[JtlProvider], Any]:
    def prepare(shop: JtlProvider) -> Any:
        _issued(id, active=True)(shop)
        return shop.reserve(f"C-{id}", EUR, reference="r")

    return prepare


VERBS = {
    "issue": Verb(
        lambda shop: None,
        "POST /v1/vouchers",
        lambda shop, _: shop.issue(NewVoucher(initial=EUR, code="NEW"), reference="r"),
        lambda book: sum(voucher.code == "NEW" for voucher in book.vouchers.values()),
    ),
    "activate": Verb(
        _issued("on", active=False),
        "PATCH /v1/vouchers/{}/status",
        lambda shop, voucher: shop.activate(voucher.id, reference="r"),
        _status("on", "active"),
    ),
    "deactivate": Verb(
        _issued("off", active=True),
        "PATCH /v1/vouchers/{}/status",
        lambda shop, voucher: shop.deactivate(voucher.id, reference="r"),
        _status("off", "inactive"),
    ),
    "update": Verb(
        _issued("up", active=False),
        "PATCH /v1/vouchers/{}",
        lambda shop, voucher: shop.update(voucher.id, VoucherChanges(sku="S"), reference="r"),
        lambda book: int(book.vouchers["up"].sku == "S"),
    ),
    "top_up": Verb(
        _issued("more", active=False),
        "POST /v1/vouchers/recharge",
        lambda shop, voucher: shop.top_up(voucher.id, EUR, reference="t"),
        _movements("more", "recharge"),
    ),
    "delete": Verb(
        _issued("gone", active=False),
        "DELETE /v1/vouchers/{}",
        lambda shop, voucher: shop.delete(voucher.id, "why", reference="r"),
        lambda book: int("gone" not in book.vouchers),
    ),
    "reserve": Verb(
        _issued("held", active=True),
        "POST /v1/reservations",
        lambda shop, voucher: shop.reserve("C-held", EUR, reference="r"),
        lambda book: sum(entry.voucher_id == "held" and entry.cents == 400 for entry in book.reservations.values()),
    ),
    "capture": Verb(
        _reserved("taken"),
        "POST /v1/reservations/{}/charge",
        lambda shop, reservation: shop.capture(reservation, reference="c"),
        _movements("taken", "charge"),
    ),
    "refund": Verb(
        lambda shop: shop.capture(_reserved("back")(shop), reference="before"),
        "POST /v1/charges/{}/refund",
        lambda shop, redemption: shop.refund(redemption, reference="f"),
        _movements("back", "refund"),
    ),
}


@attrs.frozen
class Scenario:
    """A fault and what must come of it.

    Attributes:
        fault: its name in the kit.
        outcome: of all verbs.
        but: the outcome of those verbs that differ, and why they do.
        options: of the fault.
        times: how many requests of each verb meet it; 0 for all.
        waits: whether the adapter must run out of time.
    """

    fault: str
    outcome: str
    but: dict[str, str] = attrs.field(factory=dict)
    options: dict[str, Any] = attrs.field(factory=dict)
    times: int = 1
    waits: bool = False


# A deletion is answered without a body, so there is none that could break.
_NO_BODY = {"delete": SUCCEEDED}
# Only these have an amount that could be another than the one asked for.
_NO_AMOUNT = dict.fromkeys(("activate", "deactivate", "update", "delete"), SUCCEEDED)

SCENARIOS = {
    "drop-before": Scenario("drop-before", UNKNOWN),
    "reset-before": Scenario("reset-before", UNKNOWN),
    "commit-then-drop": Scenario("commit-then-drop", UNKNOWN),
    "commit-then-reset": Scenario("commit-then-reset", UNKNOWN),
    "error-before": Scenario("error-before", UNKNOWN),
    "error-after-commit": Scenario("error-after-commit", UNKNOWN),
    "a conflict before": Scenario("error-before", UNKNOWN, options={"status": 409}),
    "a conflict after commit": Scenario("error-after-commit", UNKNOWN, options={"status": 409}),
    "a gateway's time-out after commit": Scenario("error-after-commit", UNKNOWN, options={"status": 504}),
    "rate-limit for long": Scenario("rate-limit", NOT_EXECUTED, options={"retry_after_s": 600}),
    "rate-limit for ever": Scenario("rate-limit", NOT_EXECUTED, options={"retry_after_s": 0}, times=0),
    "rate-limit once": Scenario("rate-limit", SUCCEEDED, options={"retry_after_s": 0}),
    "unauthorized for ever": Scenario("unauthorized", NOT_EXECUTED, times=0),
    "unauthorized once": Scenario("unauthorized", SUCCEEDED),
    "slow": Scenario("slow", SUCCEEDED, options={"delay_s": 0.02}),
    "too slow": Scenario("slow", UNKNOWN, options={"delay_s": 20}, waits=True),
    "slow-before": Scenario("slow-before", UNKNOWN, options={"delay_s": 0.02}),
    "hang": Scenario("hang", UNKNOWN, waits=True),
    "commit-then-hang": Scenario("commit-then-hang", UNKNOWN, waits=True),
    "drip": Scenario("drip", UNKNOWN, _NO_BODY, waits=True),
    "drip-headers": Scenario("drip-headers", UNKNOWN, waits=True),
    "truncate": Scenario("truncate", UNKNOWN, _NO_BODY),
    "html": Scenario("html", UNKNOWN),
    "html-error": Scenario("html-error", UNKNOWN),
    "a refusal in HTML": Scenario("html-error", UNKNOWN, options={"status": 403}),
    "foreign-404": Scenario("foreign-404", UNKNOWN),
    "a 404 in HTML": Scenario("html-error", UNKNOWN, options={"status": 404}),
    "not-json": Scenario("not-json", UNKNOWN, _NO_BODY),
    "nan": Scenario("nan", UNKNOWN, _NO_BODY),
    "empty": Scenario("empty", UNKNOWN, _NO_BODY),
    "huge": Scenario("huge", UNKNOWN, options={"bytes": 3_000_000}),
    "huge-reply": Scenario("huge-reply", UNKNOWN),
    "interim": Scenario("interim", SUCCEEDED, options={"delay_s": 0.02}),
    "too long after interim": Scenario("interim", UNKNOWN, options={"delay_s": 20}, waits=True),
    "no-content-with-body": Scenario("no-content-with-body", UNKNOWN, _NO_BODY, options={"delay_s": 0.01}),
    "answer-twice": Scenario("answer-twice", SUCCEEDED),
    "wrong-echo": Scenario("wrong-echo", UNKNOWN, _NO_AMOUNT),
    # Of a code alone JTL's adapter cannot know which voucher it is; a new voucher is not named before it is there.
    "wrong-voucher": Scenario("wrong-voucher", UNKNOWN, dict.fromkeys(("issue", "reserve", "delete"), SUCCEEDED)),
    "redirect": Scenario("redirect", UNKNOWN),
    "expire-token": Scenario("expire-token", SUCCEEDED),
    # Somebody else's reservation voids ours, so that there is nothing left to be captured.
    "replace-reservation": Scenario("replace-reservation", SUCCEEDED, {"capture": DECLINED}),
    "lagging-lookups": Scenario("lagging-lookups", SUCCEEDED),
    "insert-while-paging": Scenario("insert-while-paging", SUCCEEDED),
    "clock-skew": Scenario("clock-skew", SUCCEEDED),
    "rewrite-reference": Scenario("rewrite-reference", SUCCEEDED),
    "wrong-reading": Scenario("wrong-reading", SUCCEEDED),
    "html-after-commit": Scenario("html-after-commit", UNKNOWN),
}


# It happens only after other requests, so the table below cannot say whether it has happened by now: see V8.
NOT_IN_THE_TABLE = {"deliver-late"}


def test_every_fault_of_the_kit_is_in_the_table() -> None:
    assert {scenario.fault for scenario in SCENARIOS.values()} == set(FAULTS) - NOT_IN_THE_TABLE


def _outcome(call: Callable[[], object], verb: str) -> str:
    try:
        call()
    except VoucherGatewayError as caught:
        error = caught
    else:
        return SUCCEEDED
    assert (error.account, error.operation) == ("shop", verb)
    assert error.retry_safe is (error.outcome != UNKNOWN)
    assert isinstance(error, OutcomeUnknown) is (error.outcome == UNKNOWN)
    if isinstance(error, OutcomeUnknown):
        assert (error.ticket.account, error.ticket.verb) == ("shop", verb)
    return error.outcome


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_said_is_what_happened(
    jtl: RunningSimulator, make_adapter: Callable[..., JtlProvider], name: str
) -> None:
    scenario = SCENARIOS[name]
    book: Any = jtl.simulator.voucher_ledger  # type: ignore[attr-defined]  # the JTL simulator's
    patient = make_adapter(jtl, max_reply_bytes=1_000_000)
    prepared = {name: verb.prepare(patient) for name, verb in VERBS.items()}
    hasty = make_adapter(jtl, read_timeout_s=2, total_timeout_s=2.5)
    hasty.get("on")
    for name, verb in VERBS.items():
        match = verb.match.format(getattr(prepared[name], "id", ""))
        jtl.inject(scenario.fault, match, scenario.times, **scenario.options)
    shop = hasty if scenario.waits else patient

    def make(name: str) -> str:
        return _outcome(lambda: VERBS[name].call(shop, prepared[name]), name)

    # Side by side where waiting is all they do; one after another where one's fault could hit another's call.
    with ThreadPoolExecutor(len(VERBS) if scenario.waits else 1) as pool:
        said = dict(zip(VERBS, pool.map(make, VERBS), strict=True))

    happened = {name: verb.happened(book) for name, verb in VERBS.items()}
    commits = FAULTS[scenario.fault].commits
    for name, count in happened.items():
        assert count in (0, 1), name
        assert count == 1 or said[name] != SUCCEEDED, name
        assert count == 0 or said[name] in (SUCCEEDED, UNKNOWN), name
        if commits is not None and said[name] == UNKNOWN:
            assert bool(count) is commits, name
    assert said == {**dict.fromkeys(VERBS, scenario.outcome), **scenario.but}
    jtl.clear_faults()
    assert (shop.get("on").id, patient.get("up").id) == ("on", "up")  # no broken connection is used again
