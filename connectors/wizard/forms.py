"""What each page of the wizard asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connectors.engine import profiles, registry, vault
from connectors.engine.mapping import mapping_suggestions
from connectors.kit.contract import Choice, Connector, Setting, several
from connectors.models import Connection, NoteRule, PackPlace, StatusRule
from hub.models import Organisation, Priority, Service

Picklists = Mapping[str, tuple[Choice, ...]]


class ChooseForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whose system, and of which kind."""

    new_organisation = forms.CharField(
        label=_("Or a new organisation"),
        required=False,
        max_length=200,
        help_text=_("The vendor's name, if it is not in the list yet; it is added as a vendor."),
    )

    class Meta:
        model = Connection
        fields = ["organisation", "connector", "name"]

    field_order = ("organisation", "new_organisation", "connector", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connector"] = forms.ChoiceField(
            label=_("Their system"), choices=[("", "—"), *sorted(profiles.choices(), key=lambda row: row[1].lower())]
        )
        vendors = Organisation.objects.exclude(kind__in=[Organisation.Kind.CUSTOMER])
        self.fields["organisation"] = forms.ModelChoiceField(
            vendors.order_by("name"), label=_("Organisation"), required=False
        )
        self.order_fields(self.field_order)
        self.fields["name"].required = False
        self.fields["name"].help_text = _("Left empty it becomes “organisation (system)”.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        new = (cleaned.get("new_organisation") or "").strip()
        if not cleaned.get("organisation") and not new:
            self.add_error("organisation", _("Choose the vendor, or enter its name below."))
        elif new and Organisation.objects.filter(name__iexact=new).exists():
            self.add_error("new_organisation", _("There is an organisation of this name: choose it above."))
        elif cleaned.get("organisation") and cleaned["organisation"].is_us and not self._is_of_alerts(cleaned):
            self.add_error(
                "organisation", _("We hand tickets to others; only a tool that sends alerts can be our own.")
            )
        elif new and cleaned.get("organisation"):
            self.add_error("new_organisation", _("Either choose one or enter a new one, not both."))
        elif new:
            cleaned["organisation"] = self.instance.organisation = Organisation(name=new, kind=Organisation.Kind.VENDOR)
        choice = cleaned.get("connector", "")
        label = dict(profiles.choices()).get(choice, "").partition(" (")[0]
        if not self.errors:
            self.instance.purpose = (
                Connection.Purpose.ALERTS if self._is_of_alerts(cleaned) else Connection.Purpose.TICKETS
            )
            cleaned["connector"], self.instance.profile = profiles.chosen(choice)
        if not self.errors and not cleaned.get("name"):
            cleaned["name"] = f"{cleaned['organisation']} ({label})"
            self.instance.name = cleaned["name"]
            if Connection.objects.filter(name=cleaned["name"]).exists():
                self.add_error("name", _("There is a connection of this name; give this one another."))
        return cleaned

    def _is_of_alerts(self, cleaned: Mapping[str, Any]) -> bool:
        kind = registry.connectors_by_slug().get(str(cleaned.get("connector", "")).partition(":")[0])
        return kind is not None and kind.takes_alerts

    def _get_validation_exclusions(self) -> set[str]:
        """A new organisation has no row yet; it gets one when the connection is saved."""
        found: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        is_new = self.instance.organisation_id is None and bool(self.cleaned_data.get("new_organisation"))
        return found | {"organisation"} if is_new else found

    def save(self, commit: bool = True) -> Connection:
        """The connection, and its organisation where that is new."""
        if self.instance.organisation.pk is None:
            self.instance.organisation.save()
            self.instance.organisation = self.instance.organisation
        made: Connection = super().save(commit)
        return made


class SettingsForm(forms.Form):
    """Some of a connector's settings; secrets are never shown again, and kept where nothing is entered."""

    def __init__(
        self, connection: Connection, settings: Iterable[Setting], picklists: Picklists, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.connection, self.settings = connection, list(settings)
        self.kept = vault.unseal(connection) if connection.sealed else {}
        self.is_own_draft = False
        """Whether whoever fills it in has entered the credentials of this draft themselves, a moment ago."""
        for setting in self.settings:
            self.fields[setting.name] = _field(connection, setting, picklists, is_kept=setting.name in self.kept)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        moved = [] if self.is_own_draft else [setting.label for setting in self.settings if self._is_moved(setting)]
        for setting in self.settings:
            if moved and setting.is_secret and setting.name in self.kept and not cleaned.get(setting.name):
                self.add_error(setting.name, enter_again(moved))
        return cleaned

    def _is_moved(self, setting: Setting) -> bool:
        before = str(self.connection.settings.get(setting.name, setting.default))
        return setting.is_address and self._entered(setting) != before

    def _entered(self, setting: Setting) -> str:
        entered = self.cleaned_data.get(setting.name) or ""
        return ",".join(entered) if isinstance(entered, list) else str(entered).strip()

    def changes(self) -> list[str]:
        """What is entered otherwise than it was, by label; of secrets only that they were entered."""
        before = self.connection.settings
        return [
            setting.label
            for setting in self.settings
            if (
                self._entered(setting)
                if setting.is_secret
                else self._entered(setting) != str(before.get(setting.name, setting.default))
            )
        ]

    def rare(self) -> list[Any]:
        """Fields that are folded away until somebody needs them."""
        return [self[setting.name] for setting in self.settings if setting.is_rare]

    def usual(self) -> list[Any]:
        return [self[setting.name] for setting in self.settings if not setting.is_rare]

    def is_rare_wrong(self) -> bool:
        return any(field.errors for field in self.rare())

    def keep(self) -> None:
        """Put what was entered into the connection's row; the caller saves it, once it was tried."""
        secrets = vault.unseal(self.connection) if self.connection.sealed else {}
        for setting in self.settings:
            value = self._entered(setting)
            if not setting.is_secret:
                self.connection.settings[setting.name] = value
            elif value:
                secrets[setting.name] = value
                # Shown again after a refusal, it need not be entered a second time.
                self.fields[setting.name].required = False
                self.fields[setting.name].help_text = f"{setting.help} {_('Kept as it is if left empty.')}".strip()
        vault.seal(self.connection, secrets)
        # What was learned with other settings may be wrong with these.
        self.connection.memory = {}


def enter_again(moved: Iterable[str]) -> str:
    """Why a credential that is kept has to be entered again."""
    return _("Enter it again: with another “%s” it would be sent somewhere else.") % "”, “".join(moved)


def _field(connection: Connection, setting: Setting, picklists: Picklists, *, is_kept: bool) -> forms.Field:
    initial = connection.settings.get(setting.name, setting.default)
    if setting.choices:
        return forms.ChoiceField(
            label=setting.label,
            help_text=setting.help,
            required=setting.is_required,
            initial=initial,
            choices=setting.choices,
        )
    chosen = several(initial) if setting.is_many else (initial,)
    choices = [c for c in picklists.get(setting.picklist, ()) if c.is_active or c.value in chosen]
    if setting.is_many and choices:
        return forms.MultipleChoiceField(
            label=setting.label,
            help_text=setting.help,
            required=setting.is_required,
            initial=list(chosen),
            choices=[(c.value, f"{c.label} ({c.value})") for c in choices],
            widget=forms.CheckboxSelectMultiple,
        )
    if setting.picklist and choices:
        if len(choices) == 1 and setting.is_required:
            initial = initial or choices[0].value
        return forms.ChoiceField(
            label=setting.label,
            help_text=setting.help,
            required=setting.is_required,
            initial=initial,
            choices=[("", "—"), *((c.value, f"{c.label} ({c.value})") for c in choices)],
        )
    if setting.is_long:
        return forms.CharField(
            label=setting.label,
            help_text=f"{setting.help} {_('Kept as it is if left empty.') if is_kept else ''}".strip(),
            required=setting.is_required and not is_kept,
            initial="" if setting.is_secret else initial,
            widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField", "spellcheck": "false"}),
        )
    return forms.CharField(
        label=setting.label,
        help_text=f"{setting.help} {_('Kept as it is if left empty.') if is_kept else ''}".strip(),
        required=setting.is_required and not is_kept,
        initial="" if setting.is_secret else initial,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"})
        if setting.is_secret
        else forms.TextInput(attrs={"class": "vTextField"}),
    )


def access_settings(kind: type[Connector]) -> list[Setting]:
    """What is needed to read their picklists at all."""
    return [setting for setting in kind.settings if setting.is_address or not setting.picklist]


def place_settings(kind: type[Connector]) -> list[Setting]:
    return [setting for setting in kind.settings if setting.picklist and not setting.is_address]


class IntakeForm(forms.Form):
    """Which of their tickets become ours, and how we know that they accepted one of ours."""

    intake = forms.ChoiceField(label=_("Tickets born there"), choices=Connection.Intake.choices)
    intake_queues = forms.MultipleChoiceField(
        label=_("Queues taken in"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: every queue our user sees."),
    )
    service = forms.ModelChoiceField(
        Service.objects.order_by("name"), label=_("Service of tickets born there"), required=False
    )
    acceptance = forms.ChoiceField(label=_("A ticket of ours is accepted when"), choices=Connection.Acceptance.choices)

    def __init__(self, connection: Connection, picklists: Picklists, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "intake": connection.intake,
            "intake_queues": connection.intake_queues,
            "service": connection.service_id,
            "acceptance": connection.acceptance,
        }
        super().__init__(*args, **kwargs)
        queues = [(c.value, c.label) for c in picklists.get("queue", ()) if c.is_active]
        self.fields["intake_queues"] = forms.MultipleChoiceField(
            label=_("Queues taken in"),
            required=False,
            choices=queues,
            widget=forms.CheckboxSelectMultiple,
            help_text=_("None chosen: every queue our user sees."),
        )
        if not queues:
            del self.fields["intake_queues"]

    def keep(self, connection: Connection) -> None:
        for name in ("intake", "intake_queues", "service", "acceptance"):
            if name in self.cleaned_data:
                setattr(connection, name, self.cleaned_data[name])


NO_VERB = ("", _("— held until it has a meaning —"))


class WordsForm(forms.Form):
    """Statuses, priorities and visibilities of theirs, each beside what it means here."""

    def __init__(
        self,
        statuses: list[mapping_suggestions.StatusProposal],
        priorities: Mapping[str, str],
        choices: Picklists,
        notes: list[mapping_suggestions.NoteProposal],
        *args: Any,
        pack: str = PackPlace.DESCRIPTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._add("pack", PackPlace.choices, pack, _("It goes into"))
        self.statuses, self.notes, self.choices = statuses, notes, choices
        for index, row in enumerate(statuses):
            self._add(f"verb_{index}", [NO_VERB, *StatusRule.Verb.choices], row.verb, _("means"))
            waits = [("", "—"), ("requester", _("the requester")), ("us", _("us")), ("own", _("itself"))]
            self._add(f"waits_{index}", waits, row.waits_on, _("waits on"))
            self._add(f"says_{index}", StatusRule.Says.choices, row.says, _("is written for"))
        theirs = [("", "—"), *((c.value, c.label) for c in choices.get("priority", ()) if c.is_active)]
        for ours in Priority.values:
            self._add(f"priority_{ours}", theirs, priorities.get(ours, ""), _("theirs"))
        for index, note in enumerate(notes):
            audiences = [("", _("— held —")), *NoteRule.Audience.choices]
            self._add(f"audience_{index}", audiences, note.audience, _("audience here"))
            written = (
                ("written", note.is_written),
                ("legs", note.is_written_for_legs),
                ("vendor", note.is_written_for_vendor),
            )
            for name, value in written:
                self.fields[f"{name}_{index}"] = forms.BooleanField(required=False, initial=value)

    def _add(self, name: str, choices: Iterable[Any], initial: str, label: Any) -> None:
        self.fields[name] = forms.ChoiceField(choices=list(choices), required=False, initial=initial, label=label)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        said: dict[tuple[str, str], str] = {}
        for index, row in enumerate(self.statuses):
            verb, waits, says = (cleaned.get(f"{name}_{index}") or "" for name in ("verb", "waits", "says"))
            if verb == StatusRule.Verb.WAIT and not waits:
                self.add_error(f"waits_{index}", _("Say on whom it waits: that decides whose clock runs."))
            if verb != StatusRule.Verb.WAIT and waits:
                self.add_error(f"waits_{index}", _("Only a status that means waiting waits on somebody."))
            if says and not verb:
                self.add_error(f"verb_{index}", _("What we write there needs a meaning when it is read."))
            if says and row.choice.is_theirs:
                self.add_error(f"says_{index}", _("Only their own system sets this status."))
            if says and (says, row.choice.place) in said:
                self.add_error(f"says_{index}", _("“%s” is written so already.") % said[says, row.choice.place])
            said[says, row.choice.place] = row.choice.label
        written: set[str] = set()
        vendors = 0
        for index, _note in enumerate(self.notes):
            audience = cleaned.get(f"audience_{index}") or ""
            if cleaned.get(f"written_{index}"):
                if audience in ("", NoteRule.Audience.US):
                    self.add_error(f"audience_{index}", _("What is for us only is never written there."))
                if audience in written:
                    self.add_error(f"audience_{index}", _("Only one visibility can be used for this audience."))
                written.add(audience)
            if cleaned.get(f"legs_{index}") and audience in ("", NoteRule.Audience.US):
                self.add_error(f"audience_{index}", _("What is for us only is never written there."))
            if cleaned.get(f"vendor_{index}"):
                if audience == NoteRule.Audience.REQUESTER:
                    self.add_error(f"vendor_{index}", _("The requester reads this: it is not for this vendor alone."))
                if not audience:
                    self.add_error(f"audience_{index}", _("What we write there needs a meaning when it is read."))
                if vendors:
                    self.add_error(f"vendor_{index}", _("Only one visibility can be used for this vendor alone."))
                vendors += 1
        cleaned["pack"] = cleaned.get("pack") or PackPlace.DESCRIPTION
        if cleaned["pack"] == PackPlace.NOTE and not vendors:
            self.add_error(
                "pack",
                _(
                    "A note for this vendor alone needs a visibility that is used for it: choose one "
                    "in the last column above, or send the pack another way."
                ),
            )
        return cleaned

    def status_rows(self) -> list[dict[str, Any]]:
        """The table of the page: their label and our three fields."""
        return [
            {
                "label": row.choice.label,
                "value": row.choice.value,
                "fields": self._fields(index, "verb", "waits", "says"),
                "means": dict(StatusRule.Verb.choices).get(row.verb, ""),
                "ground": row.ground,
                "is_doubtful": row.is_doubtful,
            }
            for index, row in enumerate(self.statuses)
        ]

    def open_rows(self) -> list[dict[str, Any]]:
        """Statuses a person has to decide: no proposal, a wait (on whom is a guess), or refused when saved."""
        return [row for row in self.status_rows() if not self._is_clear(row)]

    def clear_rows(self) -> list[dict[str, Any]]:
        """Statuses whose label says what they mean."""
        return [row for row in self.status_rows() if self._is_clear(row)]

    def _is_clear(self, row: dict[str, Any]) -> bool:
        verb = str(row["fields"][0].value() or "")
        if row["is_doubtful"]:
            return False
        return verb not in ("", StatusRule.Verb.WAIT) and not any(field.errors for field in row["fields"])

    def note_rows(self) -> list[dict[str, Any]]:
        names = ("audience", "written", "legs", "vendor")
        return [
            {"label": row.choice.label, "value": row.choice.value, "fields": self._fields(index, *names)}
            for index, row in enumerate(self.notes)
        ]

    def priority_rows(self) -> list[dict[str, Any]]:
        names = {choice.value: choice.label for choice in self.choices.get("priority", ())}
        rows = [(ours, self[f"priority_{ours}"]) for ours in Priority.values]
        return [
            {"label": ours, "fields": [field], "means": names.get(str(field.value() or ""), "")} for ours, field in rows
        ]

    def priorities_are_clear(self) -> bool:
        """Whether each of ours has one of theirs, and none was refused."""
        return all(row["means"] and not row["fields"][0].errors for row in self.priority_rows())

    def _fields(self, index: int, *names: str) -> list[Any]:
        return [self[f"{name}_{index}"] for name in names]


SEVERITIES = {
    "P1": "critical, disaster, emergency, fatal, down",
    "P2": "error, high, major, average",
    "P3": "warning, warn, minor, medium",
    "P4": "info, information, notice, low",
}


class SeverityForm(forms.Form):
    """Which words of theirs mean which priority; a word that is in none is P3, and shown to you."""

    def __init__(self, known: Mapping[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for priority, label in Priority.choices:
            self.fields[priority] = forms.CharField(
                label=label,
                required=False,
                max_length=400,
                initial=known.get(priority, SEVERITIES[priority]),
                widget=forms.TextInput(attrs={"class": "vTextField"}),
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        seen: dict[str, str] = {}
        for priority in Priority.values:
            for word in self.words(priority):
                if word in seen:
                    self.add_error(
                        priority, _("“%(word)s” means %(other)s already.") % {"word": word, "other": seen[word]}
                    )
                seen[word] = priority
        return cleaned

    def words(self, priority: str) -> list[str]:
        return [word.strip().lower() for word in (self.cleaned_data.get(priority) or "").split(",") if word.strip()]


class AlertSampleForm(forms.Form):
    """A call as the tool makes it, to look at."""

    sample = forms.CharField(
        label=_("A call of theirs"),
        required=False,
        max_length=500_000,
        widget=forms.Textarea(attrs={"rows": 10, "class": "vLargeTextField", "spellcheck": "false"}),
        help_text=_("Paste the JSON that the tool posts. Nothing is kept."),
    )
