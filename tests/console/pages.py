"""A ticket and its page, as tests use them."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Ticket

BACKEND = "django.contrib.auth.backends.ModelBackend"


def opened(agent: Actor, **more: Any) -> Ticket:
    made = tickets.open_ticket(title="VPN down", actor=agent, at=now(), **more)
    return Ticket.objects.select_related("status").get(pk=made.pk)


def fresh(ticket: Ticket) -> Ticket:
    return Ticket.objects.select_related("status").get(pk=ticket.pk)


def post(client: Client, name: str, ticket: Ticket, *more: str, **data: Any) -> str:
    answer = client.post(reverse(f"console:{name}", args=[ticket.public_id, *more]), data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()
