"""Mail of theirs that belongs to a link: what answers it belongs there as well, and their desk's number is kept."""

from __future__ import annotations

from typing import TypedDict

from django.db import transaction
from django.utils.translation import gettext as _

from connectors.kit.contract import ParsedMail
from connectors.models import Connection, HeardMail, Link, Outbound
from hub.core.clock import now
from hub.domain.actors import Actor
from hub.models import Leg
from workflows.handoffs import comments, guest_links

MOST_IN_THREAD = 3
"""So many ids of theirs stand in References: a desk looks for any of them."""
LONGEST_SHOWN = 500


class Thread(TypedDict):
    """What mail to them carries, so that their desk finds its ticket."""

    number: str
    thread: tuple[str, ...]


def thread(link: Link) -> Thread:
    """The last ids of theirs, the newest last: as they stand there, so none that only SMTPUTF8 could carry."""
    rows = link.heard_mail.order_by("-pk").values_list("message_id", flat=True)[:MOST_IN_THREAD]
    return Thread(number=number(link), thread=tuple(each for each in reversed(rows) if each.isascii()))


def number(link: Link) -> str:
    """Their desk's number as its subjects have it, the newest one; empty where it has none."""
    return link.heard_mail.exclude(number="").order_by("-pk").values_list("number", flat=True).first() or ""


def answered(connection: Connection, letter: ParsedMail) -> Link | None:
    """The link of a mail of theirs that this one refers to; the newest it names counts."""
    if not letter.answers:
        return None
    known = HeardMail.objects.filter(link__connection=connection, message_id__in=letter.answers)
    found = known.select_related("link__leg__ticket", "link__connection__organisation").order_by("-pk").first()
    return found.link if found is not None else None


@transaction.atomic
def remember(link: Link, letter: ParsedMail) -> bool:
    """Keep what tells the thread, and their number; False where it is known. Only for mail proven to be theirs."""
    # What stands in the title of a ticket of ours is no number of theirs; in one they began, it is.
    title = link.leg.ticket.title if link.outbound.filter(kind=Outbound.Kind.CREATE).exists() else ""
    theirs = next((each for each in letter.numbers if each not in title), "")
    _row, is_new = HeardMail.objects.get_or_create(
        link=link, message_id=letter.message_id or letter.key, defaults={"number": theirs, "heard_at": now()}
    )
    if theirs:
        Leg.objects.filter(pk=link.leg_id).update(remote_number=shown(theirs))
    return is_new


def shown(number: str) -> str:
    """The number without what brackets it.

    >>> shown("[Ticket#2026031610000042]"), shown("##RE-12##"), shown("T20260105.0001")
    ('Ticket#2026031610000042', 'RE-12', 'T20260105.0001')
    """
    return number.strip("[]()#") if number[:1] in "[(#" else number


@transaction.atomic
def automatic(link: Link, letter: ParsedMail) -> None:
    """An answer that nobody wrote moves nothing. Our own people see it, and their desk's number is kept."""
    if not remember(link, letter):
        return
    said = _("Automatic reply from %(who)s. It changes nothing here.\n\n%(text)s") % {
        "who": letter.author or letter.sender,
        "text": guest_links.concealed(letter.text)[:LONGEST_SHOWN],
    }
    comments.comment(ticket=link.leg.ticket, body=said, actor=Actor.system("mail"), at=now())
