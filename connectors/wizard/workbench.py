"""The workbench of a profile: a preview of a sample response as a ticket, and a live test of every capability."""

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

from connectors.engine import connection_profiles, profiles
from connectors.engine.operations import trials
from connectors.kit.contract import Previewed
from connectors.models import Connection, Profile, Trial
from connectors.wizard import audit
from hub.translation import localized

MOST_CHARACTERS = 500_000


class SampleForm(forms.Form):
    """A response of the vendor's system, copied from its documentation or from curl."""

    what = forms.ChoiceField(
        label=gettext_lazy("Type of response"),
        choices=[
            ("list", gettext_lazy("the list of tickets")),
            ("get", gettext_lazy("one ticket")),
            ("notes", gettext_lazy("the notes of a ticket")),
            ("hook", gettext_lazy("webhook call")),
        ],
    )
    answer = forms.CharField(
        label=gettext_lazy("Response"),
        max_length=MOST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField", "spellcheck": "false"}),
    )


class TryForm(forms.Form):
    connection = forms.ModelChoiceField(Connection.objects.none(), label=gettext_lazy("Use the credentials of"))
    writes = forms.BooleanField(
        label=gettext_lazy("Also test writing: creates one ticket in the vendor's system, with notes and a file"),
        required=False,
    )


def urls() -> list[Any]:
    return [
        path("<int:pk>/workbench/", admin.site.admin_view(workbench), name="connectors_profile_workbench"),
        path("<int:pk>/workbench/progress/", admin.site.admin_view(progress), name="connectors_profile_progress"),
    ]


def workbench(request: HttpRequest, pk: int) -> HttpResponse:
    """Samples are read within the request; trials are run by a worker, and the page shows the progress."""
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
    """The progress of the newest trial, as a fragment of the page."""
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
    """Queue a trial of this version with the credentials of the chosen connection; False if the form has an error."""
    chosen = form.cleaned_data
    try:
        trials.ask(profile=profile, connection=chosen["connection"], writes=chosen["writes"], by=str(request.user))
    except trials.NotTried as error:
        form.add_error("connection", localized(str(error)))
        return False
    return True


def _seen(profile: Profile, form: SampleForm) -> list[Previewed] | None:
    """The records of the sample, with names in the active language; None if the form now has an error."""
    try:
        kind = profiles.read(profile.document, connector=profile.connector)
        return [
            Previewed(
                title=localized(each.title),
                rows=tuple((localized(name), localized(value)) for name, value in each.rows),
            )
            for each in kind.preview(form.cleaned_data["what"], form.cleaned_data["answer"])
        ]
    except ValueError as error:
        form.add_error("answer", localized(str(error)))
        return None


def moved(request: HttpRequest, profile: Profile) -> HttpResponse:
    """Move every connection of this profile to this version."""
    for connection in Connection.objects.filter(profile__slug=profile.slug).exclude(profile=profile):
        connection_profiles.move(connection, profile)
        audit.changed(request, connection, [_("profile: %s") % profile])
        messages.success(
            request, _("%(connection)s now uses %(profile)s.") % {"connection": connection, "profile": profile}
        )
    return redirect(reverse("admin:connectors_profile_changelist"))
