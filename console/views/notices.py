"""The user's notices: why each was sent, and how to be told less."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from console.access import person
from console.polling import live_cursor
from hub.core.clock import now
from hub.models import User
from hub.queries import permissions
from workflows.models import Notice, NoticePreference

MOST = 100
KINDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "mention": (_("Mentions"), _("somebody mentioned you")),
    "assigned": (_("Assignments"), _("the ticket was assigned to you")),
    "followed": (_("My and watched tickets"), _("you are the assignee or watch the ticket")),
    "task": (_("Tasks"), _("a task of yours is due")),
}
"""The kinds that people can switch off for themselves: what they are called, and why one gets them."""
OTHER = (_("Other"), _("a rule of the workflow notifies you"))


@dataclass(frozen=True, kw_only=True)
class NoticeRow:
    notice: Notice
    kind: str | Promise
    why: str | Promise

    @property
    def text(self) -> str:
        """The text without the address, which the subject leads to, and without empty lines."""
        lines = self.notice.body.replace(self.notice.url or "\0", "").splitlines()
        return "\n".join(line for line in lines if line.strip())


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """One kind of notice and how this person wants it."""

    slug: str
    label: str | Promise
    console: bool
    mail: str


@require_safe
@login_required
def notices(request: HttpRequest) -> HttpResponse:
    """The user's newest notices, of all kinds or of one."""
    user, kind = person(request), request.GET.get("kind", "")
    rows = _of(user).select_related("ticket").order_by("-pk")
    if kind in KINDS:
        rows = rows.filter(kind=kind)
    context = {
        "notices": [
            NoticeRow(notice=row, kind=KINDS.get(row.kind, OTHER)[0], why=KINDS.get(row.kind, OTHER)[1])
            for row in rows[:MOST]
        ],
        "kinds": _kinds(user),
        "kind": kind if kind in KINDS else "",
        "paces": NoticePreference.Pace.choices,
        "may_work": permissions.may_work(user),
        "page": "notices",
        "cursor": live_cursor(user),
    }
    return render(request, "console/notices.html", context)


def _of(user: User) -> QuerySet[Notice]:
    return Notice.objects.filter(user=user, channel="console")


def _kinds(user: User) -> list[KindRow]:
    chosen = {row.kind: row for row in NoticePreference.objects.filter(user=user)}
    found = []
    for slug, (label, _why) in KINDS.items():
        row = chosen.get(slug) or chosen.get("") or NoticePreference()
        found.append(KindRow(slug=slug, label=label, console=row.console, mail=row.mail))
    return found


@require_safe
@login_required
def unread(request: HttpRequest) -> HttpResponse:
    """The link with the number of unread notices, for a page that is open."""
    fresh = _of(person(request)).filter(read_at=None).count()
    return render(request, "console/_unread.html", {"fresh": fresh})


@require_POST
@login_required
def open_notice(request: HttpRequest, public_id: str) -> HttpResponse:
    """Mark the notice as read, in all tabs, and go to its ticket."""
    notice = get_object_or_404(_of(person(request)).select_related("ticket"), public_id=public_id)
    _of(person(request)).filter(pk=notice.pk, read_at=None).update(read_at=now())
    return redirect(notice.ticket or "console:notices")


@require_POST
@login_required
def read_notices(request: HttpRequest) -> HttpResponse:
    """Mark all notices that were shown as read."""
    upto = request.POST.get("upto", "")
    rows = _of(person(request)).filter(read_at=None)
    if upto.isdecimal() and len(upto) < 18:
        rows.filter(pk__lte=int(upto)).update(read_at=now())
    return redirect("console:notices")


@require_POST
@login_required
def set_kind(request: HttpRequest) -> HttpResponse:
    """Say how one wants notices of one kind."""
    slug, mail = request.POST.get("kind", ""), request.POST.get("mail", "")
    if slug in KINDS and mail in NoticePreference.Pace.values:
        general = NoticePreference.objects.filter(user=person(request), kind="").first() or NoticePreference()
        wanted = {
            "console": bool(request.POST.get("console")),
            "mail": mail,
            "is_quiet_at_night": general.is_quiet_at_night,
        }
        NoticePreference.objects.update_or_create(user=person(request), kind=slug, defaults=wanted)
    return redirect("console:notices")
