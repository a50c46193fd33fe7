"""The WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

from hub.core.child_process import tie_if_asked

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

tie_if_asked()
application = get_wsgi_application()
