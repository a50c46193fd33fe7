"""The roles in our own organisation and their rights, for pages, workflows and synchronisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.models import Membership

Role = Membership.Role


@dataclass(frozen=True, kw_only=True)
class Rights:
    """The rights of a role in our own organisation."""

    works: bool = False
    """Works on tickets: uses transitions, hands over, comments."""
    reads_everything: bool = False
    acknowledges: bool = False
    """Acknowledges escalations."""
    decides: bool = False
    """Decides joint triage, also if another person owns the decision."""
    overrides: bool = False
    """Accepts a vendor's status although the workflow's guards refuse it."""


ROLES: Mapping[str, Rights] = {
    Role.MANAGER: Rights(works=True, reads_everything=True, acknowledges=True, decides=True, overrides=True),
    Role.AGENT: Rights(works=True, reads_everything=True, acknowledges=True),
    Role.ADMIN: Rights(works=True, reads_everything=True, acknowledges=True, overrides=True),
    Role.EXECUTIVE: Rights(reads_everything=True, acknowledges=True),
    Role.AUDITOR: Rights(reads_everything=True),
}
"""Roles that are not listed, such as “vendor”, give no rights in our organisation."""


WORKING = frozenset(str(role) for role, rights in ROLES.items() if rights.works)
READING = frozenset(str(role) for role, rights in ROLES.items() if rights.reads_everything)
ACKNOWLEDGING = frozenset(str(role) for role, rights in ROLES.items() if rights.acknowledges)
DECIDING = frozenset(str(role) for role, rights in ROLES.items() if rights.decides)
OVERRIDING = frozenset(str(role) for role, rights in ROLES.items() if rights.overrides)


def role_labels(roles: Iterable[str]) -> str:
    """The names of roles for a person, in the active language and alphabetical order; unknown roles as they are."""
    names = {str(role): str(label) for role, label in Role.choices}
    return ", ".join(sorted(names.get(role, role) for role in roles))
