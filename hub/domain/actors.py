"""Actors of events."""

from __future__ import annotations

from dataclasses import dataclass

from hub.models import ActorKind, Organisation, User


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did something: kind, id, name, and the organisation on whose behalf."""

    kind: ActorKind
    id: str = ""
    name: str = ""
    organisation: Organisation | None = None

    @classmethod
    def person(cls, user: User, organisation: Organisation | None = None) -> Actor:
        """A logged-in person, acting for the given organisation or else that of the first membership."""
        if organisation is None:
            membership = user.memberships.select_related("organisation").order_by("pk").first()
            organisation = membership.organisation if membership else None
        return cls(kind=ActorKind.PERSON, id=user.public_id, name=str(user), organisation=organisation)

    @classmethod
    def vendor(cls, organisation: Organisation, name: str = "") -> Actor:
        """A person in a vendor's system; `name` is the name in that system."""
        return cls(kind=ActorKind.VENDOR, id=organisation.public_id, name=name[:150], organisation=organisation)

    @classmethod
    def timer(cls, name: str, label: str = "") -> Actor:
        """A deadline, or a rule of a workflow; `label` is the name shown to people."""
        return cls(kind=ActorKind.TIMER, id=name, name=(label or name)[:150])

    @classmethod
    def system(cls, name: str) -> Actor:
        """The hub itself; `name` says which part."""
        return cls(kind=ActorKind.SYSTEM, id=name, name=name)
