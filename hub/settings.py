"""Django settings. Everything that differs between installations comes from the environment.

Every variable is described in docs/settings.md.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from hub import zones
from hub.core import environment, key_files

zones.use_locked()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(environment.text("TICKETHUB_VAR") or BASE_DIR / "var")

DEBUG = environment.flag("TICKETHUB_DEBUG")
SECRET_KEY = environment.text("TICKETHUB_SECRET_KEY") or key_files.read_or_make(
    VAR / "keys" / "secret", lambda: secrets.token_urlsafe(50)
)
SEAL_KEYS = environment.listed("TICKETHUB_SEAL_KEYS") or [
    key_files.read_or_make(VAR / "keys" / "seal", lambda: Fernet.generate_key().decode())
]
ALLOWED_HOSTS = environment.listed("TICKETHUB_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = environment.listed("TICKETHUB_ORIGINS")
PUBLIC_URL = environment.text("TICKETHUB_URL", "http://127.0.0.1:8000").rstrip("/")

DATABASE_ADDRESS = environment.text("DATABASE_URL") or f"sqlite:///{VAR / 'hub.sqlite3'}"
WEB_THREADS = environment.number("TICKETHUB_WEB_THREADS", 4, least=1)
DATABASE_SESSIONS = max(environment.number("TICKETHUB_DATABASE_SESSIONS", 12, least=2), WEB_THREADS + 2)
# A direct session for LISTEN and NOTIFY, which PgBouncer in transaction mode does not offer: hub/core/wakeups.py.
LISTEN_URL = environment.text("TICKETHUB_LISTEN_URL")

CURRENCY = environment.text("TICKETHUB_CURRENCY", "EUR").upper()

PREPARED_PER_SESSION = 300
"""How many statements a PostgreSQL session keeps prepared; a worker uses about two hundred."""


def _is_direct() -> bool:
    """Whether DATABASE_URL leads to PostgreSQL itself and not to a pooler: a direct session names the same place."""
    try:
        urls = [urlsplit(url) for url in (DATABASE_ADDRESS, LISTEN_URL)]
        there, direct = ((url.hostname, url.port or 5432, url.path) for url in urls)
    except ValueError:  # such as a port that is no number
        return False
    # A query may name another host or a socket.
    return there == direct and there[0] is not None and not any(url.query for url in urls)


def _database() -> dict[str, Any]:
    try:
        found: dict[str, Any] = dict(dj_database_url.parse(DATABASE_ADDRESS))
    except (ValueError, KeyError, dj_database_url.ParseError, dj_database_url.UnknownSchemeError) as error:
        raise ImproperlyConfigured(
            "DATABASE_URL is not valid; write postgresql://user:password@host:5432/name or sqlite:///path."
        ) from error
    if found["ENGINE"] == "django.db.backends.sqlite3":
        found["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        }
        found["CONN_MAX_AGE"] = 600
    elif found["ENGINE"] == "django.db.backends.postgresql":
        found["ENGINE"] = "hub.core.postgresql"
        # A thread takes a session from the pool for one request or job (docs/decisions/0039).
        pool = {"min_size": 1, "max_size": DATABASE_SESSIONS, "timeout": 5, "max_idle": 600, "reconnect_timeout": 3}
        # A host that is gone without a word is noticed within seconds, not after the kernel's quarter of an hour.
        alive = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
        found.setdefault("OPTIONS", {}).update(connect_timeout=10, pool=pool, **alive)
        if environment.flag("TICKETHUB_PREPARED_STATEMENTS", _is_direct()):  # docs/decisions/0048
            found["OPTIONS"].update(server_side_binding=True, prepare_threshold=3)
        found["CONN_HEALTH_CHECKS"] = True  # a session that the database has closed is replaced
        found["DISABLE_SERVER_SIDE_CURSORS"] = True  # PgBouncer in transaction mode
    else:
        raise ImproperlyConfigured("DATABASE_URL names an unsupported database; use PostgreSQL or SQLite.")
    return found


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "hub.User"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "csp",
    "django_htmx",
    "hub",
    "workflows",
    "connectors",
    "worker",
    "console",
    "django.contrib.admin",  # last, so that our templates override its own
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "console.middleware.PrivatePagesMiddleware",
    "console.input_checks.SoundInputMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "console.middleware.SessionLimitMiddleware",
    "console.middleware.LanguageMiddleware",
    "console.middleware.TimeZoneMiddleware",
    "console.middleware.FirstRunMiddleware",
    "axes.middleware.AxesMiddleware",
]

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Ten failures lock an account for one address, fifty lock the address: console/lockout.py.
AXES_HANDLER = "console.lockout.Lockout"
AXES_USERNAME_FORM_FIELD = "username"  # the name of the form field; the model uses the e-mail address
AXES_USERNAME_CALLABLE = "console.lockout.name_of"
AXES_FAILURE_LIMIT = 10
LOG_IN_FAILURES_PER_ADDRESS = 50
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], ["ip_address"]]
AXES_LOCKOUT_TEMPLATE = "console/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_IPWARE_PROXY_COUNT = 0

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.undoing.offered",
            ],
        },
    }
]

ROOT_URLCONF = "hub.urls"
CSRF_FAILURE_VIEW = "console.views.errors.forged"
LOGIN_URL = "console:log_in"
LOGIN_REDIRECT_URL = "console:start"
LOGOUT_REDIRECT_URL = "console:log_in"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "console.formats"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [path for path in [BASE_DIR / "node_modules" / ".hub-static"] if path.is_dir()]
MEDIA_ROOT = Path(environment.text("TICKETHUB_FILES") or VAR / "files")
STORAGES = {
    "default": {"BACKEND": "hub.storage.WholeFileStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

SESSION_IDLE = timedelta(hours=environment.number("TICKETHUB_SESSION_IDLE_HOURS", 12, least=1))
SESSION_LONGEST = timedelta(days=environment.number("TICKETHUB_SESSION_DAYS", 7, least=1))
SESSION_COOKIE_AGE = int(SESSION_LONGEST.total_seconds())
PASSWORD_RESET_TIMEOUT = int(timedelta(hours=24).total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
HSTS_SECONDS = 365 * 86400
IS_BEHIND_TLS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_BEHIND_TLS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
MEGABYTE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * MEGABYTE
PROXIES = environment.listed("TICKETHUB_PROXIES")

# Private and loopback addresses that the installation may call.
EGRESS_ALLOW = environment.listed("TICKETHUB_EGRESS_ALLOW")
WRITES_PER_LINK_PER_HOUR = environment.number("TICKETHUB_WRITES_PER_LINK_PER_HOUR", 120, least=1)
HOOK_BODY_LIMIT = environment.number("TICKETHUB_HOOK_BODY_LIMIT", MEGABYTE, least=1024)
# Path prefix, largest body in bytes, the check made before a body is read, and who is called without Django's
# middleware: see hub/front.py.
BODY_RULES = (
    (r"/hooks/", HOOK_BODY_LIMIT, "api.hooks.refused_unread", "api.hooks"),
    (r"/v/", 21 * MEGABYTE, "console.views.guest_link.refused_unread", ""),
    (r"/tickets/[^/]+/comment/", 21 * MEGABYTE, "console.access.comment_refused_unread", ""),
    (r"/admin/(?!login/)", DATA_UPLOAD_MAX_MEMORY_SIZE, "console.access.refused_unread", ""),
    (r"", MEGABYTE, "", ""),
)
# Where open pages ask for news, and who knows whether there are any: see hub/polls.py.
POLLED_PATH, POLLED_BY = "/live/", "console.polling"
CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL")
HOOKS_PER_MINUTE = environment.number("TICKETHUB_HOOKS_PER_MINUTE", 600, least=1)
MAILS_PER_MINUTE = environment.number("TICKETHUB_MAILS_PER_MINUTE", 30, least=1)
WORKER_THREADS = environment.number("TICKETHUB_WORKER_THREADS", 4, least=1)
# SQLite has one writer at a time, so more calls at once would only wait for each other.
CALL_THREADS = environment.number(
    "TICKETHUB_CALL_THREADS", WORKER_THREADS if DATABASE_ADDRESS.startswith("sqlite") else 50, least=1
)

# The hub's own mail: notices, digests, and offers to organisations without a system.
MAIL_URL = environment.text("TICKETHUB_MAIL_URL")
MAIL_FROM = environment.text("TICKETHUB_MAIL_FROM", "Ticket Hub <hub@localhost>")
NAMES_VENDORS = environment.flag("TICKETHUB_NAME_VENDORS")
SUMMARISER = environment.text("TICKETHUB_SUMMARISER")
TIME_LAPSE = environment.text("TICKETHUB_TIME_LAPSE")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # A bounce detector that fails on a message is not an error of ours; the next detector is tried.
    # What the pool of database sessions warns about is reported by whoever needed a session.
    "loggers": {"flufl.bounce": {"level": "CRITICAL"}, "psycopg.pool": {"level": "ERROR"}},
    "root": {"handlers": ["stderr"], "level": environment.text("TICKETHUB_LOG_LEVEL", "WARNING").upper()},
}
