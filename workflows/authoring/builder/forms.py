"""The builder's forms. The fields of guards, actions and triggers come from their registries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib.admin.utils import label_for_field
from django.http import QueryDict
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from hub.models import Membership, State, Ticket, WorkflowVersion
from workflows.authoring.builder.fields import MatrixField
from workflows.authoring.validation import REQUIRABLE
from workflows.models import Escalation, Step, Transition, Trigger
from workflows.rules.parameters import NOTHING
from workflows.rules.registry import ACTIONS, GUARDS, Kind
from workflows.rules.triggers import TRIGGERS

Data = QueryDict | None


def counted(data: QueryDict, name: str, *, most: int) -> int:
    """How many rows a form has according to its hidden count, at most `most`; 0 if that is not a number."""
    text = data.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _long(rows: int = 3) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField"})


class ParamForm(forms.Form):
    """The parameters of one guard, action or trigger, each with the field of its kind."""

    def __init__(self, kind: Kind, version: WorkflowVersion, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        for param in kind.params:
            self.fields[param.name] = param.field(version)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters to store: only those with a value."""
        return {name: value for name, value in self.cleaned_data.items() if value not in NOTHING}


def _slug(form: forms.Form | forms.ModelForm) -> str:  # type: ignore[type-arg]
    """The identifier as entered, or made from the name."""
    return str(form.cleaned_data.get("slug") or slugify(form.cleaned_data.get("name", ""))[:50].replace("-", "_"))


def _leave_slug_out(form: forms.ModelForm) -> None:  # type: ignore[type-arg]
    """Make the identifier optional."""
    form.fields["slug"].required = False
    form.fields["slug"].help_text = _(
        "One word, used in the API and in the history. Leave empty to make it from the name."
    )


