"""The ASGI entry point: what a request passes before a thread is spent on it (docs/decisions/0027)."""

from __future__ import annotations

from django.conf import settings

from hub.front import Front
from hub.wsgi import application as wsgi_application

application = Front(wsgi_application, threads=settings.WEB_THREADS)
