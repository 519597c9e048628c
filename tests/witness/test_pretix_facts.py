"""What pretix 2026.8.0 answers, found by plain requests. The adapter, the simulator and docs/pretix.md rely on it."""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from tests.witness.pretix_program import ISSUER, ORGANIZER, Card, PretixProgram

pytestmark = pytest.mark.slow

CARDS: Final = f"/organizers/{ORGANIZER}/giftcards/"
SISTERS: Final = f"/organizers/{ISSUER}/giftcards/"
BUSY: Final = {"detail": "Concurrent request with idempotency key."}


def issue(pretix: PretixProgram, code: str = "HLBYVELFRC77NCQY", value: str = "50.00", **fields: Any) -> dict[str, Any]:
    """Issue a card, and return it as the program answered."""
    status, _, card = pretix.request("POST", CARDS, {"secret": code, "value": value, "currency": "EUR", **fields})
    assert status == 201, card
    assert isinstance(card, dict)
    return card


def transact(pretix: PretixProgram, id: int, value: object, *, key: str | None = None, **more: Any) -> tuple[int, Any]:
    """Change the value of a card."""
    body = {"value": value, **more.pop("fields", {})}
    status, _, reply = pretix.request("POST", f"{CARDS}{id}/transact/", body, key=key, **more)
    return status, reply


def ask(pretix: PretixProgram, path: str, **more: Any) -> tuple[int, Any]:
    """Send a GET request."""
    status, _, reply = pretix.request("GET", path, **more)
    return status, reply


def only_card(pretix: PretixProgram) -> Card:
    """Return the card of a program that has one, from its database."""
    (card,) = pretix.truth()
    return card


