"""The contract of a connector: base classes, records and settings, with the vendor's own values.

Values are passed as text ("5", not 5), so that two readings of the same record compare equal. Times are aware and in
UTC. The engine maps the vendor's values to ours.
"""

from .alerts import Alert, AlertConnector
from .connector import NOT_UNDERSTOOD, Connector
from .hooks import HOOK_SECRET, Hook, HookConnector, Hooked
from .listening import ListeningConnector
from .mail import MailConnector, MailMessage, MailPage, ParsedMail
from .marks import MARK, mark_in
from .outbound import Change, OutboundConnector, Pushed
from .ports import Limits, Ports
from .profiles import Previewed, ProfileConnector, ProfileKey, ProfileSection
from .reading import all_of, pieces, readable, understood, unread_of
from .records import MERGED_SOMEWHERE, Page, RemoteFile, RemoteNote, RemoteTicket, Unread
from .settings import Checked, Choice, Setting, several
from .tickets import TicketConnector

__all__ = [
    "HOOK_SECRET",
    "MARK",
    "MERGED_SOMEWHERE",
    "NOT_UNDERSTOOD",
    "Alert",
    "AlertConnector",
    "Change",
    "Checked",
    "Choice",
    "Connector",
    "Hook",
    "HookConnector",
    "Hooked",
    "Limits",
    "ListeningConnector",
    "MailConnector",
    "MailMessage",
    "MailPage",
    "OutboundConnector",
    "Page",
    "ParsedMail",
    "Ports",
    "Previewed",
    "ProfileConnector",
    "ProfileKey",
    "ProfileSection",
    "Pushed",
    "RemoteFile",
    "RemoteNote",
    "RemoteTicket",
    "Setting",
    "TicketConnector",
    "Unread",
    "all_of",
    "mark_in",
    "pieces",
    "readable",
    "several",
    "understood",
    "unread_of",
]
