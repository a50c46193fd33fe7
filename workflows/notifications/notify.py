"""Creates notices for people and systems as rows in the current transaction; `delivery` sends them afterwards.

Each notice is created once. The first one for a recipient is sent immediately; those that follow within a minute are
sent together, so that a storm of events does not become a storm of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone, translation

from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain import absences, holding
from hub.models import Calendar, Leg, Membership, Organisation, Person, Ticket, User
from hub.queries.calendars import calendar_of
from workflows.models import Channel, Endpoint, Notice, NoticePreference, Suppression
from workflows.notifications import templates
from workflows.notifications.templates import Audience

NEW_PASSWORD = "new_password"  # noqa: S105  the name of a kind
"""The kind of notice whose e-mail contains a link that is made when it is sent: see `delivery`."""
TOGETHER = timedelta(minutes=1)
"""Notices for the same recipient within this time are sent as one message."""


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Who is notified, on which channel and in which language."""

    channel: Channel
    to: str
    audience: Audience = Audience.US
    user: User | None = None
    organisation: Organisation | None = None
    language: str = settings.LANGUAGE_CODE


@dataclass(frozen=True, kw_only=True)
class Told:
    """The content of a notice. With the same `key`, a recipient is notified only once."""

    key: str
    kind: str
    ticket: Ticket | None = None
    leg: Leg | None = None
    why: str = ""
    text: str = ""
    url: str = ""
    items: tuple[str, ...] = ()
    is_urgent: bool = False

    def facts(self, organisation: Organisation | None) -> dict[str, Any]:
        """What the template of the notice can use."""
        return templates.facts_of(
            self.ticket,
            leg=self.leg,
            organisation=organisation,
            why=self.why,
            text=self.text,
            url=self.url,
            items=list(self.items),
        )


def tell(told: Told, recipients: list[Recipient], *, at: datetime) -> list[Notice]:
    """Create a notice for each recipient who wants it, and return the new ones. The same key creates no second one."""
    made = []
    for recipient in recipients:
        wish = _wish(recipient, told.kind)
        if wish is None:
            continue
        with translation.override(recipient.language):
            facts = told.facts(recipient.organisation)
            said = templates.said(told.kind, recipient.audience, facts, language=recipient.language)
        notice, is_new = Notice.objects.get_or_create(
            key=f"{told.key}:{recipient.channel}:{recipient.to}"[:200],
            defaults={
                "kind": told.kind,
                "channel": recipient.channel,
                "to": recipient.to[:320],
                "user": recipient.user,
                "organisation": recipient.organisation,
                "ticket": told.ticket,
                "leg": told.leg,
                "subject": " ".join(said.subject.split())[:300],
                "body": said.body,
                "url": str(facts["url"])[:500],
                "is_urgent": told.is_urgent,
                "made_at": at,
                "due_at": holding.not_before(_due(recipient, wish, told.is_urgent)),
                **holding.mark(),
                **_held(recipient),
            },
        )
        if is_new:
            made.append(notice)
    return made


def _held(recipient: Recipient) -> Mapping[str, object]:
    """The values of a notice that is held back because its address is suppressed; nothing for others."""
    if recipient.channel != Channel.MAIL:
        return {}
    row = Suppression.objects.filter(address__iexact=recipient.to).first()
    if row is None:
        return {}
    why = sentence("%(address)s is a suppressed address: %(reason)s", address=row.address, reason=row.why)
    return {"state": Notice.State.HELD, "why": why, "due_at": None}


@dataclass(frozen=True)
class _Wish:
    """When this recipient wants the notice."""

    is_daily: bool = False
    is_quiet: bool = False


def _wish(recipient: Recipient, kind: str) -> _Wish | None:
    """When the recipient wants notices of this kind; None if not at all."""
    if recipient.user is None:
        return _Wish()
    rows = NoticePreference.objects.filter(Q(kind=kind) | Q(kind=""), user=recipient.user)
    found = {row.kind: row for row in rows}
    row = found.get(kind) or found.get("")
    if row is None:
        return _Wish(is_quiet=recipient.channel == Channel.MAIL)
    if recipient.channel == Channel.CONSOLE:
        return _Wish() if row.console else None
    if row.mail == NoticePreference.Pace.NEVER:
        return None
    return _Wish(is_daily=row.mail == NoticePreference.Pace.DAILY, is_quiet=row.is_quiet_at_night)


def _due(recipient: Recipient, wish: _Wish, is_urgent: bool) -> datetime:
    """When it is sent: now, a minute after the previous message, in working hours, or in the daily summary."""
    now = timezone.now()
    if recipient.channel == Channel.CONSOLE:
        return now
    if wish.is_daily and not is_urgent:
        return _morning(recipient, now)
    last = (
        Notice.objects.filter(channel=recipient.channel, to=recipient.to, sent_at__gt=now - TOGETHER)
        .order_by("-sent_at")
        .values_list("sent_at", flat=True)
        .first()
    )
    due = max(now, last + TOGETHER) if last is not None else now
    return due if is_urgent or not wish.is_quiet else _open(recipient, due)


