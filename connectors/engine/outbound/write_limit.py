"""How often one record may be written to: beyond that, two systems seem to react to each other."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import timezone

from connectors.kit.errors import Unclear
from connectors.models import Attempt, Link
from hub.core import statements
from hub.core.sentences import sentence

WINDOW = timedelta(hours=1)
"""The time over which writes on one link are counted."""


class TooMany(Exception):
    """There were so many writes within an hour that two systems seem to react to each other."""


class WriteLimit:
    """Counts the writes on one link; read once per lease, because only the holder of the lease writes."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.written: int | None = None

    def count(self) -> None:
        """Count one more write."""
        self.written = (self.written or 0) + 1

    def check(self) -> None:
        """TooMany if one more write within an hour would be more than the setting allows."""
        if self.written is None:
            self.written = self._counted()
        if self.written >= settings.WRITES_PER_LINK_PER_HOUR:
            raise TooMany(
                sentence(
                    "The record was written to %(count)s times within an hour. Two systems may be reacting to each "
                    "other. The queue is kept. Check the ticket on both sides, then resume the synchronisation.",
                    count=self.written,
                )
            )

    def _counted(self) -> int:
        since = timezone.now() - WINDOW
        if self.link.paced_from is not None:
            since = max(since, self.link.paced_from)
        return _writes.first(self.link.pk, since) or 0


@statements.select
def _writes(link_id: int, since: datetime) -> QuerySet[Attempt, int]:
    """How often the link was written to since then, without what was refused; no row if it was not."""
    attempts = Attempt.objects.filter(outbound__link=link_id, began_at__gte=since)
    written = attempts.filter(outcome__in=["ok", Unclear.__name__]).order_by().values("outbound__link")
    return written.annotate(count=Count("pk")).values_list("count", flat=True)
