"""A user's own account: changing the password, resetting a forgotten one, ending sessions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from console.access import person
from console.forms.account import AddressForm, ChosenPasswordForm, OwnPasswordForm, PreferencesForm, ShortcutsForm
from hub.domain import accounts
from hub.models import Membership, User
from hub.queries import permissions
from workflows.models import Channel
from workflows.notifications import notify
from workflows.notifications.notify import Recipient, Told


@login_required
def start(request: HttpRequest) -> HttpResponse:
    """The start page: as chosen, otherwise by role: the board for managers, their own work for agents."""
    user = person(request)
    wanted = user.start_page or _start_by_role(user)
    if wanted == User.StartPage.WORK and permissions.may_work(user):
        return redirect("console:my_work")
    return redirect("console:tickets" if wanted == User.StartPage.TICKETS else "console:board")


def _start_by_role(user: User) -> str:
    if not permissions.sees_everything(user):
        return User.StartPage.TICKETS
    ours = {seat.role for seat in user.seats if seat.is_us}
    is_agent = ours == {str(Membership.Role.AGENT)} and not user.is_superuser
    return User.StartPage.WORK if is_agent else User.StartPage.BOARD


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Change the password; that ends every other session."""
    form = OwnPasswordForm(person(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, _("Your password was changed. You are logged out everywhere else."))
        return redirect("console:account")
    return render(request, "console/account.html", _shown(person(request), form=form))


def _shown(user: User, **forms: Any) -> dict[str, Any]:
    """What the account page shows, with the forms that were filled in."""
    return {
        "form": OwnPasswordForm(user),
        "preferences": PreferencesForm(instance=user),
        "shortcuts": ShortcutsForm(chosen=user.shortcut_keys, auto_id="shortcut_%s"),
        "sees_everything": permissions.sees_everything(user),
        "page": "account",
        **forms,
    }


@require_POST
@login_required
def shortcuts(request: HttpRequest) -> HttpResponse:
    """Change the keys of the shortcuts for oneself, or go back to the usual ones."""
    user = person(request)
    form = ShortcutsForm(request.POST, chosen=user.shortcut_keys)
    if request.POST.get("usual") or form.is_valid():
        user.shortcut_keys = {} if request.POST.get("usual") else form.keys()
        user.save(update_fields=["shortcut_keys"])
        messages.success(request, _("Your shortcuts were saved."))
    else:
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
    return redirect("console:account")


@require_POST
@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    """Change how the console looks and behaves for oneself, and one's absence."""
    form = PreferencesForm(request.POST, instance=person(request))
    if not form.is_valid():
        return render(request, "console/account.html", _shown(person(request), preferences=form))
    User.objects.filter(pk=person(request).pk).update(**form.cleaned_data)
    messages.success(request, _("Saved."))
    return redirect("console:account")


@require_POST
@login_required
def log_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End every session of this person except the current one."""
    update_session_auth_hash(request, accounts.end_sessions(person(request)))
    messages.success(request, _("You are logged out everywhere else."))
    return redirect("console:account")


def password_reset(request: HttpRequest) -> HttpResponse:
    """Send a link for a new password. The answer is the same whether or not the account exists."""
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if settings.MAIL_URL:
            _mail_link(form.cleaned_data["email"])
        return render(request, "console/password_asked.html", {"has_mail": bool(settings.MAIL_URL)})
    return render(request, "console/password_reset.html", {"form": form, "has_mail": bool(settings.MAIL_URL)})


def _mail_link(email: str) -> None:
    at = timezone.now()
    user = accounts.may_be_mailed(email, at=at)
    if user is None:
        return
    # To the address, not to the user: preferences about notices do not apply here.
    # The link is made when the e-mail is sent, so no stored row contains it.
    told = Told(key=f"password:{user.public_id}:{at:%Y%m%d%H%M}", kind=notify.NEW_PASSWORD, is_urgent=True)
    language = user.language or get_language() or settings.LANGUAGE_CODE
    recipient = Recipient(channel=Channel.MAIL, to=user.email, language=language)
    notify.tell(told, [recipient], at=at)


class NewPassword(PasswordResetConfirmView):
    """The page behind the link. The link works once; a new password ends every session."""

    template_name = "console/password_new.html"
    form_class = ChosenPasswordForm
    success_url = reverse_lazy("console:log_in")

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        messages.success(self.request, _("Your password was set. Log in with it."))
        return answer
