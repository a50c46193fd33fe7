"""The workbench of a profile: a sample answer seen as our ticket, and every capability tried live."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.engine import profiles
from connectors.engine.operations import trials
from connectors.models import Connection, Profile, Trial
from connectors.wizard import audit

MOST_CHARACTERS = 500_000


class SampleForm(forms.Form):
    """An answer of theirs, as copied from their documentation or from curl."""

    what = forms.ChoiceField(
        label=gettext_lazy("It answers"),
        choices=[
            ("list", gettext_lazy("the list of tickets")),
            ("get", gettext_lazy("one ticket")),
            ("notes", gettext_lazy("the notes of a ticket")),
            ("hook", gettext_lazy("— it is what they send when they call us")),
        ],
    )
    answer = forms.CharField(
        label=gettext_lazy("Their answer"),
        max_length=MOST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField", "spellcheck": "false"}),
    )


class TryForm(forms.Form):
    connection = forms.ModelChoiceField(Connection.objects.none(), label=gettext_lazy("With the access of"))
    writes = forms.BooleanField(
        label=gettext_lazy("Try writing, too: makes one ticket there, with notes and a file"), required=False
    )


def urls() -> list[Any]:
    return [
        path("<int:pk>/workbench/", admin.site.admin_view(workbench), name="connectors_profile_workbench"),
        path("<int:pk>/workbench/progress/", admin.site.admin_view(progress), name="connectors_profile_progress"),
    ]


def workbench(request: HttpRequest, pk: int) -> HttpResponse:
    """Samples are read within the request; trials are run by a worker, and the page shows how far it is."""
    profile = _profile(request, pk)
    rows = Connection.objects.filter(profile__slug=profile.slug, profile__connector=profile.connector)
    sample = SampleForm(request.POST if "sample" in request.POST else None)
    trying = TryForm(request.POST if "try" in request.POST else None)
    trying.fields["connection"].queryset = rows  # type: ignore[attr-defined]
    if "stop" in request.POST:
        for trial in _newest(profile):
            trials.stop(trial, by=str(request.user))
        return redirect("admin:connectors_profile_workbench", pk)
    if trying.is_bound and trying.is_valid() and _is_asked(request, profile, trying):
        return redirect("admin:connectors_profile_workbench", pk)
    return render(
        request,
        "admin/connectors/profile/workbench.html",
        {
            **admin.site.each_context(request),
            "title": _("Workbench of %s") % profile,
            "opts": Profile._meta,
            "profile": profile,
            "sample": sample,
            "trying": trying,
            "has_connections": rows.exists(),
            "seen": _seen(profile, sample) if sample.is_bound and sample.is_valid() else None,
            "trial": _newest(profile).first(),
        },
    )


def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How far the newest trial is: a piece of the page."""
    profile = _profile(request, pk)
    return render(
        request, "admin/connectors/profile/_trial.html", {"profile": profile, "trial": _newest(profile).first()}
    )


def _profile(request: HttpRequest, pk: int) -> Profile:
    if not request.user.has_perm("connectors.change_profile"):
        raise PermissionDenied
    return get_object_or_404(Profile, pk=pk)


def _newest(profile: Profile) -> QuerySet[Trial]:
    return Trial.objects.filter(profile=profile).select_related("connection").order_by("-pk")


def _is_asked(request: HttpRequest, profile: Profile, form: TryForm) -> bool:
    """Whether a worker will try this version, with the settings and secrets of a connection that uses any."""
    chosen = form.cleaned_data
    try:
        trials.ask(profile=profile, connection=chosen["connection"], writes=chosen["writes"], by=str(request.user))
    except trials.NotTried as error:
        form.add_error("connection", str(error))
        return False
    return True


def _seen(profile: Profile, form: SampleForm) -> Any:
    try:
        kind = profiles.read(profile.document, connector=profile.connector)
        return kind.preview(form.cleaned_data["what"], form.cleaned_data["answer"])
    except ValueError as error:
        form.add_error("answer", str(error))
        return None


def moved(request: HttpRequest, profile: Profile) -> HttpResponse:
    """Every connection of this profile, on to this version."""
    for connection in Connection.objects.filter(profile__slug=profile.slug).exclude(profile=profile):
        profiles.move(connection, profile)
        audit.changed(request, connection, [_("profile: %s") % profile])
        messages.success(
            request, _("%(connection)s uses %(profile)s now.") % {"connection": connection, "profile": profile}
        )
    return redirect(reverse("admin:connectors_profile_changelist"))