class TestReading:
    def test_a_card_has_these_members_and_no_face_value(self, pretix: PretixProgram) -> None:
        card = issue(pretix)
        assert card | {"id": 0, "issuance": ""} == {
            "id": 0,
            "secret": "HLBYVELFRC77NCQY",
            "issuance": "",
            "value": "50.00",
            "currency": "EUR",
            "testmode": False,
            "expires": None,
            "conditions": None,
            "owner_ticket": None,
            "issuer": ORGANIZER,
        }
        assert ask(pretix, f"{CARDS}{card['id']}/") == (200, card)

    def test_the_first_transaction_is_the_face_value(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        transact(pretix, id, "-10.53", fields={"text": "order 1001", "info": {"reference": "1001-a7f3"}})
        transact(pretix, id, "-1.00")
        _, page = ask(pretix, f"{CARDS}{id}/transactions/")
        assert [(one["value"], one["text"], one["info"]) for one in page["results"]] == [
            ("50.00", None, None),
            ("-10.53", "order 1001", {"reference": "1001-a7f3"}),
            ("-1.00", "", {}),
        ]
        assert page["results"][0] | {"id": 0, "datetime": ""} == {
            "id": 0,
            "datetime": "",
            "value": "50.00",
            "event": None,
            "order": None,
            "text": None,
            "info": None,
            "acceptor": ORGANIZER,
        }

    @pytest.mark.parametrize("code", ["hlbyvelfrc77ncqy", "HLBYVELFRC77NCQY"])
    def test_the_filter_of_codes_ignores_case_although_codes_may_differ_in_it_alone(
        self, pretix: PretixProgram, code: str
    ) -> None:
        issue(pretix)
        issue(pretix, "hlbyvelfrc77ncqy", "1.00")
        _, page = ask(pretix, f"{CARDS}?secret={code}")
        assert [card["secret"] for card in page["results"]] == ["HLBYVELFRC77NCQY", "hlbyvelfrc77ncqy"]

    @pytest.mark.parametrize(
        "query", ["secret=", "testmode=x", "expired=x", "unknown=1", "currency=JPY", "ordering=-issuance"]
    )
    def test_a_filter_that_is_empty_wrong_or_unknown_is_ignored(self, pretix: PretixProgram, query: str) -> None:
        issue(pretix)
        issue(pretix, "SECOND")
        _, page = ask(pretix, f"{CARDS}?{query}")
        assert [card["secret"] for card in page["results"]] == ["HLBYVELFRC77NCQY", "SECOND"]

    def test_the_filters_of_the_vendor(self, pretix: PretixProgram) -> None:
        issue(pretix, "OLD", expires="2020-01-01T00:00:00+01:00")
        issue(pretix, "TEST", "5.00", testmode=True)
        for query, codes in {
            "expired=true": ["OLD"],
            "expired=false": ["TEST"],
            "testmode=true": ["TEST"],
            "testmode=false": ["OLD"],
            "value=5": ["TEST"],
        }.items():
            _, page = ask(pretix, f"{CARDS}?{query}")
            assert [card["secret"] for card in page["results"]] == codes, query
        assert ask(pretix, f"{CARDS}?value=x") == (400, {"value": ["Enter a number."]})

    def test_pages(self, pretix: PretixProgram) -> None:
        for number in range(5):
            issue(pretix, f"CARD-{number}")
        _, page = ask(pretix, f"{CARDS}?page_size=2&page=2")
        assert [card["secret"] for card in page["results"]] == ["CARD-2", "CARD-3"]
        assert page["count"] == 5
        assert page["next"] == f"{pretix.base_url}{CARDS}?page=3&page_size=2"
        assert page["previous"] == f"{pretix.base_url}{CARDS}?page_size=2"
        for wrong in ("page=4&page_size=2", "page=0", "page=x"):
            assert ask(pretix, f"{CARDS}?{wrong}") == (404, {"detail": "Invalid page."})
        for size in ("0", "51", "x", "-1"):  # too large is 50; the others are 50 as well, the default
            assert len(ask(pretix, f"{CARDS}?page_size={size}")[1]["results"]) == 5

    def test_a_page_has_50_entries_at_most(self, pretix: PretixProgram) -> None:
        empty = Card(
            id=0,
            code="C",
            issuer=ORGANIZER,
            currency="EUR",
            testmode=False,
            issuance="2026-01-01 00:00:00",
            expires=None,
            conditions=None,
            value="0.00",
            transactions=(),
        )
        cards = [attrs.evolve(empty, code=f"C{number}") for number in range(60)]
        pretix.insert(cards)
        _, page = ask(pretix, f"{CARDS}?page_size=1000")
        assert (page["count"], len(page["results"])) == (60, 50)

    def test_there_are_neither_etags_nor_conditional_replies_nor_limits(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        headers = {"If-Modified-Since": "Sun, 29 Nov 2037 00:00:00 GMT", "If-None-Match": "*"}
        for _ in range(20):
            status, names, _ = pretix.request("GET", f"{CARDS}{id}/", headers=headers)
            assert status == 200
            assert not {"etag", "last-modified", "retry-after"} & names.keys()
            assert not [name for name in names if "rate" in name]

    def test_paths_end_with_a_slash(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        status, headers, _ = pretix.request("GET", f"{CARDS}{id}")
        assert (status, headers["location"]) == (301, f"/api/v1{CARDS}{id}/")
        status, headers, _ = pretix.request("POST", f"{CARDS}{id}/transact", {"value": "-1.00"})
        assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert only_card(pretix).value == "50.00"


class TestRefusals:
    def test_no_such_card(self, pretix: PretixProgram) -> None:
        none = {"detail": "No GiftCard matches the given query."}
        assert ask(pretix, f"{CARDS}99999/") == (404, none)
        assert ask(pretix, f"{CARDS}99999/transactions/") == (404, none)
        assert ask(pretix, f"{CARDS}99999999999999999999999999/") == (404, none)
        assert ask(pretix, f"{CARDS}abc/") == (404, {"detail": "Not found."})

    def test_the_login(self, pretix: PretixProgram) -> None:
        denied = {"detail": "You do not have permission to perform this action."}
        tokens = pretix.tokens[ORGANIZER]
        assert ask(pretix, CARDS, token="x") == (401, {"detail": "Invalid token."})
        assert ask(pretix, CARDS, token="") == (401, {"detail": "Authentication credentials were not provided."})
        assert ask(pretix, CARDS, token=tokens["nobody"]) == (403, denied)
        assert ask(pretix, "/organizers/stranger/giftcards/") == (403, denied)
        assert ask(pretix, "/organizers/never/giftcards/") == (403, denied)
        assert ask(pretix, CARDS, token=tokens["auditor"])[0] == 200
        id = issue(pretix)["id"]
        assert transact(pretix, id, "-1.00", token=tokens["auditor"]) == (403, denied)

    def test_a_card_is_never_deleted(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        assert pretix.request("DELETE", f"{CARDS}{id}/")[0] == 405

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"secret": "TAKEN"}, "secret"),
            ({"secret": "A"}, "secret"),
            ({"secret": "-AB"}, "secret"),
            ({"secret": "A B"}, "secret"),
            ({"secret": "ÄÖ"}, "secret"),
            ({"secret": ""}, "secret"),
            ({"secret": None}, "secret"),
            ({"secret": "x" * 191}, "secret"),
            ({"value": "-0.01"}, "value"),
            ({"value": "1.001", "currency": "KWD"}, "value"),
            ({"value": "100000000000.00"}, "value"),
            ({"currency": "eur"}, "currency"),
            ({"expires": "soon"}, "expires"),
        ],
    )
    def test_a_card_that_cannot_be_issued(self, pretix: PretixProgram, fields: dict[str, Any], field: str) -> None:
        issue(pretix, "TAKEN")
        wrong = {"secret": "NEW", "value": "5.00", "currency": "EUR", **fields}
        status, _, reply = pretix.request("POST", CARDS, wrong)
        assert status == 400
        assert list(reply) == [field]
        assert len(pretix.truth()) == 1

    def test_texts_follow_the_language_of_the_request(self, pretix: PretixProgram) -> None:
        issue(pretix)
        german = {"Accept-Language": "de"}
        again = {"secret": "HLBYVELFRC77NCQY", "value": "1.00", "currency": "EUR"}
        texts = [pretix.request("POST", CARDS, again, headers=headers)[2]["secret"] for headers in ({}, german)]
        assert texts[0] != texts[1]


