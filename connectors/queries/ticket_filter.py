"""The filter of the ticket list by how far synchronisation with the vendors' systems has come."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from connectors.models import AwaitedFile, Connection, Difference, Link, Outbound
from hub.models import OPEN_STAGES
from hub.queries import filter_fields
from hub.queries.filter_fields import Field, Reader
from hub.queries.filters import NONE

STATES = (
    ("trouble", _("needs attention")),
    ("sending", _("changes waiting to be sent")),
    ("synchronised", _("in sync")),
    (NONE, _("in no vendor's system")),
)
_STOPPED = (Link.State.QUARANTINED, Link.State.PAUSED)


def _match(values: Sequence[str], _reader: Reader) -> Q:
    links = Link.objects.filter(leg__ticket=OuterRef("pk")).exclude(state=Link.State.ARCHIVED)
    items = Outbound.objects.filter(link__leg__ticket=OuterRef("pk"))
    differences = Difference.objects.filter(link__leg__ticket=OuterRef("pk"), resolved_at=None)
    files = AwaitedFile.objects.filter(link__leg__ticket=OuterRef("pk"))
    trouble = (
        Exists(items.filter(state=Outbound.State.PARKED))
        | Exists(links.filter(state__in=_STOPPED))
        | Exists(differences)
        | Exists(links.filter(connection__state=Connection.State.LOCKED_OUT))
        | Exists(files.filter(state=AwaitedFile.State.PARKED))
    )
    sending = Exists(items.filter(state__in=[Outbound.State.READY, Outbound.State.UNCLEAR]))
    live = Exists(
        links.filter(leg__stage__in=OPEN_STAGES, state=Link.State.ACTIVE, connection__state=Connection.State.ACTIVE)
    )
    by_value = {
        "trouble": Q(trouble),
        "sending": Q(sending),
        "synchronised": Q(live) & ~Q(trouble) & ~Q(sending),
        NONE: ~Q(Exists(links)),
    }
    found = Q(pk__in=[])
    for value in values:
        found |= by_value.get(value, Q(pk__in=[]))
    return found


filter_fields.register(
    Field(
        slug="sync",
        label=_("Synchronisation"),
        match=_match,
        labels=lambda values, _reader: {value: str(label) for value, label in STATES if value in values},
        choices=STATES,
    )
)
