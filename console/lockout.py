"""Limits for failed log-ins: per account and address, and per address.

An account is never locked for all addresses, because anyone who knows an e-mail address could then lock
its owner out. Instead, guesses from many addresses at one account are reported to the admins.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

from hub.core.sentences import sentence
from hub.models import Membership
from workflows.notifications import notify
from workflows.notifications.notify import Told

log = logging.getLogger(__name__)

LONGEST_NAME = 255
COOL_OFF = timedelta(minutes=15)
REPORTED_FAILURES = 20
REPORTED_ADDRESSES = 4
"""Failures for one account and their addresses within the cool-off time from which the admins are notified."""


class Lockout(AxesDatabaseHandler):
    """Axes' database handler, with a separate limit for an address across all accounts."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """The failures of this account from this address; at least the limit if the address failed too often in all."""
        pair, address = (_failures(rows) for rows in self.get_user_attempts(request, credentials))
        return max(pair, settings.AXES_FAILURE_LIMIT if address >= settings.LOG_IN_FAILURES_PER_ADDRESS else 0)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Delete the failures of this account from this address. One good log-in does not reset the address itself."""
        pair, _address = self.filter_user_attempts(request, credentials)
        return int(pair.delete()[0])

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **more: Any
    ) -> None:
        super().user_login_failed(sender, credentials, request, **more)
        username = get_client_username(request, credentials) if request is not None else None
        if username:
            _report(username)


def name_of(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The account name under which failures are counted, cut to the length of axes' column."""
    return str((credentials or request.POST).get(settings.AXES_USERNAME_FORM_FIELD) or "")[:LONGEST_NAME]


def unlock(*, emails: list[str] | None = None, addresses: list[str] | None = None, by: str) -> int:
    """Let these accounts or addresses log in again at once; returns the number of counters deleted."""
    rows = AccessAttempt.objects.filter(Q(username__in=emails or []) | Q(ip_address__in=addresses or []))
    cleared = int(rows.delete()[0])
    log.warning("%s unlocked the log-in of %s.", by, ", ".join([*(emails or []), *(addresses or [])]))
    return cleared


def _failures(rows: QuerySet[AccessAttempt]) -> int:
    return rows.aggregate(failures=Sum("failures_since_start"))["failures"] or 0


def _report(username: str) -> None:
    """Notify the admins, at most once an hour, of guesses at one account from many addresses."""
    at = timezone.now()
    rows = AccessAttempt.objects.filter(username=username, attempt_time__gte=at - COOL_OFF)
    found = rows.aggregate(failures=Sum("failures_since_start"), addresses=Count("ip_address", distinct=True))
    if (found["failures"] or 0) < REPORTED_FAILURES or found["addresses"] < REPORTED_ADDRESSES:
        return
    why = sentence(
        "%(failures)s failed log-ins for %(account)s from %(addresses)s addresses within 15 minutes",
        failures=found["failures"],
        account=username[:200],
        addresses=found["addresses"],
    )
    log.warning("%s; the account is not locked.", why)
    told = Told(
        key=f"log_in_guesses:{username[:80]}:{at:%Y%m%d%H}",
        kind="log_in_guesses",
        why=why,
        text=sentence("The account is not locked. If this continues, ask its owner to choose a new password."),
        url=f"{settings.PUBLIC_URL}/admin/axes/accessattempt/",
    )
    notify.tell(told, notify.people(notify.in_role(Membership.Role.ADMIN)), at=at)
