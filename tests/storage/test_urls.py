"""The URLs of databases in messages."""

from __future__ import annotations

import pytest

from voucher_gateway.provider_api import ConfigurationError
from voucher_gateway.storage.engine import normalize, safe_text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@db.example:5433/own",
        "postgresql://db.example:5433/own?user=u&password=hunter2",
        "postgresql://db.example:5433/own?sslpassword=hunter2",
    ],
)
def test_a_message_names_host_port_and_database_only(url: str) -> None:
    assert safe_text(normalize(url, "journal")) == "postgresql+psycopg://db.example:5433/own"


def test_a_message_names_the_folder_of_a_socket(sqlite_url: str) -> None:
    assert "db" in safe_text(normalize("postgresql:///own?host=/run/db&password=hunter2", "journal"))
    assert safe_text(normalize(sqlite_url, "journal")).endswith("/journal.db")


def test_a_password_that_is_not_encoded_is_refused_unseen() -> None:
    with pytest.raises(ConfigurationError, match="%40") as caught:
        normalize("postgresql://u:p@hunter2@db.example/own", "journal")
    assert "hunter2" not in f"{caught.value!r}"
