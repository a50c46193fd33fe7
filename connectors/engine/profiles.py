"""Profiles in their versions: taken from those that come with the hub, imported, published, compared with use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import Max

from connectors.engine import registry
from connectors.kit.contract import ProfileConnector, ProfileSection
from connectors.models import Connection, Profile
from hub.core.sentences import sentence
from hub.models import Publication


class NotAProfile(ValueError):
    """The document cannot be used; every mistake in it is a line."""


def kinds() -> Mapping[str, type[ProfileConnector]]:
    """The connectors that are told by a profile how to speak."""
    return {slug: kind for slug, kind in registry.connectors_by_slug().items() if issubclass(kind, ProfileConnector)}


def read(document: str, *, connector: str = "") -> type[ProfileConnector]:
    """The connector that a document makes; NotAProfile says what is wrong, and where."""
    [kind] = [kinds()[connector]] if connector else list(kinds().values())[:1]
    try:
        return kind.of_profile(document)
    except ValueError as error:
        raise NotAProfile(str(error)) from error


@transaction.atomic
def take_in(document: str, *, connector: str = "", is_shipped: bool = False) -> Profile:
    """A new draft from a document, as the next version of its name; the same document again is the same version.

    One that was retired is none of those: whoever brings it back wants it anew.
    """
    made = read(document, connector=connector)
    kind = connector or next(iter(kinds()))
    slug = made.slug.partition(".")[2]
    rows = Profile.objects.select_for_update().filter(connector=kind, slug=slug)
    in_use = rows.exclude(status=Publication.RETIRED)
    same = next((row for row in in_use if row.document == document and row.is_shipped == is_shipped), None)
    if same is not None:
        return same
    last = rows.aggregate(last=Max("version"))["last"] or 0
    return Profile.objects.create(
        connector=kind, slug=slug, name=made.label, version=last + 1, document=document, is_shipped=is_shipped
    )


@transaction.atomic
def publish(profile: Profile) -> Profile:
    """From now on it stays as it is; new connections take it, those there are stay where they are."""
    profile = Profile.objects.select_for_update().get(pk=profile.pk)
    if profile.status != Publication.DRAFT:
        raise ValueError(
            sentence(
                "%(profile)s is %(status)s and cannot be changed; make a new version.",
                profile=profile,
                status=profile.get_status_display(),
            )
        )
    read(profile.document, connector=profile.connector)
    rows = Profile.objects.filter(connector=profile.connector, slug=profile.slug, status=Publication.PUBLISHED)
    rows.update(status=Publication.RETIRED)
    profile.status = Publication.PUBLISHED
    profile.save(update_fields=["status"])
    return profile


@transaction.atomic
def new_version(profile: Profile) -> Profile:
    """A draft that begins as a copy."""
    rows = Profile.objects.select_for_update().filter(connector=profile.connector, slug=profile.slug)
    last = rows.aggregate(last=Max("version"))["last"]
    return Profile.objects.create(
        connector=profile.connector, slug=profile.slug, name=profile.name, version=last + 1, document=profile.document
    )


def sections(profile: Profile) -> Sequence[ProfileSection]:
    """The profile's tables, as forms show them."""
    return kinds()[profile.connector].sections(profile.document)


def section_at(profile: Profile, place: str) -> ProfileSection:
    return kinds()[profile.connector].section_at(profile.document, place)


@transaction.atomic
def edit(profile: Profile, *, place: str, values: Mapping[str, str]) -> Profile:
    """Change one table of a draft; the whole is judged before it is kept. ValueError says what does not fit."""
    profile = Profile.objects.select_for_update().get(pk=profile.pk)
    if profile.status != Publication.DRAFT:
        raise ValueError(
            sentence(
                "%(profile)s is %(status)s and cannot be changed; make a new version.",
                profile=profile,
                status=profile.get_status_display(),
            )
        )
    document = kinds()[profile.connector].edited(profile.document, place, values)
    kind = read(document, connector=profile.connector)
    if kind.slug.partition(".")[2] != profile.slug:
        raise ValueError(
            sentence("slug: it must stay “%(slug)s”; make another profile for another system.", slug=profile.slug)
        )
    profile.document, profile.name = document, kind.label
    profile.save(update_fields=["document", "name"])
    return profile


@transaction.atomic
def move(connection: Connection, profile: Profile) -> None:
    """Let a connection use another version; what it had learned with the old one is forgotten.

    Reading goes on from where it was: what changed there meanwhile is read with the new version.
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
    cursor = kinds()[profile.connector].restarted(connection.cursor)
    changes: dict[str, object] = {"profile": profile, "memory": {}, "cursor": cursor, "next_poll_at": None}
    if connection.sealed and not sends_alike(connection, profile):
        # Whoever may write a profile may not read credentials with it.
        changes |= {"sealed": b"", "state": Connection.State.LOCKED_OUT, "last_error": ENTER_AGAIN}
    Connection.objects.filter(pk=connection.pk).update(**changes)


ENTER_AGAIN = sentence(
    "This version of the profile sends credentials in another way: enter them again on the page Access."
)


def sends_alike(connection: Connection, profile: Profile) -> bool:
    """Whether another version sends credentials where, and how, the one in use does."""
    kind, used = kinds()[profile.connector], connection.profile
    return used is not None and kind.ways_in(used.document) == kind.ways_in(profile.document)


def choices() -> list[tuple[str, str]]:
    """What a connection can be made with: connectors of their own, and profiles for the others."""
    profiled = kinds()
    found = [(slug, kind.label) for slug, kind in registry.connectors_by_slug().items() if slug not in profiled]
    for slug, kind in profiled.items():
        published = Profile.objects.filter(connector=slug, status=Publication.PUBLISHED).order_by("name")
        found += [(f"{slug}:{row.slug}", f"{row.name} ({row})") for row in published]
        known = {row.slug for row in published}
        for name, document in kind.shipped_profiles().items():
            if name not in known:
                found.append((f"{slug}:{name}", read(document, connector=slug).label))
    return found


def chosen(choice: str) -> tuple[str, Profile | None]:
    """The connector and the profile of a choice; a profile that comes with the hub is taken in with it."""
    slug, _, name = choice.partition(":")
    if not name:
        return slug, None
    found = Profile.objects.filter(connector=slug, slug=name, status=Publication.PUBLISHED).first()
    if found is None:
        found = publish(take_in(kinds()[slug].shipped_profiles()[name], connector=slug, is_shipped=True))
    return slug, found
