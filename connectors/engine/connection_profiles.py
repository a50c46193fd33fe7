"""The profile of a connection: which ones can be chosen, and changing to another version."""

from __future__ import annotations

from django.db import transaction

from connectors.engine import profiles, registry
from connectors.models import Connection, Profile
from hub.core.sentences import sentence
from hub.models import Publication
from hub.translation import localized


@transaction.atomic
def move(connection: Connection, profile: Profile) -> None:
    """Move a connection to another version of its profile. What the connector learned with the old one is discarded.

    Reading continues from the same point with the new version. If that sends credentials differently, the connection
    is locked out until they are entered again. ValueError if it is the version of another profile.
    """
    if connection.profile is None or connection.profile.slug != profile.slug:
        raise ValueError(
            sentence(
                "%(profile)s is not another version of the profile that %(connection)s uses.",
                profile=profile,
                connection=connection,
            )
        )
    connection = Connection.objects.select_for_update(of=("self",)).select_related("profile").get(pk=connection.pk)
    cursor = profiles.kinds()[profile.connector].restarted(connection.cursor)
    changes: dict[str, object] = {"profile": profile, "memory": {}, "cursor": cursor, "next_poll_at": None}
    if connection.sealed and not sends_alike(connection, profile):
        # The right to edit profiles must not give access to credentials.
        changes |= {"sealed": b"", "state": Connection.State.LOCKED_OUT, "last_error": ENTER_AGAIN}
    Connection.objects.filter(pk=connection.pk).update(**changes)


ENTER_AGAIN = sentence(
    "This version of the profile sends credentials differently. Enter them again on the page Access."
)


def sends_alike(connection: Connection, profile: Profile) -> bool:
    """Whether another version sends credentials to the same place and in the same way as the one in use."""
    kind, used = profiles.kinds()[profile.connector], connection.profile
    return used is not None and kind.ways_in(used.document) == kind.ways_in(profile.document)


def choices() -> list[tuple[str, str]]:
    """The systems that a connection can be created for: values and labels, the latter in the active language."""
    profiled = profiles.kinds()
    kinds = registry.connectors_by_slug().items()
    found = [(slug, localized(kind.label)) for slug, kind in kinds if slug not in profiled]
    for slug, kind in profiled.items():
        published = Profile.objects.filter(connector=slug, status=Publication.PUBLISHED).order_by("name")
        found += [(f"{slug}:{row.slug}", f"{row.name} ({row})") for row in published]
        known = {row.slug for row in published}
        for name, document in kind.shipped_profiles().items():
            if name not in known:
                found.append((f"{slug}:{name}", profiles.read(document, connector=slug).label))
    return found


def chosen(choice: str) -> tuple[str, Profile | None]:
    """The connector and the profile of a choice; a built-in profile is published if it is not yet."""
    slug, _, name = choice.partition(":")
    if not name:
        return slug, None
    found = Profile.objects.filter(connector=slug, slug=name, status=Publication.PUBLISHED).first()
    if found is None:
        found = profiles.publish(
            profiles.take_in(profiles.kinds()[slug].shipped_profiles()[name], connector=slug, is_shipped=True)
        )
    return slug, found
