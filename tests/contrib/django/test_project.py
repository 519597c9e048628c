"""A Django project with the gateway: its settings, its checks, its command and its admin, as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from voucher_gateway import Money

if TYPE_CHECKING:
    from tests.support.shop import Shop

SETTINGS = """
import os
SECRET_KEY = "a-secret-key-of-a-test"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["*"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db", "ATOMIC_REQUESTS": True},
    "vouchers": {"ENGINE": "django.db.backends.sqlite3", "NAME": "vouchers.db"},
}
DATABASE_ROUTERS = ["voucher_gateway.contrib.django.models.JournalRouter"]
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages",
    "django.contrib.sessions", "voucher_gateway.contrib.django",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
VOUCHER_GATEWAY = {
    "journal": os.environ.get("JOURNAL", "sqlite:///vouchers.db"),
    "accounts": {"shop": {"provider": "jtl", "base_url": "URL", "client_id": "CLIENT", "client_secret": "SECRET"}},
}
VOUCHER_GATEWAY_DATABASE = "vouchers"
exec(os.environ.get("CHANGES", ""))
"""
URLS = """
from django.contrib import admin
from django.urls import path
urlpatterns = [path("admin/", admin.site.urls)]
"""


@attrs.frozen
class Project:
    """A project in a folder."""

    folder: Path

    def run(self, *arguments: str, changes: str = "", code: int | None = 0, **environment: str) -> str:
        """Run a program in the project; return what it printed."""
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "CHANGES": changes, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert code is None or result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def manage(self, *arguments: str, changes: str = "", code: int | None = 0, **environment: str) -> str:
        """Run a management command."""
        return self.run("-m", "django", *arguments, changes=changes, code=code, **environment)


@pytest.fixture
def project(shop: Shop, tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    login = shop.running.announcement
    text = SETTINGS
    for name, value in (
        ('"URL"', login["base_url"]),
        ('"CLIENT"', login["client_id"]),
        ('"SECRET"', login["client_secret"]),
    ):
        text = text.replace(name, repr(value))
    (folder / "settings.py").write_text(text)
    (folder / "urls.py").write_text(URLS)
    return Project(folder)


def test_a_right_project_has_nothing_to_say(project: Project) -> None:
    assert "no issues" in project.manage("check")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ("del VOUCHER_GATEWAY", "voucher_gateway.E001) the setting VOUCHER_GATEWAY must be the path"),
        ("VOUCHER_GATEWAY['jurnal'] = 1", "(voucher_gateway.E001) config: jurnal: is not a key of a configuration"),
        ("del VOUCHER_GATEWAY['journal']", "(voucher_gateway.W001) the configuration has no journal"),
        (
            "VOUCHER_GATEWAY['journal'] = 'postgresql://vouchers@db/vouchers'",
            "(voucher_gateway.E002) the journal in PostgreSQL has no key",
        ),
        (
            "VOUCHER_GATEWAY['journal'] = 'sqlite:///shop.db'",
            "(voucher_gateway.E003) the journal is in the SQLite file",
        ),
        (
            "DATABASES['default']['ATOMIC_REQUESTS'] = False; VOUCHER_GATEWAY['journal'] = 'sqlite:///shop.db'",
            "(voucher_gateway.W002) the journal is in the SQLite file",
        ),
        ("VOUCHER_GATEWAY_DATABASE = 'voucher'", "(voucher_gateway.E004) VOUCHER_GATEWAY_DATABASE names 'voucher'"),
        ("DATABASE_ROUTERS = []", "(voucher_gateway.E005) the journal is in the database 'vouchers', and no router"),
        (
            "VOUCHER_GATEWAY_ACCOUNTS = type('Broken', (), {'__init__': lambda self: 1 / 0})",
            "voucher_gateway.E001) config: account_source: cannot be made: its class raised an error",
        ),
    ],
    ids=[
        "no setting",
        "wrong key",
        "no journal",
        "no key",
        "one file, atomic",
        "one file",
        "no such database",
        "no router",
        "a class that raises",
    ],
)
@pytest.mark.long
def test_a_check_names_what_is_wrong(project: Project, changes: str, text: str) -> None:
    assert text in project.manage("check", changes=changes, code=None, VOUCHER_GATEWAY_JOURNAL_KEY="")


def test_the_journal_keeps_a_call_whose_view_is_rolled_back(project: Project, shop: Shop) -> None:
    code = shop.voucher()[1]
    text = project.run(
        "-c",
        f"""
