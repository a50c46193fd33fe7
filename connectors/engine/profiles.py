"""The versions of profiles: drafts from documents, edited table by table, and published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import Max

from connectors.engine import registry
from connectors.kit.contract import ProfileConnector, ProfileSection
from connectors.models import Profile
from hub.core.sentences import sentence
from hub.models import Publication


class NotAProfile(ValueError):
    """The document cannot be used; the message has one line per error."""


def kinds() -> Mapping[str, type[ProfileConnector]]:
    """The connectors that use profiles, by slug."""
    return {slug: kind for slug, kind in registry.connectors_by_slug().items() if issubclass(kind, ProfileConnector)}


def read(document: str, *, connector: str = "") -> type[ProfileConnector]:
    """The connector that a document describes; NotAProfile says what is wrong, and where."""
    [kind] = [kinds()[connector]] if connector else list(kinds().values())[:1]
    try:
        return kind.of_profile(document)
    except ValueError as error:
        raise NotAProfile(str(error)) from error


@transaction.atomic
def take_in(document: str, *, connector: str = "", is_shipped: bool = False) -> Profile:
    """Create a draft from a document, as the next version of its slug; the same document gives the same version again.

    A retired version is not used again: the same document then becomes a new version.
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
    """Publish a draft, which can no longer be changed. New connections use it; existing ones keep their version."""
    profile = Profile.objects.select_for_update().get(pk=profile.pk)
    if profile.status != Publication.DRAFT:
        raise ValueError(
            sentence(
                "%(profile)s is %(status)s and cannot be changed. Create a new draft.",
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
    """Create a draft that is a copy of this version."""
    rows = Profile.objects.select_for_update().filter(connector=profile.connector, slug=profile.slug)
    last = rows.aggregate(last=Max("version"))["last"]
    return Profile.objects.create(
        connector=profile.connector, slug=profile.slug, name=profile.name, version=last + 1, document=profile.document
    )


def sections(profile: Profile) -> Sequence[ProfileSection]:
    """The tables of the profile, each for one form."""
    return kinds()[profile.connector].sections(profile.document)


def section_at(profile: Profile, place: str) -> ProfileSection:
    """One table of the profile, which may not exist yet; ValueError if there can be none at this place."""
    return kinds()[profile.connector].section_at(profile.document, place)


@transaction.atomic
def edit(profile: Profile, *, place: str, values: Mapping[str, str]) -> Profile:
    """Change one table of a draft. The whole profile is validated before it is saved; ValueError says what is wrong."""
    profile = Profile.objects.select_for_update().get(pk=profile.pk)
    if profile.status != Publication.DRAFT:
        raise ValueError(
            sentence(
                "%(profile)s is %(status)s and cannot be changed. Create a new draft.",
                profile=profile,
                status=profile.get_status_display(),
            )
        )
    document = kinds()[profile.connector].edited(profile.document, place, values)
    kind = read(document, connector=profile.connector)
    if kind.slug.partition(".")[2] != profile.slug:
        raise ValueError(
            sentence("slug: it must stay “%(slug)s”. Create another profile for another system.", slug=profile.slug)
        )
    profile.document, profile.name = document, kind.label
    profile.save(update_fields=["document", "name"])
    return profile
