"""Find what is due and do it: embedded in threads, with CELERY_BROKER_URL by publishing ids."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from connectors.engine.inbound.listening import Listeners
from connectors.engine.operations import troubles
from worker import tasks
from worker.dispatcher import Dispatcher


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        # Whoever starts a worker learns at once that there is no database; one that goes away later is waited for.
        connection.ensure_connection()
        publish = tasks.publish if settings.CELERY_BROKER_URL else None
        dispatcher = Dispatcher(threads=settings.WORKER_THREADS, publish=publish)
        listeners = Listeners()
        dispatcher.every_minute(listeners.refresh)
        dispatcher.every_minute(troubles.Clock().look)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: dispatcher.stop())
        dispatcher.run()
        listeners.stop()
