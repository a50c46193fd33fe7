"""Which of the vendor's tickets are imported."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connectors.models import Connection
from connectors.wizard.forms.settings import Picklists
from hub.models import Service


class IntakeForm(forms.Form):
    """Which of the vendor's tickets are imported, and when one of our tickets counts as accepted by the vendor."""

    intake = forms.ChoiceField(label=_("Tickets created by the vendor"), choices=Connection.Intake.choices)
    service = forms.ModelChoiceField(
        Service.objects.order_by("name"), label=_("Service of tickets created by the vendor"), required=False
    )
    acceptance = forms.ChoiceField(label=_("Our ticket counts as accepted when"), choices=Connection.Acceptance.choices)
    sensitive_data = forms.ChoiceField(
        label=_("Passwords and account numbers in what we send"),
        choices=Connection.SensitiveData.choices,
        required=False,
    )

    def __init__(self, connection: Connection, picklists: Picklists, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "intake": connection.intake,
            "intake_queues": connection.intake_queues,
            "service": connection.service_id,
            "acceptance": connection.acceptance,
            "sensitive_data": connection.sensitive_data,
        }
        super().__init__(*args, **kwargs)
        queues = [(c.value, c.label) for c in picklists.get("queue", ()) if c.is_active]
        if queues:
            self.fields["intake_queues"] = forms.MultipleChoiceField(
                label=_("Queues to import from"),
                required=False,
                choices=queues,
                widget=forms.CheckboxSelectMultiple,
                help_text=_("If none is chosen, every queue that our user can see."),
            )
            self.order_fields(["intake", "intake_queues", "service", "acceptance", "sensitive_data"])

    def keep(self, connection: Connection) -> None:
        for name in ("intake", "intake_queues", "service", "acceptance", "sensitive_data"):
            if name in self.cleaned_data and (self.cleaned_data[name] or name != "sensitive_data"):
                setattr(connection, name, self.cleaned_data[name])
