"""Open connections to systems that announce news, such as IMAP IDLE. News makes the next poll due at once.

There is one thread per connection. Nothing depends on these threads: without them, polling still fetches everything.
"""

from __future__ import annotations

import logging
import threading

from django.db import connections as databases

from connectors.engine import registry
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import ListeningConnector
from connectors.kit.errors import ConnectorError, Unsupported
from connectors.models import Connection

log = logging.getLogger(__name__)

LINE_SECONDS = 300.0
"""How long a line is kept open: one without traffic may have been cut by a firewall without notice."""
AFTER_NEWS_SECONDS = 1.0
AFTER_FAILURE_SECONDS = 60.0
AFTER_NEVER_SECONDS = 3600.0


class Listeners:
    """Keeps a line open for every connection whose connector can listen, until stopped."""

    def __init__(self, *, line_seconds: float = LINE_SECONDS) -> None:
        self.line_seconds = line_seconds
        self.stopped = threading.Event()
        self.threads: dict[int, threading.Thread] = {}

    def refresh(self) -> None:
        """Start to listen on connections that went live; the threads of other connections end by themselves."""
        self.threads = {pk: thread for pk, thread in self.threads.items() if thread.is_alive()}
        slugs = [slug for slug, kind in registry.connectors_by_slug().items() if issubclass(kind, ListeningConnector)]
        live = Connection.objects.filter(state=Connection.State.ACTIVE, connector__in=slugs)
        for pk in live.exclude(pk__in=list(self.threads)).values_list("pk", flat=True):
            self.threads[pk] = threading.Thread(target=self._keep, args=(pk,), name=f"line-{pk}", daemon=True)
            self.threads[pk].start()

    def stop(self) -> None:
        """End all threads at their next opportunity."""
        self.stopped.set()

    def _keep(self, pk: int) -> None:
        try:
            while not self.stopped.is_set():
                wait = listen_once(pk, seconds=self.line_seconds)
                databases.close_all()
                if wait is None or self.stopped.wait(wait):
                    return
        finally:
            databases.close_all()


def listen_once(pk: int, *, seconds: float) -> float | None:
    """Wait for news of one connection and make its poll due.

    Returns after how many seconds to listen again; None if the connection is not live.
    """
    connection = Connection.objects.filter(pk=pk, state=Connection.State.ACTIVE).first()
    if connection is None:
        return None
    try:
        with registry.ready(connection, ListeningConnector) as connector:
            databases.close_all()
            if not connector.listen(connection.cursor, seconds):
                return 0.0
    except Unsupported:
        return AFTER_NEVER_SECONDS
    except (ConnectorError, CannotUnseal, registry.UnknownConnector) as error:
        log.info("%s: no line: %s", connection, error)
        return AFTER_FAILURE_SECONDS
    Connection.objects.filter(pk=pk, state=Connection.State.ACTIVE).update(next_poll_at=None)
    return AFTER_NEWS_SECONDS
