"""The frame of every page of the wizard: where somebody stands, and which pages can be gone to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection

STEPS = (
    ("choose", _("Whose system")),
    ("access", _("Access")),
    ("place", _("Place")),
    ("words", _("Mapping")),
    ("look", _("Preview and go live")),
)
ALERTS = (*STEPS[:2], ("alerts", _("Mapping and go live")))


def page(request: HttpRequest, step: str, connection: Connection | None, *, title: str, **context: Any) -> HttpResponse:
    is_of_alerts = connection is not None and connection.purpose == Connection.Purpose.ALERTS
    pages = [
        {
            "name": label,
            "is_here": name == step,
            "url": url(name, connection) if connection and _is_open(name, connection) else "",
        }
        for name, label in (ALERTS if is_of_alerts else STEPS)
    ]
    everything = {
        **admin.site.each_context(request),
        "is_nav_sidebar_enabled": False,
        "title": title,
        "connection": connection,
        "opts": Connection._meta,
        "steps": pages,
        **context,
    }
    return render(request, f"admin/connectors/connection/{step}.html", everything)


def _is_open(step: str, connection: Connection) -> bool:
    """Whether a page can be shown yet: each one builds on the one before."""
    return step == "access" or (step != "choose" and bool(connection.own_user))


def url(step: str, connection: Connection) -> str:
    return reverse(f"admin:connectors_{step}", args=[connection.pk])
