"""Who acts for a user who is absent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hub.models import User

LONGEST_CHAIN = 5
"""A substitute may be absent, too; after so many the search ends."""


def acting_for(user: User, *, at: datetime) -> User:
    """The user, or whoever substitutes for the user at this time; the user again if all in a circle are absent."""
    found, seen = user, {user.pk}
    for _each in range(LONGEST_CHAIN):
        if not found.is_absent(at) or found.substitute is None or not found.substitute.is_active:
            return found
        found = found.substitute
        if found.pk in seen:
            return user
        seen.add(found.pk)
    return found


def with_substitutes(users: Iterable[User], *, at: datetime) -> list[User]:
    """The users and those who act for the absent among them, each once."""
    found: dict[int, User] = {}
    for user in users:
        for each in (user, acting_for(user, at=at)):
            found.setdefault(each.pk, each)
    return list(found.values())
