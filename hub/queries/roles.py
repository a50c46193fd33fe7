"""The roles that somebody of our own organisation can have, and what each role allows.

Everything that asks who works for us asks here: pages, workflows, synchronisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.models import Membership

Role = Membership.Role


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What a role in our own organisation allows."""

    works: bool = False
    """Works on tickets: uses verbs, hands over, comments."""
    reads_everything: bool = False
    acknowledges: bool = False
    """Acknowledges escalations."""
    decides: bool = False
    """Ends joint triage, whoever owns the decision."""
    overrides: bool = False
    """Accepts a vendor's status although the workflow's guards refuse it."""


ROLES: Mapping[str, Rights] = {
    Role.MANAGER: Rights(works=True, reads_everything=True, acknowledges=True, decides=True, overrides=True),
    Role.AGENT: Rights(works=True, reads_everything=True, acknowledges=True),
    Role.ADMIN: Rights(works=True, reads_everything=True, acknowledges=True, overrides=True),
    Role.EXECUTIVE: Rights(reads_everything=True, acknowledges=True),
    Role.AUDITOR: Rights(reads_everything=True),
}
"""A role that is not here (a vendor's) gives no rights in our organisation."""


WORKING = frozenset(str(role) for role, rights in ROLES.items() if rights.works)
READING = frozenset(str(role) for role, rights in ROLES.items() if rights.reads_everything)
ACKNOWLEDGING = frozenset(str(role) for role, rights in ROLES.items() if rights.acknowledges)
DECIDING = frozenset(str(role) for role, rights in ROLES.items() if rights.decides)
OVERRIDING = frozenset(str(role) for role, rights in ROLES.items() if rights.overrides)
