"""The admin's history of a connection: who changed which settings and credentials, never their values."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest
from django.utils.translation import gettext as _

from connectors.models import Connection

log = logging.getLogger(__name__)


def changed(request: HttpRequest, connection: Connection, what: Sequence[str]) -> None:
    """Record in the connection's history who changed which settings; does nothing if `what` is empty."""
    if not what:
        return
    said = _("Changed: %s.") % ", ".join(str(each) for each in what)
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [connection], CHANGE, change_message=said, single_object=True)
    log.warning("%s: %s %s", connection, request.user, said)
