"""The vendor's e-mails that belong to a link: replies to them belong to it as well, and so does their ticket number."""

from __future__ import annotations

from typing import TypedDict

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from connectors.kit.contract import ParsedMail
from connectors.models import Connection, HeardMail, Link, Outbound
from hub.core import statements
from hub.core.clock import now
from hub.domain.actors import Actor
from hub.models import Leg, Ticket
from hub.search import indexing
from workflows.handoffs import comments, guest_links

MOST_IN_THREAD = 3
"""How many of the vendor's Message-IDs we put into References: a help desk looks for any of them."""
LONGEST_SHOWN = 500


class Thread(TypedDict):
    """What an e-mail to the vendor contains, so that the vendor's help desk finds its ticket."""

    number: str
    thread: tuple[str, ...]


def thread(link: Link) -> Thread:
    """The vendor's number and last Message-IDs, the newest last; IDs that need SMTPUTF8 are omitted."""
    newest = reversed(_newest(link.pk))
    return Thread(number=number(link), thread=tuple(each for each in newest if each.isascii()))


@statements.select
def _newest(link_id: int) -> QuerySet[HeardMail, str]:
    rows = HeardMail.objects.filter(link=link_id).order_by("-pk")
    return rows.values_list("message_id", flat=True)[:MOST_IN_THREAD]


def number(link: Link) -> str:
    """The vendor's newest ticket number, as its help desk writes it into subjects; empty if there is none."""
    return _number.first(link.pk) or ""


@statements.select
def _number(link_id: int) -> QuerySet[HeardMail, str]:
    rows = HeardMail.objects.filter(link=link_id).exclude(number="").order_by("-pk")
    return rows.values_list("number", flat=True)[:1]


def answered(connection: Connection, letter: ParsedMail) -> Link | None:
    """The link of the newest of the vendor's e-mails that this one refers to; None if there is none."""
    if not letter.answers:
        return None
    known = HeardMail.objects.filter(link__connection=connection, message_id__in=letter.answers)
    found = known.select_related("link__leg__ticket", "link__connection__organisation").order_by("-pk").first()
    return found.link if found is not None else None


@transaction.atomic
def remember(link: Link, letter: ParsedMail) -> bool:
    """Store the Message-ID and the vendor's number; False if that was done before. Only for a proven sender."""
    # A number in the title of our own ticket is not the vendor's; in a ticket that the vendor began, it is.
    title = link.leg.ticket.title if link.outbound.filter(kind=Outbound.Kind.CREATE).exists() else ""
    theirs = next((each for each in letter.numbers if each not in title), "")
    _row, is_new = HeardMail.objects.get_or_create(
        link=link, message_id=letter.message_id or letter.key, defaults={"number": theirs, "heard_at": now()}
    )
    if theirs:
        Leg.objects.filter(pk=link.leg_id).update(remote_number=shown(theirs))
        indexing.mark(Ticket.objects.filter(legs=link.leg_id))
    return is_new


def shown(number: str) -> str:
    """The number without its brackets.

    >>> shown("[Ticket#2026031610000042]"), shown("##RE-12##"), shown("T20260105.0001")
    ('Ticket#2026031610000042', 'RE-12', 'T20260105.0001')
    """
    return number.strip("[]()#") if number[:1] in "[(#" else number


@transaction.atomic
def automatic(link: Link, letter: ParsedMail) -> None:
    """Show an automatic reply to our own people and store the vendor's number; nothing else changes."""
    if not remember(link, letter):
        return
    said = _("Automatic reply from %(who)s, which had no effect:\n\n%(text)s") % {
        "who": letter.author or letter.sender,
        "text": guest_links.concealed(letter.text)[:LONGEST_SHOWN],
    }
    comments.comment(ticket=link.leg.ticket, body=said, actor=Actor.system("mail"), at=now())
