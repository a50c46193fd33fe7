"""A profile as forms, one per table, for admins who do not want to write TOML. Saving validates the whole profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.engine import profiles
from connectors.kit.contract import ProfileKey, ProfileSection
from connectors.models import Profile
from hub.models import Publication
from hub.translation import localized

NEW_NAME, NEW_VALUE = "+name", "+value"
GROUPS = (
    ("", gettext_lazy("The system")),
    ("settings", gettext_lazy("Settings to enter")),
    ("connect", gettext_lazy("URL and authentication")),
    ("limits", gettext_lazy("Limits")),
    ("times", gettext_lazy("Time formats")),
    ("since", gettext_lazy("Changed since")),
    ("operations", gettext_lazy("Operations")),
    ("who", gettext_lazy("Our user")),
    ("people", gettext_lazy("Names of people")),
    ("ticket", gettext_lazy("Tickets")),
    ("notes", gettext_lazy("Notes")),
    ("files", gettext_lazy("Files")),
    ("picklists", gettext_lazy("Picklists")),
    ("errors", gettext_lazy("Error responses")),
    ("hook", gettext_lazy("Webhooks")),
    ("lacks", gettext_lazy("Missing capabilities")),
    ("lengths", gettext_lazy("Maximum text lengths")),
)
ADDED = {"settings": "settings.+", "notes": "notes.+", "files": "files.+", "errors": "errors.+"}


class TableForm(forms.Form):
    """One table of the profile."""

    def __init__(self, section: ProfileSection, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section
        for key in section.keys:
            self.fields[key.name] = _field(key)
        if section.takes_more:
            self.fields[NEW_NAME] = forms.CharField(label=_("New entry: name"), required=False, max_length=100)
            self.fields[NEW_VALUE] = forms.CharField(label=_("New entry: value"), required=False, max_length=20_000)

    def values(self) -> dict[str, str]:
        """What was entered, by key, including a new entry."""
        found = {key.name: str(self.cleaned_data.get(key.name) or "") for key in self.section.keys}
        if self.cleaned_data.get(NEW_NAME):
            found[self.cleaned_data[NEW_NAME].strip()] = self.cleaned_data.get(NEW_VALUE) or ""
        return found


def _field(key: ProfileKey) -> forms.Field:
    help_text = localized(key.help)
    common: dict[str, Any] = {"label": key.name, "required": False, "help_text": help_text, "initial": key.value}
    choices = key.choices if key.kind == "text" else ("true", "false") if key.kind == "flag" else ()
    if choices:
        return forms.ChoiceField(choices=[("", "—"), *((each, each) for each in choices)], **common)
    is_long = "\n" in key.value or len(key.value) > 90 or key.kind == "toml"
    rows = min(12, 1 + key.value.count("\n") + len(key.value) // 100)
    widget: forms.Widget = forms.TextInput(attrs={"class": "vLargeTextField", "spellcheck": "false"})
    if is_long:
        widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField", "spellcheck": "false"})
    return forms.CharField(max_length=50_000, strip=False, widget=widget, **common)


def urls() -> list[Any]:
    return [path("<int:pk>/form/", admin.site.admin_view(profile_form), name="connectors_profile_form")]


def profile_form(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perm("connectors.change_profile"):
        raise PermissionDenied
    profile = get_object_or_404(Profile, pk=pk)
    place = request.GET.get("at", "")
    try:
        section = profiles.section_at(profile, place)
    except ValueError as error:
        messages.error(request, localized(str(error)))
        return redirect(_url(profile, ""))
    is_draft = profile.status == Publication.DRAFT
    form = TableForm(section, request.POST or None)
    elsewhere: list[str] = []
    if request.method == "POST" and is_draft and form.is_valid():
        try:
            profiles.edit(profile, place=place, values=form.values())
        except ValueError as error:
            elsewhere = _at_their_fields(form, place, localized(str(error)).split("\n"))
        else:
            messages.success(request, _("Saved; the profile is valid."))
            return redirect(_url(profile, place if place.partition(".")[2] != "+" else place[:-2]))
    context = {
        **admin.site.each_context(request),
        "title": _("%(profile)s: %(section)s") % {"profile": profile, "section": place or _("The system")},
        "opts": Profile._meta,
        "profile": profile,
        "form": form,
        "place": place,
        "section": section,
        "elsewhere": elsewhere,
        "is_draft": is_draft,
        "groups": _groups(profiles.sections(profile), place),
    }
    return render(request, "admin/connectors/profile/form.html", context)


def _url(profile: Profile, place: str) -> str:
    return f"{reverse('admin:connectors_profile_form', args=[profile.pk])}?{urlencode({'at': place})}"


def _at_their_fields(form: TableForm, place: str, mistakes: Sequence[str]) -> list[str]:
    """Add each error to the field it is about; returns the errors of other tables."""
    elsewhere: list[str] = []
    for mistake in mistakes:
        where, _colon, what = mistake.partition(": ")
        key = where.removeprefix(f"{place}." if place else "")
        if what and key in form.fields:
            form.add_error(key, what)
        else:
            elsewhere.append(mistake)
    return elsewhere


def _groups(sections: Sequence[ProfileSection], here: str) -> list[dict[str, Any]]:
    """The list beside the form: the tables of the profile, and those that can be added."""
    found = []
    for name, label in GROUPS:
        mine = [each for each in sections if each.place.partition(".")[0] == name]
        rows = [
            {
                "place": each.place,
                "label": each.place.partition(".")[2] or str(label),
                "is_there": each.is_there,
                "is_here": each.place == here,
            }
            for each in mine
        ]
        named = name in ("operations", "picklists")
        found.append({"label": label, "rows": rows, "add": ADDED.get(name, ""), "named": name if named else ""})
    return found
