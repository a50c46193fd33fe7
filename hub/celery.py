"""Celery, for installations with a broker. Tasks carry only ids of rows; the database stays authoritative."""

from __future__ import annotations

import os
import sys

from celery import Celery, signals
from django.conf import settings
from kombu.entity import Exchange, Queue

from hub.core import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

QUEUES = ("sync", "poll", "mail")
OF_RABBITMQ = {"confirm_publish": True}
OF_REDIS = {"visibility_timeout": 300, "socket_connect_timeout": 4, "socket_timeout": 10}
"""After `visibility_timeout` seconds Redis delivers the tasks of a killed worker again."""


def _quorum(name: str) -> Queue:
    return Queue(name, Exchange(name), name, queue_arguments={"x-queue-type": "quorum"})


app = Celery("tickethub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue="sync",
    # On RabbitMQ only quorum queues return a killed worker's tasks at once; Redis ignores the argument.
    task_queues=[_quorum(name) for name in QUEUES],
    # Quorum queues do not support global QoS, so the worker must not request it.
    worker_detect_quorum_queues=True,
    broker_transport_options=OF_REDIS if settings.CELERY_BROKER_URL.startswith("redis") else OF_RABBITMQ,
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=4,
)
# Celery would close the pool of database sessions before and after each task; the task returns its session itself.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize // 2
app.autodiscover_tasks(["worker"])


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def _freeze(**_: object) -> None:
    garbage.freeze()
