"""Who may open which page and use which action: the expectation that the tests check for every role.

The views decide with `console.access` and `hub.queries.permissions`; this table says what they have to arrive at.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hub.models import Membership
from hub.queries import roles

Role = Membership.Role


class Who(StrEnum):
    """A group of people; for pages about a ticket, only as far as its members may see the ticket."""

    EVERYONE = "everyone"
    """Also without logging in."""
    USERS = "users"
    """Everybody who is logged in, for themselves."""
    PARTICIPANTS = "participants"
    """Whoever may see the ticket: our organisation, the organisations that are or were engaged, and the requester."""
    READERS = "readers"
    """Whoever of us may read everything."""
    WORKERS = "workers"
    """Whoever of us works on tickets."""
    ACKNOWLEDGERS = "acknowledgers"
    """Whoever of us may acknowledge escalations."""
    MAPPERS = "mappers"
    """Whoever may change the mapping of a connection in the admin."""


OURS: Mapping[Who, frozenset[str]] = {
    Who.READERS: roles.READING,
    Who.WORKERS: roles.WORKING,
    Who.ACKNOWLEDGERS: roles.ACKNOWLEDGING,
    Who.MAPPERS: frozenset(),
}
"""The roles in our organisation that belong to a group. A superuser belongs to all groups."""
ALL_ROLES = tuple(str(role) for role in Role.values)

TABLE: Mapping[str, Who] = {
    "board": Who.USERS,
    "live": Who.USERS,
    "tickets": Who.USERS,
    "totals": Who.USERS,
    "export": Who.USERS,
    "export_workbook": Who.USERS,
    "list_export": Who.USERS,
    "list_export_file": Who.USERS,
    "bulk": Who.WORKERS,
    "bulk_action": Who.WORKERS,
    "open": Who.WORKERS,
    "similar": Who.WORKERS,
    "ticket": Who.PARTICIPANTS,
    "print": Who.PARTICIPANTS,
    "story": Who.PARTICIPANTS,
    "edit": Who.WORKERS,
    "clock": Who.READERS,
    "audiences": Who.READERS,
    "field_history": Who.READERS,
    "move": Who.PARTICIPANTS,
    "hand_over": Who.WORKERS,
    "comment": Who.WORKERS,
    "reply": Who.WORKERS,
    "leg": Who.WORKERS,
    "leg_guest_link": Who.WORKERS,
    "priority": Who.WORKERS,
    "assign": Who.WORKERS,
    "start_triage": Who.WORKERS,
    "decide": Who.WORKERS,
    "acknowledge": Who.ACKNOWLEDGERS,
    "major": Who.WORKERS,
    "relate": Who.WORKERS,
    "follow": Who.WORKERS,
    "presence": Who.READERS,
    "add_task": Who.WORKERS,
    "complete_task": Who.WORKERS,
    "insert_template": Who.WORKERS,
    "undo": Who.USERS,
    "send_now": Who.USERS,
    "attachment": Who.PARTICIPANTS,
    "preview": Who.PARTICIPANTS,
    "preview_page": Who.PARTICIPANTS,
    "save_view": Who.USERS,
    "pinned_views": Who.USERS,
    "view": Who.USERS,
    "change_view": Who.USERS,
    "palette": Who.USERS,
    "pick": Who.WORKERS,
    "vendors": Who.READERS,
    "my_work": Who.WORKERS,
    "permissions": Who.READERS,
    "notices": Who.USERS,
    "unread": Who.USERS,
    "notice_kind": Who.USERS,
    "open_notice": Who.USERS,
    "read_notices": Who.USERS,
    "sync": Who.WORKERS,
    "connection": Who.WORKERS,
    "give_meaning": Who.MAPPERS,
    "say_as_comment": Who.WORKERS,
    "retry": Who.WORKERS,
    "inbound": Who.WORKERS,
    "vouch": Who.WORKERS,
    "retry_alike": Who.WORKERS,
    "leave_inbound": Who.WORKERS,
    "send_edited": Who.WORKERS,
    "skip": Who.WORKERS,
    "dismiss": Who.WORKERS,
    "fetch_file": Who.WORKERS,
    "leave_file": Who.WORKERS,
    "leave_acknowledgements": Who.WORKERS,
    "difference": Who.WORKERS,
    "settle": Who.WORKERS,
    "guest_link": Who.EVERYONE,
    "guest_link_file": Who.EVERYONE,
    "log_in": Who.EVERYONE,
    "log_out": Who.EVERYONE,
    "start": Who.USERS,
    "account": Who.USERS,
    "preferences": Who.USERS,
    "shortcuts": Who.USERS,
    "log_out_everywhere": Who.USERS,
    "password_reset": Who.EVERYONE,
    "password_new": Who.EVERYONE,
    "first_run": Who.EVERYONE,
}
"""By the name of the URL."""


def is_allowed(who: Who, *, role: str, is_ours: bool, sees_ticket: bool = False) -> bool:
    """Whether somebody in this role belongs to the group; an empty role stands for nobody who is logged in."""
    if who == Who.EVERYONE or not role:
        return who == Who.EVERYONE
    if who == Who.USERS:
        return True
    if who == Who.PARTICIPANTS:
        return sees_ticket
    return is_ours and role in OURS[who]
