"""Undoing on pages, as tests use it."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hub.core.clock import now
from hub.domain import history, ledger
from hub.models import (
    Clock,
    LedgerSegment,
    Leg,
    Ticket,
    UndoWindow,
)
from tests.console.pages import fresh


def press(client: Client, name: str = "undo") -> str:
    """Press the button of the newest offer; the page that follows."""
    action = client.session["undo"]["action"]
    answer = client.post(reverse(f"console:{name}", args=[action]), {"back": "/work/"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/work/"
    return unescape(answer.content.decode())


def let_time_pass(seconds: float = 10) -> None:
    """Let the window run out: everything in it was done so much earlier."""
    UndoWindow.objects.update(
        until_at=timezone.now() - timedelta(seconds=1), made_at=now() - timedelta(seconds=seconds)
    )


def facts(ticket: Ticket) -> dict[str, Any]:
    """Everything about the ticket that undoing must restore."""
    columns = [f.attname for f in Ticket._meta.concrete_fields]
    own = {"last_seq", "chain_head", "changed_at", "is_indexed"}
    of_leg = [f.attname for f in Leg._meta.concrete_fields]
    of_clock = [f.attname for f in Clock._meta.concrete_fields if f.name not in ("id", "as_of", "used_seconds")]
    of_segment = [f.attname for f in LedgerSegment._meta.concrete_fields if f.name != "id"]
    return {
        "ticket": Ticket.objects.filter(pk=ticket.pk).values(*(name for name in columns if name not in own)).get(),
        "legs": list(Leg.objects.filter(ticket=ticket).order_by("pk").values(*of_leg)),
        "clocks": list(Clock.objects.filter(ticket=ticket).order_by("contract", "target", "cycle").values(*of_clock)),
        "ledger": list(LedgerSegment.objects.filter(ticket=ticket).order_by("from_at").values(*of_segment)),
    }


def is_sound(ticket: Ticket) -> bool:
    return history.verify(fresh(ticket)) is None and ledger.verify(fresh(ticket)) == []
