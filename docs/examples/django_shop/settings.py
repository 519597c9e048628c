"""The settings of the Django shop. Its database is not the journal's: the journal writes on its own connection."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(os.environ["SHOP_FOLDER"])
DATABASES = {
    "default": {  # PGHOST, PGPORT, PGUSER and PGPASSWORD say where the server is
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "ATOMIC_REQUESTS": True,
    }
}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "voucher_gateway.contrib.django", "django_shop"]
MIDDLEWARE = ["django_shop.answers.ErrorAnswers"]
ROOT_URLCONF = "django_shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = os.environ["SHOP_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1"]
APPEND_SLASH = False
USE_TZ = True
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = FOLDER / "mails"

VOUCHER_GATEWAY = FOLDER / "voucher-gateway.toml"
CARDS_URL = os.environ["CARDS_URL"]