import django
django.setup()
from django.db import transaction
from voucher_gateway import Money
from voucher_gateway.contrib.django import close_gateway, get_gateway
try:
    with transaction.atomic():
        get_gateway().redeem("shop", {code!r}, Money("10.00", "EUR"), reference="1001-a", order="1001")
        raise RuntimeError("the view fails")
except RuntimeError:
    pass
assert get_gateway() is get_gateway()
print(get_gateway().operation("shop", "redeem", "1001-a").state)
close_gateway()
""",
    )
    assert text == "succeeded\n"


@pytest.mark.long
def test_the_command_runs_voucher_gateway_with_the_settings(project: Project) -> None:
    assert "jtl" in project.manage("vouchers", "accounts")
    assert "redeem" in project.manage("vouchers", "redeem", "--help")
    assert "unknown account" in project.manage("vouchers", "balance", "nowhere", "X", code=2)


@pytest.mark.long
def test_the_admin_shows_operations_and_payments_and_changes_nothing(project: Project, shop: Shop) -> None:
    code = shop.voucher()[1]
    text = project.run(
        "-c",
        f"""
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from voucher_gateway import Money
from voucher_gateway.contrib.django import get_gateway
call_command("migrate", verbosity=0)
gateway = get_gateway()
payment = gateway.payment("1001", total=Money("60.00", "EUR"))
payment.add({code!r}, account="shop")
payment.authorize()
payment.capture()
client = Client()
client.force_login(User.objects.create_superuser("ada"))
operation = next(iter(gateway.operations()))
for page in (
    "operation/", "operation/?q=1001", f"operation/{{operation.id}}/change/",
    "payment/", "payment/?attention__isempty=1", f"payment/{{payment.id}}/change/",
):
    answer = client.get(f"/admin/voucher_gateway/{{page}}")
    assert answer.status_code == 200, (page, answer.status_code)
    print(answer.content.decode())
for page in ("operation/add/", f"payment/{{payment.id}}/delete/"):
    assert client.get(f"/admin/voucher_gateway/{{page}}").status_code == 403, page
assert client.post(f"/admin/voucher_gateway/payment/{{payment.id}}/change/", {{"state": "open"}}).status_code == 403
""",
    )
    assert "1001" in text
    assert "50.00 EUR captured" in text
    assert code not in text


@pytest.mark.long
def test_a_model_of_the_journal_cannot_be_written(project: Project) -> None:
    text = project.run(
        "-c",
        """
import django
django.setup()
from voucher_gateway.contrib.django.models import Operation
rows = Operation.objects.using("vouchers")
for change in (
    Operation(id="1").save, Operation(id="1").delete, rows.delete, rows.all().delete,
    lambda: rows.filter(id="1").update(account="x"), lambda: rows.create(id="1"),
    lambda: rows.bulk_create([Operation(id="1")]), lambda: Operation.objects.update_or_create(id="1"),
):
    try:
        change()
    except TypeError as error:
        print(error)
""",
    )
    assert text == "the journal is written by the gateway alone\n" * 8


@pytest.mark.long
def test_the_gateway_of_a_process_serves_its_forked_workers(project: Project, shop: Shop) -> None:
    code = shop.voucher()[1]
    text = project.run(
        "-c",
        f"""
import os
import django
django.setup()
from voucher_gateway.contrib.django import get_gateway
get_gateway().balance("shop", {code!r})
child = os.fork()
if not child:
    print(get_gateway().balance("shop", {code!r}).remaining, flush=True)
    os._exit(0)
os.waitpid(child, 0)
""",
    )
    assert text == f"{Money('50.00', 'EUR')}\n"


TENANTS = """
class Tenants:
    def find_account(self, name):
        from django.conf import settings

        return settings.LOGIN if name == "tenant-17" else None

    def account_names(self):
        return ["tenant-17"]