def _open(recipient: Recipient, at: datetime) -> datetime:
    """The next instant within the working hours of the recipient's organisation, not before `at`."""
    calendar = _calendar(recipient)
    if calendar is None:
        return at
    found = calendar_of(calendar).next_open(int(at.timestamp()))
    return at if found is None else max(at, datetime.fromtimestamp(found, at.tzinfo))


def _morning(recipient: Recipient, at: datetime) -> datetime:
    """The start of the working hours after today; 7:00 UTC tomorrow without a calendar."""
    calendar = _calendar(recipient)
    tomorrow = (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    if calendar is None:
        return tomorrow.replace(hour=7)
    found = calendar_of(calendar).next_open(int(tomorrow.timestamp()))
    return tomorrow if found is None else datetime.fromtimestamp(found, at.tzinfo)


def _calendar(recipient: Recipient) -> Calendar | None:
    organisation = recipient.organisation
    if organisation is None:
        organisation = Organisation.objects.select_related("calendar").filter(is_us=True).first()
    return organisation.calendar if organisation is not None else None


# -- recipients


def people(users: list[User], *, by_mail: bool = True) -> list[Recipient]:
    """Our own people and the substitutes of the absent, in the console and by e-mail; not those who have left."""
    users = still_here(absences.with_substitutes(users, at=now()))
    found = [
        Recipient(channel=Channel.CONSOLE, to=user.public_id, user=user, language=language_of(user)) for user in users
    ]
    if by_mail:
        found += [
            Recipient(channel=Channel.MAIL, to=user.email, user=user, language=language_of(user))
            for user in users
            if user.email
        ]
    return found


def language_of(user: User | None) -> str:
    """The language chosen for this person, or the default of the installation."""
    return user.language if user is not None and user.language else settings.LANGUAGE_CODE


def in_role(role: str) -> list[User]:
    """All of our active people in a role, by name."""
    rows = User.objects.filter(memberships__role=role, memberships__organisation__is_us=True, is_active=True)
    return list(rows.distinct().order_by("name", "pk"))


def still_here(users: list[User]) -> list[User]:
    """Those users who are active and members of our organisation."""
    pks = User.objects.filter(
        pk__in=[user.pk for user in users], is_active=True, memberships__organisation__is_us=True
    ).values_list("pk", flat=True)
    known = set(pks)
    return [user for user in users if user.pk in known]


def requester(person: Person) -> list[Recipient]:
    """A person by e-mail, in the requester's wording; nobody without an address."""
    if not person.email:
        return []
    return [
        Recipient(
            channel=Channel.MAIL,
            to=person.email,
            audience=Audience.REQUESTER,
            organisation=person.organisation,
            language=language_of(person.user),
        )
    ]


def vendor(organisation: Organisation) -> list[Recipient]:
    """An organisation by e-mail to its contact address; nobody without an address."""
    if not organisation.contact_email:
        return []
    address = organisation.contact_email
    return [Recipient(channel=Channel.MAIL, to=address, audience=Audience.VENDOR, organisation=organisation)]


def endpoint(found: Endpoint) -> list[Recipient]:
    """An endpoint on its own channel; nobody if it is not active."""
    return [Recipient(channel=Channel(found.channel), to=found.public_id)] if found.is_active else []


def watchers(ticket: Ticket) -> list[User]:
    """Who is notified about a ticket by default: its assignee, or our managers if there is none or they have left."""
    assigned = still_here([ticket.assignee]) if ticket.assignee is not None else []
    return assigned or in_role(Membership.Role.MANAGER)


# -- bounces


def bounced(addresses: list[str], *, diagnosis: str, at: datetime) -> int:
    """E-mail to these addresses cannot be delivered: mark recent notices as failed and suppress the addresses.

    Only addresses with a notice of the last seven days count. Returns how many notices failed.
    """
    failed = 0
    for address in addresses:
        recent = Notice.objects.filter(
            channel=Channel.MAIL,
            to__iexact=address,
            state__in=[Notice.State.SENT, Notice.State.MERGED],
            sent_at__gte=at - timedelta(days=7),
        )
        failure = sentence("The e-mail could not be delivered: %(reason)s", reason=diagnosis[:900])
        count = recent.update(state=Notice.State.FAILED, why=failure)
        if count:
            bounce = sentence("An e-mail to this address bounced: %(reason)s", reason=diagnosis[:900])
            Suppression.objects.get_or_create(address=address.lower(), defaults={"why": bounce, "since": at})
        failed += count
    return failed
