"""Who did it."""

from __future__ import annotations

from dataclasses import dataclass

from hub.models import ActorKind, Organisation, User


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Kind, id, and the organisation it acts for; a bare string proves nothing."""

    kind: ActorKind
    id: str = ""
    name: str = ""
    organisation: Organisation | None = None

    @classmethod
    def person(cls, user: User, organisation: Organisation | None = None) -> Actor:
        """A logged-in person, acting for the given organisation (else that of the first membership)."""
        if organisation is None:
            membership = user.memberships.select_related("organisation").order_by("pk").first()
            organisation = membership.organisation if membership else None
        return cls(kind=ActorKind.PERSON, id=user.public_id, name=str(user), organisation=organisation)

    @classmethod
    def vendor(cls, organisation: Organisation, name: str = "") -> Actor:
        """Somebody in a vendor's own system, by the name they have there."""
        return cls(kind=ActorKind.VENDOR, id=organisation.public_id, name=name[:150], organisation=organisation)

    @classmethod
    def timer(cls, name: str, label: str = "") -> Actor:
        """What comes by itself: a deadline, or an admin's rule, which people know by its label."""
        return cls(kind=ActorKind.TIMER, id=name, name=(label or name)[:150])

    @classmethod
    def system(cls, name: str) -> Actor:
        return cls(kind=ActorKind.SYSTEM, id=name, name=name)
