"""Workbooks of long lists: queued by a person, made by the worker, kept for a day.

The row is the queue. A worker claims it by moving `due_at` ahead, again after every part; if the worker is stopped,
the time passes, and another one begins anew.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from tempfile import TemporaryFile

from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models import F, QuerySet
from django.http import QueryDict
from django.utils import timezone, translation
from django.utils.timezone import get_current_timezone_name

from console import workbook
from console.exporting import Exported, exported
from console.rows.tickets import TicketRow
from hub.core import clock, wakeups
from hub.core.sentences import sentence
from hub.models import ListExport, User
from hub.queries import permissions
from hub.queries.filter_fields import Reader
from hub.sla.calendars import load_zone

log = logging.getLogger(__name__)

State = ListExport.State
LEASE = timedelta(minutes=2)
"""After this time without another part, the worker is taken to be gone."""
KEPT = timedelta(days=1)
MOST_ATTEMPTS = 3
MOST_AT_ONCE = 3
"""So many workbooks one person may have waiting."""


class _Gone(Exception):
    """Another worker has taken the workbook over."""


class _Impossible(Exception):
    """The workbook cannot be made; the sentence says why."""


def queue(user: User, query: str) -> ListExport | None:
    """Queue the workbook of a list for a person; the one that waits already; None if too many others wait."""
    waiting_ones = ListExport.objects.filter(user=user, state=State.WAITING)
    wanted = {
        "query": query,
        "language": translation.get_language() or "en",
        "time_zone": get_current_timezone_name(),
        "rights": rights_of(user),
    }
    same = waiting_ones.filter(**wanted).first()
    if same is not None:
        return same
    if waiting_ones.count() >= MOST_AT_ONCE:
        return None
    at = timezone.now()
    made = ListExport.objects.create(user=user, **wanted, made_at=at, due_at=at)
    wakeups.wake()
    return made


def rights_of(user: User) -> str:
    """A digest of a person's roles."""
    seats = sorted((seat.organisation_id, str(seat.role)) for seat in user.seats)
    return hashlib.sha256(repr((user.is_active, user.is_superuser, seats)).encode()).hexdigest()


def of(user: User, public_id: str) -> ListExport | None:
    """A workbook of this person; None if there is none, or if the person's roles have changed since."""
    found = ListExport.objects.filter(user=user, public_id=public_id).first()
    return found if found is not None and found.rights == rights_of(user) else None


def waiting() -> QuerySet[ListExport]:
    """Workbooks to make, and those to delete."""
    return ListExport.objects.filter(due_at__lte=clock.system())


def due(*, limit: int = 20) -> list[int]:
    """Their primary keys, in order. One workbook is made at a time, so that other work of the worker goes on."""
    at = clock.system()
    is_at_work = ListExport.objects.filter(state=State.WAITING, attempts__gt=0, due_at__gt=at).exists()
    found, rows = [], waiting().order_by("due_at", "pk").values_list("pk", "state")
    for pk, state in rows[:limit]:
        if state != State.WAITING or not is_at_work:
            found.append(pk)
        is_at_work |= state == State.WAITING
    return found


def run(*, export_id: int) -> None:
    """Make one workbook, or delete it if its time is over."""
    at = timezone.now()
    mine = ListExport.objects.filter(pk=export_id, due_at__lte=at)
    if not mine.update(due_at=at + LEASE, attempts=F("attempts") + 1):
        return
    export = ListExport.objects.select_related("user").get(pk=export_id)
    if export.state != State.WAITING:
        _delete(export)
    elif export.attempts > MOST_ATTEMPTS:
        _end(export, State.FAILED, sentence("The workbook was interrupted several times. Export the list again."))
    else:
        _make(export)


def _delete(export: ListExport) -> None:
    default_storage.delete(export.path)
    export.delete()


def _make(export: ListExport) -> None:
    with translation.override(export.language), timezone.override(load_zone(export.time_zone)):
        try:
            _write(export)
        except _Gone:
            return
        except _Impossible as why:
            _end(export, State.FAILED, str(why.args[0]))
        except OSError:
            log.exception("The workbook %s could not be stored", export.public_id)
            _end(export, State.FAILED, sentence("The workbook could not be stored. Try again later."))
        except Exception:  # last resort: the person has to be told
            log.exception("The workbook %s failed", export.public_id)
            _end(export, State.FAILED, sentence("An unexpected error occurred. It has been logged."))
        else:
            _end(export, State.DONE)


def _write(export: ListExport) -> None:
    user = export.user
    if export.rights != rights_of(user):
        raise _Impossible(sentence("Your roles have changed. Export the list again."))
    reader = Reader(user_id=user.pk, at=clock.now(), known=permissions.known_organisations(user))
    what = exported(QueryDict(export.query), user, reader)
    export.count = what.tickets.order_by().count()
    if export.count > workbook.MOST_ROWS:
        raise _Impossible(
            sentence(
                "A workbook holds at most %(most)s tickets. Export CSV, which has no limit.", most=workbook.MOST_ROWS
            )
        )
    with TemporaryFile() as file:
        workbook.write(file, what.shown_as.columns, _parts(export, what), at=reader.at)
        file.seek(0)
        default_storage.delete(export.path)  # of an attempt that was interrupted after it was stored
        default_storage.save(export.path, File(file))


def _parts(export: ListExport, what: Exported) -> Iterator[list[TicketRow]]:
    """The pages; after each, how far the workbook is. Raises _Gone if another worker has taken it over."""
    done = 0
    for page in what.pages():
        yield page
        done += len(page)
        until = timezone.now() + LEASE
        mine = ListExport.objects.filter(pk=export.pk, attempts=export.attempts, state=State.WAITING)
        if not mine.update(done=done, count=max(done, export.count), due_at=until):
            raise _Gone


def _end(export: ListExport, state: ListExport.State, why: str = "") -> None:
    mine = ListExport.objects.filter(pk=export.pk, attempts=export.attempts)
    mine.update(state=state, why=why, due_at=timezone.now() + KEPT)
