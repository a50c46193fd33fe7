"""What a person can enter, one form an act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from django import forms
from django.utils.translation import gettext_lazy as _

from hub.models import (
    OPEN_STAGES,
    Asset,
    Degree,
    Leg,
    Message,
    Organisation,
    Person,
    Priority,
    ReasonCode,
    Service,
    Site,
    Ticket,
    User,
)
from hub.sla.calendars import BadCalendar, load_zone
from workflows.handoffs import briefing

_DEGREES = [("", "–"), *Degree.choices]


_Form = TypeVar("_Form", bound=forms.Form)


def styled(form: _Form) -> _Form:
    """The form, each of its controls with the classes of the console."""
    for field in form.fields.values():
        widget = field.widget
        if isinstance(widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
            widget.attrs.setdefault("class", "form-check-input")
        elif isinstance(widget, forms.Select):
            widget.attrs.setdefault("class", "form-select")
        else:
            widget.attrs.setdefault("class", "form-control")
    return form


class _Styled(forms.Form):
    """A form whose controls look like those of the console."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        styled(self)


class VerbForm(_Styled):
    """A verb of the ticket's workflow, and what comes with it."""

    move = forms.SlugField(max_length=50)
    reason = forms.CharField(label=_("Why"), required=False, max_length=500)
    title = forms.CharField(label=_("Title"), required=False, max_length=255)
    description = forms.CharField(label=_("What is wrong"), required=False, max_length=20_000)
    impact = forms.TypedChoiceField(label=_("Impact"), choices=_DEGREES, coerce=int, required=False, empty_value=None)
    urgency = forms.TypedChoiceField(label=_("Urgency"), choices=_DEGREES, coerce=int, required=False, empty_value=None)
    service = forms.ModelChoiceField(
        label=_("Service"), queryset=Service.objects.order_by("name"), to_field_name="public_id", required=False
    )
    asset = forms.ModelChoiceField(
        label=_("Asset"), queryset=Asset.objects.order_by("tag"), to_field_name="public_id", required=False
    )
    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.order_by("name"), to_field_name="public_id", required=False
    )
    requester = forms.ModelChoiceField(
        label=_("Requester"), queryset=Person.objects.order_by("name"), to_field_name="public_id", required=False
    )

    def given(self) -> dict[str, Any]:
        """The fields that were filled in."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in ("move", "reason") and value not in (None, "")
        }


class PriorityForm(_Styled):
    """Impact and urgency, or a priority by hand with a reason."""

    impact = forms.TypedChoiceField(label=_("Impact"), choices=_DEGREES, coerce=int, required=False, empty_value=None)
    urgency = forms.TypedChoiceField(label=_("Urgency"), choices=_DEGREES, coerce=int, required=False, empty_value=None)
    priority = forms.ChoiceField(
        label=_("Priority"), required=False, choices=[("", _("as impact and urgency say")), *Priority.choices]
    )
    reason = forms.CharField(label=_("Why"), required=False, max_length=500)


def _accept_minutes() -> forms.IntegerField:
    """How long an offer stands; empty for what the workflow says."""
    return forms.IntegerField(
        label=_("Answer within … minutes, day and night (empty: as the workflow says)"),
        required=False,
        min_value=1,
        max_value=100_000,
    )


def accept_within(form: forms.Form) -> timedelta | None:
    """What was entered there, of a valid form."""
    minutes = form.cleaned_data["accept_minutes"]
    return timedelta(minutes=minutes) if minutes else None


class DecisionForm(_Styled):
    """What joint triage comes to."""

    organisation = forms.ModelChoiceField(
        label=_("It is for"),
        queryset=Organisation.objects.filter(archived_at=None)
        .exclude(kind=Organisation.Kind.CUSTOMER)
        .order_by("name"),
        to_field_name="public_id",
        required=False,
        empty_label=_("nobody else: it stays as it is"),
    )
    decision = forms.CharField(label=_("What was decided, and why: whoever takes it reads this"), max_length=2000)
    accept_minutes = _accept_minutes()


def _first_words(message: Message) -> str:
    return f"{message.author_name or message.author_organisation}: {' '.join(message.body.split())[:100]}"


class HandOverForm(_Styled):
    organisation = forms.ModelChoiceField(
        label=_("To"), queryset=Organisation.objects.none(), to_field_name="public_id", empty_label=_("choose …")
    )
    reason = forms.CharField(
        label=_("What they need to know"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=4000
    )
    accept_minutes = _accept_minutes()
    is_parallel = forms.BooleanField(label=_("Besides whoever has it now"), required=False)
    is_blocking = forms.BooleanField(
        label=_("The ticket cannot be resolved before they are done"), required=False, initial=True
    )
    also = forms.ModelMultipleChoiceField(
        label=_("Tell them this, too"),
        queryset=Message.objects.none(),
        to_field_name="public_id",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        engaged = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).values("organisation")
        choices = Organisation.objects.filter(archived_at=None).exclude(kind=Organisation.Kind.CUSTOMER)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = choices.exclude(pk__in=engaged).order_by("name")
        also = self.fields["also"]
        assert isinstance(also, forms.ModelMultipleChoiceField)
        also.queryset = briefing.may_also_be_told(ticket)
        also.label_from_instance = _first_words  # type: ignore[assignment, method-assign]


class CommentForm(_Styled):
    body = forms.CharField(label=_("Message"), widget=forms.Textarea(attrs={"rows": 3}), max_length=20_000)
    for_requester = forms.BooleanField(label=_("Requester"), required=False)
    for_all = forms.BooleanField(label=_("All organisations, later ones included"), required=False)
    legs = forms.ModelMultipleChoiceField(
        label=_("Organisations"),
        queryset=Leg.objects.none(),
        to_field_name="public_id",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["legs"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = (
            Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).select_related("organisation").order_by("number")
        )


class ReplyForm(_Styled):
    body = forms.CharField(label=_("What the requester says"), widget=forms.Textarea(attrs={"rows": 2}))


class LegForm(_Styled):
    act = forms.ChoiceField(
        choices=[
            (name, name)
            for name in (
                "accept",
                "start",
                "resume",
                "finish",
                "decline",
                "give_back",
                "lead",
                "recall",
                "approve",
                "reopen",
            )
        ]
    )
    reason = forms.CharField(required=False, max_length=2000)
    code = forms.ChoiceField(required=False, choices=[("", _("reason …")), *ReasonCode.choices])

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        if told.get("act") in ("decline", "give_back") and not (told.get("code") or told.get("reason")):
            raise forms.ValidationError(_("Choose a reason, or say it: it goes to whoever takes the ticket next."))
        return told


class OpenForm(_Styled):
    title = forms.CharField(label=_("Title"), max_length=255)
    description = forms.CharField(label=_("What is wrong"), widget=forms.Textarea(attrs={"rows": 6}), required=False)
    impact = forms.TypedChoiceField(label=_("Impact"), choices=_DEGREES, coerce=int, required=False, empty_value=None)
    urgency = forms.TypedChoiceField(label=_("Urgency"), choices=_DEGREES, coerce=int, required=False, empty_value=None)
    priority = forms.ChoiceField(
        label=_("Priority"), required=False, choices=[("", _("as impact and urgency say, else P3")), *Priority.choices]
    )
    service = forms.ModelChoiceField(
        label=_("Service"), queryset=Service.objects.order_by("name"), to_field_name="public_id", required=False
    )
    requester = forms.ModelChoiceField(
        label=_("Who asks"),
        queryset=Person.objects.order_by("name"),
        to_field_name="public_id",
        required=False,
        help_text=_("Questions go to them, and the first response is theirs."),
    )


class FirstRunForm(_Styled):
    organisation = forms.CharField(label=_("Your IT organisation"), max_length=150)
    time_zone = forms.CharField(
        label=_("Time zone"), max_length=64, initial="UTC", help_text=_("An IANA name, such as Europe/Berlin.")
    )
    name = forms.CharField(label=_("Your name"), max_length=150)
    email = forms.EmailField(label=_("Your e-mail address"), max_length=254, help_text=_("You log in with it."))
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput, min_length=12, help_text=_("At least 12 characters.")
    )

    def clean_time_zone(self) -> str:
        try:
            return load_zone(self.cleaned_data["time_zone"]).key
        except BadCalendar as error:
            raise forms.ValidationError(str(error)) from error

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(_("Somebody logs in with this address already."))
        return email
