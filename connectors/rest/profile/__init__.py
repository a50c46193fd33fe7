"""A profile: how one REST system is addressed, as a TOML document that an admin can write from its documentation.

Requests hold texts with {expressions}; what is read from answers is expressions. Numbers in brackets are those of the
table of capabilities in docs/how-to/connect-a-rest-vendor.md, which explains each table.
"""

from .connect import Connect, Discover, LimitsRow, SettingRow, Signed, Token
from .document import Profile
from .hook import HookRow
from .names import LONGEST, REQUEST
from .records import FileRow, NoteRow, PeopleRow, PicklistRow, Since, TicketRow, Times, ValueRow, WhoRow
from .requests import Defaults, ErrorRow, Paging, Step

__all__ = [
    "LONGEST",
    "REQUEST",
    "Connect",
    "Defaults",
    "Discover",
    "ErrorRow",
    "FileRow",
    "HookRow",
    "LimitsRow",
    "NoteRow",
    "Paging",
    "PeopleRow",
    "PicklistRow",
    "Profile",
    "SettingRow",
    "Signed",
    "Since",
    "Step",
    "TicketRow",
    "Times",
    "Token",
    "ValueRow",
    "WhoRow",
]
