"""Operations on user accounts: end all sessions, links for a new password."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.contrib.auth.tokens import default_token_generator
from django.db.models import F, Q
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from hub.models import User

log = logging.getLogger(__name__)

RESET_AGAIN = timedelta(minutes=5)
"""The shortest interval between two password e-mails to the same user."""


def end_sessions(user: User) -> User:
    """End all sessions of the user. Returns the user read again, so that the caller can keep one session."""
    User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)
    log.warning("All sessions of %s were ended.", user.email)
    return User.objects.get(pk=user.pk)


def reset_path(user: User) -> str:
    """The path of the page where the user sets a new password: valid once, for PASSWORD_RESET_TIMEOUT seconds."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("console:password_new", args=[uid, default_token_generator.make_token(user)])


def may_be_mailed(email: str, *, at: datetime) -> User | None:
    """The user of this address, whose next e-mail is allowed from RESET_AGAIN later.

    None if no active user has the address, or if an e-mail was sent within RESET_AGAIN before `at`.
    """
    user = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
    if user is None:
        return None
    free = Q(reset_asked_at__isnull=True) | Q(reset_asked_at__lte=at - RESET_AGAIN)
    return user if User.objects.filter(free, pk=user.pk).update(reset_asked_at=at) else None
