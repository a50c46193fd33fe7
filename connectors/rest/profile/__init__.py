"""A profile: how to use one REST system, as a TOML document that an admin can write from its documentation.

Requests contain texts with {expressions}, and responses are read with expressions. Numbers in brackets are those of the
table of capabilities in docs/how-to/connect-a-rest-vendor.md, which explains each table. The `help` of a key is shown
in the forms that edit a profile.
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
