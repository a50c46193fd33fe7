"""The product's settings, made quick for tests; DATABASE_URL chooses the database as for real."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("TICKETHUB_VAR", tempfile.mkdtemp(prefix="tickethub-tests-"))
os.environ.setdefault("TICKETHUB_SEAL_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
os.environ.setdefault("TICKETHUB_SECRET_KEY", "only-for-tests")

from hub.settings import *  # noqa: F403
from hub.settings import DATABASES, MIDDLEWARE, VAR

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MEDIA_ROOT = VAR / "files"
AXES_ENABLED = False
MIDDLEWARE = [name for name in MIDDLEWARE if "whitenoise" not in name]
STORAGES = {
    "default": {"BACKEND": "hub.storage.WholeFileStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;"
    )
    # A file, as in production: in a database in memory, two threads do not wait for each other.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR / "tests.sqlite3")}
else:
    # The runner empties the tables of its own database between tests; nobody else may.
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c hub.allow_truncate=on"
