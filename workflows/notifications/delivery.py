"""Sends notices by e-mail, to endpoints and in the console. Many due notices for one recipient become one message."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.core.sentences import sentence
from hub.domain import accounts
from hub.models import Organisation, User
from workflows.models import Channel, Notice, Suppression
from workflows.notifications import webhooks
from workflows.notifications.errors import NotSent
from workflows.notifications.notify import NEW_PASSWORD, language_of

LEASE = timedelta(seconds=90)
"""How long a process has a notice to itself while it sends it."""
MOST_ATTEMPTS = 8
ONE_BY_ONE = 3
"""Up to this many due notices are sent as single messages; more are combined into one."""
MOST_TOGETHER = 2000
"""At most this many notices are combined into one message."""
SECONDS = 15
"""The timeout of the mail server."""


def due_notices(*, at: datetime, limit: int = 50) -> list[int]:
    """Ids of notices to send now, in order."""
    return list(waiting(at=at).order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[Notice]:
    """Notices to send now."""
    return Notice.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=at), state=Notice.State.READY, due_at__lte=at
    )


def send(*, notice_id: int) -> None:
    """Send one notice, together with all others that are due for its recipient."""
    at = timezone.now()
    first = Notice.objects.filter(pk=notice_id, state=Notice.State.READY).first()
    if first is None:
        return
    mine = _claim(first, at)
    for notice in [each for each in mine if each.kind == NEW_PASSWORD]:
        _deliver([notice], notice.subject, notice.body)  # separately: its link is made when it is sent
        mine.remove(notice)
    if not mine:
        return
    if len(mine) <= ONE_BY_ONE or first.channel == Channel.CONSOLE:
        for notice in mine:
            _deliver([notice], notice.subject, notice.body)
        return
    with translation.override(language_of(mine[0].user)):
        subject, body = together(mine)
    _deliver(mine, subject, body)


@transaction.atomic
def _claim(first: Notice, at: datetime) -> list[Notice]:
    """Claim every notice that is due for this recipient and that no other process is sending."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
    rows = Notice.objects.filter(
        free, channel=first.channel, to=first.to, state=Notice.State.READY, due_at__lte=at
    ).order_by("pk")
    found = []
    for notice in rows[:MOST_TOGETHER]:
        if Notice.objects.filter(free, pk=notice.pk, state=Notice.State.READY).update(lease_until=at + LEASE):
            found.append(notice)
    return found


def together(notices: list[Notice]) -> tuple[str, str]:
    """Subject and text of one message for many notices: how many, their subjects, and the newest one in full."""
    by_subject: dict[str, int] = {}
    for notice in notices:
        by_subject[notice.subject] = by_subject.get(notice.subject, 0) + 1
    lines = [
        "- " + (_("%(subject)s (%(count)s times)") % {"subject": subject, "count": count} if count > 1 else subject)
        for subject, count in by_subject.items()
    ]
    shown = lines[:50]
    if len(lines) > len(shown):
        shown.append(_("and %(count)s more") % {"count": len(lines) - len(shown)})
    count = len(notices)
    subject = ngettext("%(count)s notice, the newest: %(subject)s", "%(count)s notices, the newest: %(subject)s", count)
    since = ngettext("%(count)s notice since the last message:", "%(count)s notices since the last message:", count)
    body = [since % {"count": count}, "", *shown, "", notices[-1].body]
    return (subject % {"count": count, "subject": notices[-1].subject})[:300], "\n".join(body)


def _deliver(notices: list[Notice], subject: str, body: str) -> None:
    """Send notices to one recipient as one message.

    If that fails for now, all of them wait equally long, so the next attempt sends the same message again.
    """
    first, *others = notices
    try:
        if first.channel == Channel.MAIL:
            _mail(first, subject, body)
        elif first.channel != Channel.CONSOLE:  # the console shows the row itself
            webhooks.post(first, subject, body, id=webhooks.message_id(notices))
    except NotSent as error:
        at = timezone.now()
        for notice in [first] if error.is_final else notices:
            _failed(notice, error, at=at)
        Notice.objects.filter(pk__in=[n.pk for n in others], state=Notice.State.READY).update(lease_until=None)
        return
    Notice.objects.filter(pk=first.pk).update(
        state=Notice.State.SENT, sent_at=timezone.now(), lease_until=None, due_at=None, why=""
    )
    Notice.objects.filter(pk__in=[n.pk for n in others]).update(
        state=Notice.State.MERGED, merged_into=first, sent_at=timezone.now(), lease_until=None
    )


