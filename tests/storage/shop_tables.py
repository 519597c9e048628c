"""Shops with migrations of their own, one with Django, one with Alembic. Both have a table `operations`."""

from __future__ import annotations

import abc
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import sqlalchemy as sa

_MANAGE: Final = """
import os
import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    DATABASES={"default": eval(os.environ["SHOP_DATABASE"])},
    INSTALLED_APPS=["orders"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
execute_from_command_line(sys.argv)
"""

_MODELS: Final = """
from django.db import models


class Operation(models.Model):
    name = models.CharField(max_length=50)
    note = models.CharField(max_length=50, default="")

    class Meta:
        db_table = "operations"
"""

_DJANGO_FIRST: Final = """
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Operation",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=50)),
            ],
            options={"db_table": "operations"},
        )
    ]
"""

_DJANGO_SECOND: Final = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001")]
    operations = [migrations.AddField("operation", "note", models.CharField(max_length=50, default=""))]
"""

_ENV: Final = """
import sqlalchemy as sa
from alembic import context

metadata = sa.MetaData()
sa.Table(
    "operations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("note", sa.String(50), nullable=False, server_default=""),
)


def include_name(name, type_, parent_names):
    return type_ != "table" or not name.startswith(("voucher_gateway_", "local_"))


with sa.create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, include_name=include_name)
    with context.begin_transaction():
        context.run_migrations()
"""

_ALEMBIC_FIRST: Final = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "operations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
    )


def downgrade():
    op.drop_table("operations")
"""

_ALEMBIC_SECOND: Final = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("operations", sa.Column("note", sa.String(50), nullable=False, server_default=""))


def downgrade():
    op.drop_column("operations", "note")
"""


class OwnTables(abc.ABC):
    """A shop's own tables in a database. Every command is a separate process.

    Args:
        folder: where the shop's program is written.
        url: the database.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        for name, text in self._files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.lstrip())

    @abc.abstractmethod
    def _files(self) -> dict[str, str]: ...

    @abc.abstractmethod
    def upgrade(self, version: int) -> None:
        """Upgrade the tables to the first or second version."""

    @abc.abstractmethod
    def drop(self) -> None:
        """Downgrade to no tables at all."""

    @abc.abstractmethod
    def check(self) -> None:
        """Make sure that the framework sees nothing in the database that it would change."""

    def insert(self, name: str) -> None:
        """Insert a row into the shop's `operations`."""
        self._execute(sa.text("INSERT INTO operations (name) VALUES (:name)").bindparams(name=name))

    def names(self) -> list[str]:
        """Return what the shop's `operations` hold."""
        engine = sa.create_engine(_with_driver(self.url))
        with engine.connect() as connection:
            names = list(connection.scalars(sa.text("SELECT name FROM operations ORDER BY id")))
        engine.dispose()
        return names

    def _execute(self, statement: sa.TextClause) -> None:
        engine = sa.create_engine(_with_driver(self.url))
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()

    def _run(self, *arguments: str, **variables: str) -> None:
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"


class DjangoShop(OwnTables):
    """A Django project with one app, `orders`."""

    def _files(self) -> dict[str, str]:
        return {
            "manage.py": _MANAGE,
            "orders/__init__.py": "",
            "orders/models.py": _MODELS,
            "orders/migrations/__init__.py": "",
            "orders/migrations/0001.py": _DJANGO_FIRST,
            "orders/migrations/0002.py": _DJANGO_SECOND,
        }

    def upgrade(self, version: int) -> None:
        self._manage("migrate", "orders", f"000{version}")

    def drop(self) -> None:
        self._manage("migrate", "orders", "zero")

    def check(self) -> None:
        self._manage("makemigrations", "--check", "--dry-run", "--skip-checks")

    def insert(self, name: str) -> None:
        columns, values = self._columns_of(name)
        self._execute(sa.text(f"INSERT INTO operations ({columns}) VALUES ({values})").bindparams(name=name))

    def _columns_of(self, name: str) -> tuple[str, str]:
        # Django keeps no default in the database.
        engine = sa.create_engine(_with_driver(self.url))
        has_note = any(column["name"] == "note" for column in sa.inspect(engine).get_columns("operations"))
        engine.dispose()
        return ("name, note", ":name, ''") if has_note else ("name", ":name")

    def _manage(self, *arguments: str) -> None:
        url = sa.make_url(self.url)
        if url.get_backend_name() == "sqlite":
            database = {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database}
        else:
            database = {"ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username}
            host = url.host or url.query.get("host")
            database |= {"HOST": str(host or ""), "PORT": str(url.port or ""), "PASSWORD": url.password or ""}
        self._run("manage.py", *arguments, SHOP_DATABASE=repr(database))


class AlembicShop(OwnTables):
    """A folder of Alembic's, with its default version table."""

    def _files(self) -> dict[str, str]:
        url = _with_driver(self.url).render_as_string(hide_password=False).replace("%", "%%")
        return {
            "alembic.ini": f"[alembic]\nscript_location = scripts\npath_separator = os\nsqlalchemy.url = {url}\n",
            "scripts/env.py": _ENV,
            "scripts/versions/0001.py": _ALEMBIC_FIRST,
            "scripts/versions/0002.py": _ALEMBIC_SECOND,
        }

    def upgrade(self, version: int) -> None:
        self._run("-m", "alembic", "upgrade", f"000{version}")

    def drop(self) -> None:
        self._run("-m", "alembic", "downgrade", "base")

    def check(self) -> None:
        self._run("-m", "alembic", "check")


def _with_driver(url: str) -> sa.URL:
    parsed = sa.make_url(url)
    return parsed.set(drivername="postgresql+psycopg") if parsed.get_backend_name() == "postgresql" else parsed
