"""The ASGI entry point: the WSGI application behind `hub.front` (docs/decisions/0027)."""

from __future__ import annotations

from django.conf import settings

from hub.core import garbage
from hub.front import Front
from hub.wsgi import application as wsgi_application

application = Front(wsgi_application, threads=settings.WEB_THREADS)
garbage.freeze()