def _failed(notice: Notice, error: NotSent, *, at: datetime) -> None:
    attempts = notice.attempts + 1
    is_over = error.is_final or attempts >= MOST_ATTEMPTS
    wait = timedelta(minutes=2 ** min(attempts - 1, 6))
    Notice.objects.filter(pk=notice.pk).update(
        attempts=F("attempts") + 1,
        why=str(error)[:1000],
        lease_until=None,
        state=Notice.State.FAILED if is_over else Notice.State.READY,
        due_at=None if is_over else at + wait,
    )


def retry(notice: Notice) -> None:
    """Queue a failed or held notice again."""
    Notice.objects.filter(pk=notice.pk, state__in=[Notice.State.FAILED, Notice.State.HELD]).update(
        state=Notice.State.READY, attempts=0, due_at=timezone.now(), why=""
    )


# -- by e-mail


def _mail(notice: Notice, subject: str, body: str) -> None:
    if not settings.MAIL_URL:
        raise NotSent(sentence("No mail server is configured. Set TICKETHUB_MAIL_URL."), is_final=True)
    if Suppression.objects.filter(address__iexact=notice.to).exists():
        raise NotSent(
            sentence("%(address)s is a suppressed address; no e-mail is sent to it.", address=notice.to), is_final=True
        )
    sender = parseaddr(settings.MAIL_FROM)[1]
    host = sender.partition("@")[2] or "localhost"
    thread = f"<t.{(notice.leg or notice.ticket or notice).public_id.lower()}@{host}>"
    if notice.kind == NEW_PASSWORD:
        body = f"{body}\n\n{settings.PUBLIC_URL}{accounts.reset_path(User.objects.get(email=notice.to))}"
    message = EmailMessage(
        " ".join(subject.split()),
        body,
        settings.MAIL_FROM,
        [notice.to],
        headers={
            "Message-ID": f"<n.{notice.public_id.lower()}@{host}>",
            "In-Reply-To": thread,
            "References": thread,
            "Date": format_datetime(timezone.now()),
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "X-Ticket-Hub": str(Organisation.objects.filter(is_us=True).values_list("public_id", flat=True).first()),
        },
    )
    backend = _backend()
    try:
        backend.open()
        line: Any = backend.connection
        line.sendmail(sender, [notice.to], _bytes(message))
    except Exception as error:  # a fault of the mail server stops this notice and nothing else
        raise _not_accepted(error) from error
    finally:
        backend.close()


def _not_accepted(error: Exception) -> NotSent:
    """The mail server's refusal in its own words; final if its code is 5xx (RFC 5321, 4.2.1)."""
    refused = next(iter(getattr(error, "recipients", {}).values()), (0, b""))
    code = getattr(error, "smtp_code", None) or refused[0]
    reply = getattr(error, "smtp_error", b"") or refused[1] or str(error)
    reason = (reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply))[:300]
    is_final = 500 <= int(code) < 600
    return NotSent(sentence("The mail server did not accept the e-mail: %(reason)s", reason=reason), is_final=is_final)


def _bytes(message: EmailMessage) -> bytes:
    """The message with CRLF line ends, as SMTP requires."""
    return message.message().as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _backend() -> EmailBackend:
    parts = urlsplit(settings.MAIL_URL)
    plain = parse_qs(parts.query).get("tls", [""])[0] == "none"
    is_smtps = parts.scheme == "smtps"
    return EmailBackend(
        host=parts.hostname or "localhost",
        port=parts.port or (465 if is_smtps else 25 if plain else 587),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        use_tls=not plain and not is_smtps,
        use_ssl=is_smtps,
        timeout=SECONDS,
        fail_silently=False,
    )
