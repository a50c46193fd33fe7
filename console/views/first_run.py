"""The first page of a new installation: creates the organisation and its first administrator, once."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.forms.first_run import FirstRunForm
from hub.models import Membership, Organisation, User


def first_run(request: HttpRequest) -> HttpResponse:
    """The first-run page. Once our organisation exists, it redirects to the board."""
    if Organisation.objects.filter(is_us=True).exists():
        return redirect("console:board")
    form = FirstRunForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            validate_password(form.cleaned_data["password"])
        except ValidationError as error:
            form.add_error("password", cast(Any, error))
        else:
            user = set_up(**form.cleaned_data)
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("admin:connectors_connect")
    return render(request, "console/first_run.html", {"form": form})


@transaction.atomic
def set_up(*, organisation: str, time_zone: str, name: str, email: str, password: str) -> User:
    """Create our organisation and the first administrator."""
    ours = Organisation.objects.create(name=organisation, kind=Organisation.Kind.US, is_us=True, time_zone=time_zone)
    user = User.objects.create_superuser(email, password, name=name, time_zone=time_zone)
    for role in (Membership.Role.ADMIN, Membership.Role.MANAGER):
        Membership.objects.create(user=user, organisation=ours, role=role)
    return user
