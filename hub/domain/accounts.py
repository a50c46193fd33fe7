"""Verbs on accounts: what ends every log-in of a person at once."""

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
"""A person is mailed a link for a new password at most so often, whoever asks."""


def end_sessions(user: User) -> User:
    """Log this person out everywhere. The user is read again, so that a session may be kept on purpose."""
    User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)
    log.warning("All sessions of %s were ended.", user.email)
    return User.objects.get(pk=user.pk)


def reset_path(user: User) -> str:
    """The path of a page on which this person chooses a new password: good once, for PASSWORD_RESET_TIMEOUT."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("console:password_new", args=[uid, default_token_generator.make_token(user)])


def may_be_mailed(email: str, *, at: datetime) -> User | None:
    """Who may be mailed a link now; None where there is nobody of this address, or one was mailed a moment ago."""
    user = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
    if user is None:
        return None
    free = Q(reset_asked_at__isnull=True) | Q(reset_asked_at__lte=at - RESET_AGAIN)
    return user if User.objects.filter(free, pk=user.pk).update(reset_asked_at=at) else None