class TransitionForm(forms.ModelForm):  # type: ignore[type-arg]
    """One transition, without its guards and actions."""

    roles = forms.MultipleChoiceField(
        label=_("allowed roles"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[
            *((v, n) for v, n in Membership.Role.choices if v not in ("vendor", "requester")),
            ("requester", _("the requester")),
        ],
        help_text=_("Choose none to allow all of our people who work on tickets."),
    )
    required = forms.MultipleChoiceField(
        label=_("required"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[(name, _("reason") if name == "reason" else label_for_field(name, Ticket)) for name in REQUIRABLE],
    )

    class Meta:
        model = Transition
        fields = ["name", "trigger", "sources", "target", "roles", "required", "help", "slug", "position"]
        widgets = {"sources": forms.CheckboxSelectMultiple}

    OF_PEOPLE = ("roles", "help")
    """Fields of transitions that a person triggers; others do not have them."""

    def __init__(self, version: WorkflowVersion, trigger: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.version = version
        if trigger != Trigger.PERSON:
            for name in self.OF_PEOPLE:
                del self.fields[name]
            self.instance.roles, self.instance.help = [], ""
        _leave_slug_out(self)
        states = State.objects.filter(version=version).order_by("position", "pk")
        self.fields["sources"].queryset = states  # type: ignore[attr-defined]
        self.fields["target"].queryset = states  # type: ignore[attr-defined]

    def clean_slug(self) -> str:
        slug = _slug(self)
        others = Transition.objects.filter(version=self.instance.version, slug=slug).exclude(pk=self.instance.pk)
        if others.exists():
            raise forms.ValidationError(_("This version already has a transition with this identifier."))
        return slug


class EscalationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Escalation
        fields = [
            "name",
            "kind",
            "trigger",
            "ends_with_acknowledgement",
            "is_quiet_at_night",
            "help",
            "slug",
            "position",
        ]

    def __init__(self, version: WorkflowVersion, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.version = version
        _leave_slug_out(self)
        choices = [(value, label) for value, label in Trigger.choices if value != Trigger.PERSON]
        if self.instance.pk is None:
            self.initial["trigger"] = Trigger.CLOCK
        self.fields["trigger"] = forms.ChoiceField(label=_("triggered by"), choices=choices)

    def clean_slug(self) -> str:
        slug = _slug(self)
        others = Escalation.objects.filter(version=self.instance.version, slug=slug).exclude(pk=self.instance.pk)
        if others.exists():
            raise forms.ValidationError(_("This version already has an escalation with this identifier."))
        return slug


class StepForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Step
        fields = ["wait_minutes", "hours"]


class StateForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = State
        fields = [
            "name",
            "slug",
            "phase",
            "is_default",
            "colour",
            "position",
            "wait_reason",
            "default_holder",
            "requester_name",
            "vendor_name",
        ]

    def __init__(self, version: WorkflowVersion, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.version = version
        _leave_slug_out(self)

    def clean_slug(self) -> str:
        return _slug(self)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        others = State.objects.filter(version=self.instance.version).exclude(pk=self.instance.pk)
        if others.filter(slug=cleaned.get("slug")).exists():
            self.add_error("slug", _("This version already has a status with this identifier."))
        if cleaned.get("is_default") and others.filter(phase=cleaned.get("phase"), is_default=True).exists():
            self.add_error("is_default", _("Another status is already the first status of this phase."))
        return cleaned


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    priority_matrix = MatrixField(
        label=_("priority matrix"),
        required=False,
        help_text=_(
            "The priority for each impact and urgency. A cell left empty uses the default. For services of tier 1, the "
            "priority is raised by one."
        ),
    )

    class Meta:
        model = WorkflowVersion
        fields = [
            "note",
            "bounce_budget",
            "triage_minutes",
            "most_organisations",
            "accept_minutes",
            "priority_matrix",
        ]
        widgets = {"note": _long(2)}


# -- lists of guards or actions


class Block:
    """One guard or action on a page: its kind, its form, and whether it is marked for removal."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        kind: str,
        prefix: str,
        version: WorkflowVersion,
        data: Data,
        initial: Mapping[str, Any],
        *,
        is_negated: bool = False,
    ) -> None:
        self.slug, self.prefix = kind, prefix
        self.kind = kinds[kind]
        self.is_negated = bool(data.get(f"{prefix}-block-negated")) if data is not None else is_negated
        self.is_removed = bool(data and data.get(f"{prefix}-block-remove"))
        self.form = ParamForm(self.kind, version, data, prefix=prefix, initial=dict(initial))

    def is_valid(self) -> bool:
        return self.is_removed or self.form.is_valid()


class Blocks:
    """All guards, or all actions, of one rule or step."""

    def __init__(self, name: str, kinds: Mapping[str, Kind], version: WorkflowVersion, data: Data, rows: Iterable[Any]):
        self.name, self.kinds, self.version = name, kinds, version
        self.choices = sorted(((slug, str(kind.label)) for slug, kind in kinds.items()), key=lambda pair: pair[1])
        self.is_guard = kinds is GUARDS
        self.blocks: list[Block] = []
        if data is None:
            for number, row in enumerate(rows):
                negated = bool(getattr(row, "is_negated", False))
                if row.kind in kinds:
                    self._add(row.kind, number, None, row.params, is_negated=negated)
            return
        for number in range(counted(data, f"{name}-count", most=50)):
            kind = data.get(f"{name}{number}-block", "")
            if kind in kinds:
                self._add(kind, number, data, {})
        wanted = data.get(f"{name}-new", "")
        if wanted in kinds:
            # A chosen kind is added whichever button was pressed: on save it is checked, otherwise shown unchecked.
            self._add(wanted, len(self.blocks), data if "save" in data else None, {})

    def _add(self, kind: str, number: int, data: Data, initial: Mapping[str, Any], *, is_negated: bool = False) -> None:
        self.blocks.append(
            Block(self.kinds, kind, f"{self.name}{number}", self.version, data, initial, is_negated=is_negated)
        )

    @property
    def kept(self) -> list[Block]:
        return [block for block in self.blocks if not block.is_removed]

    def is_valid(self) -> bool:
        judged = [block.is_valid() for block in self.blocks]  # check all of them, so that every mistake is shown
        return all(judged)


def guards(version: WorkflowVersion, data: Data, rows: Iterable[Any]) -> Blocks:
    return Blocks("guard", GUARDS, version, data, rows)


def actions(version: WorkflowVersion, data: Data, rows: Iterable[Any], *, name: str = "action") -> Blocks:
    return Blocks(name, ACTIONS, version, data, rows)


def trigger_form(trigger: str, version: WorkflowVersion, data: Data, initial: Mapping[str, Any]) -> ParamForm:
    return ParamForm(TRIGGERS[trigger], version, data, prefix="trigger", initial=dict(initial))
