"""The frame of the wizard's pages: the steps, which of them is open, and which can be opened."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection

STEPS = (
    ("choose", _("Vendor and system")),
    ("access", _("Access")),
    ("place", _("Company and queue")),
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
    """Whether a page can be opened yet: each one builds on the previous one."""
    return step == "access" or (step != "choose" and bool(connection.own_user))


def url(step: str, connection: Connection) -> str:
    return reverse(f"admin:connectors_{step}", args=[connection.pk])