class TestIssue:
    @pytest.mark.parametrize("code", [" AB1 ", "AB1\n", "\tAB1"])
    def test_blanks_around_a_code_are_cut_without_a_word(self, pretix: PretixProgram, code: str) -> None:
        assert issue(pretix, code)["secret"] == "AB1"

    @pytest.mark.parametrize(
        ("value", "currency", "answer"),
        [
            ("500", "JPY", "500.00"),
            ("500.50", "JPY", "500.50"),  # half a yen
            ("10.50", "KWD", "10.50"),
            ("0.00", "EUR", "0.00"),
            ("99999999999.99", "EUR", "99999999999.99"),
            (0.1, "USD", "0.10"),
            ("1.00", "XXX", "1.00"),  # ISO 4217: no currency
        ],
    )
    def test_amounts_have_two_decimals_in_every_currency(
        self, pretix: PretixProgram, value: object, currency: str, answer: str
    ) -> None:
        status, _, card = pretix.request("POST", CARDS, {"secret": "NEW", "value": value, "currency": currency})
        assert (status, card["value"]) == (201, answer)

    @pytest.mark.parametrize(
        ("expires", "answer"),
        [
            ("2030-01-01T00:00:00+01:00", "2029-12-31T23:00:00Z"),
            ("2030-01-01T00:00:00.123456Z", "2030-01-01T00:00:00.123456Z"),
            ("2030-01-01T00:00:00", "2030-01-01T00:00:00Z"),  # no offset: the zone of the installation
            ("2030-01-01", "2030-01-01T00:00:00Z"),
        ],
    )
    def test_the_end_of_validity(self, pretix: PretixProgram, expires: str, answer: str) -> None:
        assert issue(pretix, expires=expires)["expires"] == answer

    def test_an_unknown_member_is_ignored(self, pretix: PretixProgram) -> None:
        issue(pretix, nonsense=1)


