"""Lines of the timeline with the delivery status of their messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from connectors.models import AwaitedFile
from connectors.queries.deliveries import Delivery, awaited_files, deliveries
from hub.models import User
from hub.queries import permissions
from hub.queries.timeline import Line


@dataclass(frozen=True, kw_only=True)
class TimelineRow:
    """One line, the deliveries of its message, and its files that have not been downloaded."""

    line: Line
    deliveries: Sequence[Delivery] = ()
    awaited: Sequence[AwaitedFile] = ()


def timeline_rows(
    lines: Iterable[Line], *, user: User, has: Collection[str] = ("sent", "awaited")
) -> list[TimelineRow]:
    """The lines in their order. Deliveries are only for readers who see everything, missing files only for workers.

    `has`: whether anything of the ticket was ``sent`` or is ``awaited`` at all, if that is known.
    """
    found = list(lines)
    if not permissions.sees_everything(user):
        return [TimelineRow(line=line) for line in found]
    messages = [line.message for line in found if line.message]
    sent = deliveries(messages) if messages and "sent" in has else {}
    awaited = awaited_files(messages) if messages and "awaited" in has and permissions.may_work(user) else {}
    return [
        TimelineRow(line=line, deliveries=sent.get(line.message.pk, []), awaited=awaited.get(line.message.pk, []))
        if line.message
        else TimelineRow(line=line)
        for line in found
    ]
