"""The first page: the vendor, and the kind of system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connectors.engine import connection_profiles, registry
from connectors.kit.contract import AlertConnector
from connectors.models import Connection
from hub.models import Organisation


class ChooseForm(forms.ModelForm):  # type: ignore[type-arg]
    """The vendor, and the kind of system."""

    new_organisation = forms.CharField(
        label=_("Or a new organisation"),
        required=False,
        max_length=200,
        help_text=_("The vendor's name, if it is not in the list yet. It is added as a vendor."),
    )

    class Meta:
        model = Connection
        fields = ["organisation", "connector", "name"]

    field_order = ("organisation", "new_organisation", "connector", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        systems = sorted(connection_profiles.choices(), key=lambda row: row[1].lower())
        self.fields["connector"] = forms.ChoiceField(label=_("System"), choices=[("", "—"), *systems])
        vendors = Organisation.objects.exclude(kind__in=[Organisation.Kind.CUSTOMER])
        self.fields["organisation"] = forms.ModelChoiceField(
            vendors.order_by("name"), label=_("Organisation"), required=False
        )
        self.order_fields(self.field_order)
        self.fields["name"].required = False
        self.fields["name"].help_text = _("If left empty, the name becomes “organisation (system)”.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self._clean_organisation(cleaned)
        if self.errors:
            return cleaned
        choice = cleaned.get("connector", "")
        self.instance.purpose = Connection.Purpose.ALERTS if self._is_of_alerts(cleaned) else Connection.Purpose.TICKETS
        cleaned["connector"], self.instance.profile = connection_profiles.chosen(choice)
        if not cleaned.get("name"):
            self._give_name(cleaned, dict(connection_profiles.choices()).get(choice, "").partition(" (")[0])
        return cleaned

    def _clean_organisation(self, cleaned: dict[str, Any]) -> None:
        new = (cleaned.get("new_organisation") or "").strip()
        chosen = cleaned.get("organisation")
        if not chosen and not new:
            self.add_error("organisation", _("Choose the vendor or enter its name below."))
        elif new and Organisation.objects.filter(name__iexact=new).exists():
            self.add_error("new_organisation", _("An organisation with this name exists. Choose it above."))
        elif chosen and chosen.is_us and not self._is_of_alerts(cleaned):
            self.add_error(
                "organisation",
                _("Choose another organisation: only a monitoring tool can belong to our own organisation."),
            )
        elif new and chosen:
            self.add_error("new_organisation", _("Choose an organisation or enter a new one, not both."))
        elif new:
            cleaned["organisation"] = self.instance.organisation = Organisation(name=new, kind=Organisation.Kind.VENDOR)

    def _give_name(self, cleaned: dict[str, Any], label: str) -> None:
        cleaned["name"] = self.instance.name = f"{cleaned['organisation']} ({label})"
        if Connection.objects.filter(name=cleaned["name"]).exists():
            self.add_error("name", _("A connection with this name exists. Enter another name."))

    def _is_of_alerts(self, cleaned: Mapping[str, Any]) -> bool:
        kind = registry.connectors_by_slug().get(str(cleaned.get("connector", "")).partition(":")[0])
        return kind is not None and issubclass(kind, AlertConnector)

    def _get_validation_exclusions(self) -> set[str]:
        """A new organisation has no row yet: it is saved together with the connection."""
        found: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        is_new = self.instance.organisation_id is None and bool(self.cleaned_data.get("new_organisation"))
        return found | {"organisation"} if is_new else found

    def save(self, commit: bool = True) -> Connection:
        """Save the connection, and its organisation if that is new."""
        if self.instance.organisation.pk is None:
            self.instance.organisation.save()
            self.instance.organisation = self.instance.organisation  # sets organisation_id, which is known only now
        made: Connection = super().save(commit)
        return made