class TestTransact:
    def test_the_answer_is_the_card_afterwards(self, pretix: PretixProgram) -> None:
        card = issue(pretix)
        assert transact(pretix, card["id"], "-10.53") == (200, {**card, "value": "39.47"})

    def test_too_little_value(self, pretix: PretixProgram) -> None:
        status, reply = transact(pretix, issue(pretix)["id"], "-50.01")
        assert (status, list(reply)) == (409, ["value"])
        assert only_card(pretix).value == "50.00"

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"value": None},
            {"value": "abc"},
            {"value": "-1.005"},
            {"value": "123456789012.00"},
            {"value": "NaN"},
            {"value": "-1.00", "text": None},  # the schema says that it may be null
            {"value": "-1.00", "text": [5]},
        ],
    )
    def test_a_refusal_is_a_bare_array(self, pretix: PretixProgram, fields: dict[str, Any]) -> None:
        id = issue(pretix)["id"]
        status, _, reply = pretix.request("POST", f"{CARDS}{id}/transact/", fields)
        assert status == 400
        assert isinstance(reply, list)
        assert only_card(pretix).value == "50.00"

    def test_a_body_that_is_no_object_is_a_500_in_html(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        status, headers, _ = pretix.request("POST", f"{CARDS}{id}/transact/", [])
        assert (status, headers["content-type"]) == (500, "text/html; charset=utf-8")
        assert pretix.request("POST", f"{CARDS}{id}/transact/", b"{")[0] == 400

    @pytest.mark.parametrize("fields", [{"expires": "2020-01-01T00:00:00Z"}, {"testmode": True}])
    def test_expired_and_test_cards_are_spent_like_others(self, pretix: PretixProgram, fields: dict[str, Any]) -> None:
        assert transact(pretix, issue(pretix, **fields)["id"], "-1.00")[0] == 200

    def test_nothing_and_more_than_was_ever_taken_can_be_added(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        assert transact(pretix, id, "0.00")[1]["value"] == "50.00"
        assert transact(pretix, id, "100.00")[1]["value"] == "150.00"
        assert len(only_card(pretix).transactions) == 3


class TestUpdate:
    def test_code_currency_and_test_mode_stay_without_a_word(self, pretix: PretixProgram) -> None:
        card = issue(pretix)
        changes = {"secret": "OTHER", "currency": "USD", "testmode": True}
        assert pretix.request("PATCH", f"{CARDS}{card['id']}/", changes)[2] == card

    def test_a_value_is_written_as_a_transaction_and_the_answer_still_has_the_old_one(
        self, pretix: PretixProgram
    ) -> None:
        card = issue(pretix)
        status, _, reply = pretix.request("PATCH", f"{CARDS}{card['id']}/", {"value": "1.00"})
        assert (status, reply["value"]) == (200, "50.00")
        assert [one.value for one in only_card(pretix).transactions] == ["50.00", "-49.00"]

    def test_the_end_of_validity_can_be_set_and_cleared(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        for expires, answer in (("2031-05-06T07:08:09.123456+02:00", "2031-05-06T05:08:09.123456Z"), (None, None)):
            assert pretix.request("PATCH", f"{CARDS}{id}/", {"expires": expires})[2]["expires"] == answer


class TestIssuers:
    @pytest.fixture
    def sister(self, pretix: PretixProgram) -> int:
        """The id of a card of an issuer that the organizer accepts."""
        new = {"secret": "SISTER-1", "value": "20.00", "currency": "EUR"}
        _, _, card = pretix.request("POST", SISTERS, new, token=pretix.tokens[ISSUER]["till"])
        return int(card["id"])

    def test_the_cards_of_others_are_shown_and_spent_with_include_accepted_only(
        self, pretix: PretixProgram, sister: int
    ) -> None:
        assert ask(pretix, f"{CARDS}{sister}/")[0] == 404
        assert ask(pretix, f"{CARDS}?include_accepted=True")[1]["count"] == 0  # in small letters only
        assert ask(pretix, f"{CARDS}{sister}/?include_accepted=true")[1]["issuer"] == ISSUER
        assert transact(pretix, sister, "-1.00")[0] == 404
        path = f"{CARDS}{sister}/transact/?include_accepted=true"
        assert pretix.request("POST", path, {"value": "-1.00"})[2]["value"] == "19.00"
        assert [one.acceptor for one in only_card(pretix).transactions] == [ISSUER, ORGANIZER]

    def test_the_cards_of_others_are_not_changed(self, pretix: PretixProgram, sister: int) -> None:
        for query, status in (("", 404), ("?include_accepted=true", 403)):
            assert pretix.request("PATCH", f"{CARDS}{sister}/{query}", {"conditions": "none"})[0] == status

    def test_two_issuers_can_have_the_same_code(self, pretix: PretixProgram, sister: int) -> None:
        same = {"secret": "SISTER-1", "value": "1.00", "currency": "EUR"}
        assert pretix.request("POST", CARDS, same)[0] == 400  # the acceptor cannot take the code of its issuer
        issue(pretix, "OURS")
        ours = {"secret": "OURS", "value": "1.00", "currency": "EUR"}
        assert pretix.request("POST", SISTERS, ours, token=pretix.tokens[ISSUER]["till"])[0] == 201
        _, page = ask(pretix, f"{CARDS}?secret=OURS&include_accepted=true")
        assert [card["issuer"] for card in page["results"]] == [ORGANIZER, ISSUER]


class TestKeys:
    def test_the_first_answer_comes_again_whatever_method_path_and_body_are(self, pretix: PretixProgram) -> None:
        card = issue(pretix)
        path = f"{CARDS}{card['id']}/transact/"
        first = transact(pretix, card["id"], "-10.53", key="k")
        assert transact(pretix, card["id"], "-10.53", key="k") == first
        assert transact(pretix, card["id"], "-1.00", key="k") == first
        assert pretix.request("PATCH", f"{CARDS}{card['id']}/", {"conditions": "x"}, key="k")[2] == first[1]
        assert pretix.request("DELETE", path, key="k")[2] == first[1]
        assert only_card(pretix).value == "39.47"

    def test_a_replay_says_nothing_of_being_one(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        once, again = (pretix.request("POST", f"{CARDS}{id}/transact/", {"value": "-1.00"}, key="k") for _ in range(2))
        same = {"date", "server", "connection"}
        assert {name: once[1][name] for name in once[1].keys() - same} == {
            name: again[1][name] for name in again[1].keys() - same
        }

    def test_another_token_of_the_same_organizer_does_not_know_the_key(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        for team in ("till", "second-till"):
            transact(pretix, id, "-10.00", key="k", token=pretix.tokens[ORGANIZER][team])
        assert only_card(pretix).value == "30.00"

    def test_a_400_is_remembered(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        assert transact(pretix, id, "abc", key="k")[0] == 400
        assert transact(pretix, id, "-1.00", key="k")[0] == 400

    def test_a_403_is_remembered(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        token = pretix.tokens[ORGANIZER]["auditor"]
        assert transact(pretix, id, "-1.00", key="k", token=token)[0] == 403
        pretix.let_auditors_write()
        assert transact(pretix, id, "-1.00", key="k", token=token)[0] == 403
        assert transact(pretix, id, "-1.00", key="k2", token=token)[0] == 200

    def test_a_401_is_remembered_under_the_wrong_token(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        assert transact(pretix, id, "-1.00", key="k", token="x")[0] == 401
        assert transact(pretix, id, "-1.00", key="k")[0] == 200

    def test_a_404_is_remembered(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        refusal = transact(pretix, id + 1, "-1.00", key="k")
        assert refusal == (404, {"detail": "No GiftCard matches the given query."})
        assert transact(pretix, id, "-1.00", key="k") == refusal

    def test_a_405_is_remembered(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        assert pretix.request("DELETE", f"{CARDS}{id}/", key="k")[0] == 405
        assert transact(pretix, id, "-1.00", key="k")[0] == 405

    def test_a_409_and_a_500_are_forgotten(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        assert transact(pretix, id, "-100.00", key="k")[0] == 409
        assert pretix.request("POST", f"{CARDS}{id}/transact/", [], key="k")[0] == 500
        assert transact(pretix, id, "-1.00", key="k")[0] == 200

    def test_a_key_of_a_request_that_did_not_end_is_busy(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        transact(pretix, id, "-1.00", key="k")
        pretix.lock_key("k")
        status, headers, reply = pretix.request("POST", f"{CARDS}{id}/transact/", {"value": "-1.00"}, key="k")
        assert (status, headers["retry-after"], reply) == (409, "5", BUSY)
        assert ask(pretix, "/idempotency_query?key=k") == (409, BUSY)

    @pytest.mark.parametrize("length", [190, 191, 1000])
    def test_a_long_key_works_in_sqlite(self, pretix: PretixProgram, length: int) -> None:
        # The column has 190 characters. SQLite does not enforce that; PostgreSQL does, so a longer key is not sent.
        id = issue(pretix)["id"]
        for _ in range(2):
            assert transact(pretix, id, "-1.00", key="k" * length)[0] == 200
        assert only_card(pretix).value == "49.00"

    def test_a_key_lives_until_the_cleaning_after_24_hours(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        for hours in (23, 25):
            transact(pretix, id, "-1.00", key=f"{hours} h")
            pretix.age_key(f"{hours} h", hours)
            transact(pretix, id, "-1.00", key=f"{hours} h")
        assert only_card(pretix).value == "48.00"
        pretix.forget_old_keys()
        for hours in (23, 25):
            transact(pretix, id, "-1.00", key=f"{hours} h")
        assert only_card(pretix).value == "47.00"

    def test_what_was_answered_under_a_key_can_be_asked(self, pretix: PretixProgram) -> None:
        id = issue(pretix)["id"]
        answer = transact(pretix, id, "-1.00", key="k")
        assert ask(pretix, "/idempotency_query?key=k") == answer
        never = (404, {"detail": "Idempotency key not seen before."})
        assert ask(pretix, "/idempotency_query?key=other") == never
        assert ask(pretix, "/idempotency_query?key=k", token=pretix.tokens[ORGANIZER]["second-till"]) == never
        assert ask(pretix, "/idempotency_query/?key=k")[0] == 404


class TestProgram:
    """What only the program can show."""

    def test_a_500_undoes_what_was_done_before(self, pretix: PretixProgram) -> None:
        """The transaction is made before the log entry, which fails here."""
        id = issue(pretix)["id"]
        pretix.execute("ALTER TABLE pretixbase_logentry RENAME TO gone")
        status, headers, _ = pretix.request("POST", f"{CARDS}{id}/transact/", {"value": "-1.00"}, key="k")
        pretix.execute("ALTER TABLE gone RENAME TO pretixbase_logentry")
        assert (status, headers["content-type"]) == (500, "text/html; charset=utf-8")
        assert only_card(pretix).value == "50.00"
        assert transact(pretix, id, "-1.00", key="k")[0] == 200  # the key was forgotten
