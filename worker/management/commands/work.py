"""Run the jobs that are due: in threads of this process, or with CELERY_BROKER_URL by publishing their ids."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from connectors.engine.inbound.listening import Listeners
from connectors.engine.operations import troubles
from hub.core import garbage
from worker import tasks
from worker.dispatcher import Dispatcher


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        # Fail at once if there is no database at start-up; if it goes away later, the worker waits for it.
        connection.ensure_connection()
        publish = tasks.publish if settings.CELERY_BROKER_URL else None
        dispatcher = Dispatcher(threads=settings.WORKER_THREADS, calls=settings.CALL_THREADS, publish=publish)
        listeners = Listeners()
        dispatcher.every_minute(listeners.refresh)
        dispatcher.every_minute(troubles.Clock().look)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: dispatcher.stop())
        garbage.freeze()
        dispatcher.run()
        listeners.stop()