"""
OF_TENANTS = "LOGIN = VOUCHER_GATEWAY.pop('accounts')['shop']; VOUCHER_GATEWAY_ACCOUNTS = 'tenants.Tenants'"


def test_accounts_of_tenants_are_found_by_a_class_of_the_project(project: Project) -> None:
    (project.folder / "tenants.py").write_text(TENANTS)
    assert "tenant-17" in project.manage("vouchers", "accounts", changes=OF_TENANTS)
    assert "no issues" in project.manage("check", changes=OF_TENANTS)


def test_the_check_names_a_source_of_accounts_that_cannot_be_imported(project: Project) -> None:
    changes = "VOUCHER_GATEWAY_ACCOUNTS = 'tenants.Nothing'"
    assert "the setting VOUCHER_GATEWAY_ACCOUNTS cannot be imported" in project.manage("check", changes=changes, code=1)


RECEIVERS = """
from django.apps import AppConfig


class Receivers(AppConfig):
    name = "receivers"

    def ready(self):
        from voucher_gateway.contrib.django import signals

        for name in ("operation_changed", "payment_changed", "sale_changed"):
            getattr(signals, name).connect(globals()["note_" + name])


def note(name, event):
    with open("noted.txt", "a") as file:
        file.write(f"{name} {event.kind} {event.order}\\n")
    with open("fail.txt") as file:
        if file.read() == event.kind:
            raise RuntimeError("a receiver failed")


def note_operation_changed(sender, event, **kwargs):
    note("operation", event)


def note_payment_changed(sender, event, **kwargs):
    note("payment", event)


def note_sale_changed(sender, event, **kwargs):
    note("sale", event)
"""
WITH_RECEIVERS = "INSTALLED_APPS.append('receivers.Receivers')"
REDEEM = """
import django
django.setup()
from voucher_gateway import Money
from voucher_gateway.contrib.django import get_gateway
get_gateway().redeem("shop", {code!r}, Money("1.00", "EUR"), reference="r-1", order="1001")
"""


def test_signals_tell_what_other_processes_did_once_and_again_after_an_error(project: Project, shop: Shop) -> None:
    (project.folder / "receivers.py").write_text(RECEIVERS)
    (project.folder / "fail.txt").write_text("operation.succeeded")
    project.run("-c", REDEEM.format(code=shop.voucher()[1]))

    failed = project.manage("vouchers", "events", "--once", changes=WITH_RECEIVERS, code=1)
    assert "a receiver failed" in failed
    (project.folder / "fail.txt").write_text("")
    assert "1 event sent" in project.manage("vouchers", "events", "--once", changes=WITH_RECEIVERS)
    assert "0 events sent" in project.manage("vouchers", "events", "--once", changes=WITH_RECEIVERS)

    assert (project.folder / "noted.txt").read_text().splitlines() == [
        "operation operation.started 1001",
        "operation operation.succeeded 1001",
        "operation operation.succeeded 1001",
    ]


SELL_AND_PAY = """
import django
django.setup()
from voucher_gateway import Money, NewVoucher
from voucher_gateway.contrib.django import get_gateway
gateway = get_gateway()
gateway.sale("1002-gift", "shop", NewVoucher(initial=Money("5.00", "EUR"))).fulfil()
payment = gateway.payment("1003", total=Money("1.00", "EUR"))
payment.add({code!r}, account="shop")
payment.authorize()
payment.capture()
"""


@pytest.mark.long
def test_signals_tell_of_payments_and_sales(project: Project, shop: Shop) -> None:
    (project.folder / "receivers.py").write_text(RECEIVERS)
    (project.folder / "fail.txt").write_text("")
    project.run("-c", SELL_AND_PAY.format(code=shop.voucher()[1]))
    project.manage("vouchers", "events", "--once", changes=WITH_RECEIVERS)
    noted = (project.folder / "noted.txt").read_text().splitlines()
    sale = [line.split()[1] for line in noted if line.startswith("sale")]
    payment = [line.split()[1] for line in noted if line.startswith("payment")]
    assert (sale[0], sale[-1]) == ("sale.opened", "sale.fulfilled")
    assert (payment[0], payment[-1]) == ("payment.opened", "payment.captured")
    assert "payment payment.captured 1003" in noted


@pytest.mark.long
def test_the_command_has_the_lists_of_events_as_well(project: Project, shop: Shop) -> None:
    project.run("-c", REDEEM.format(code=shop.voucher()[1]))
    assert "operation.succeeded" in project.manage("vouchers", "events", "list")
