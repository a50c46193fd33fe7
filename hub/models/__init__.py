"""The models of the record, one module per subject. Code outside this package imports them from here."""

from .asset import Asset
from .calendar import Calendar
from .checkpoint import Checkpoint
from .clock import Clock, Span
from .contract import Contract
from .event import ActorKind, Event, EventKind
from .failed_receiver import FailedReceiver
from .imports import HistoryImport, UnmappedValue
from .ledger_segment import LedgerSegment
from .leg import ENGAGED_STAGES, OPEN_STAGES, Leg, ReasonCode, Stage, WaitsOn
from .list_export import ListExport
from .message import FOR_LATER, Attachment, Message
from .organisation import Organisation, Person, Site, Team
from .publication import Publication
from .saved_view import SavedView, ViewPreference
from .search import SearchEntry, SearchWord
from .sequence import Sequence
from .service import Service
from .share import HistoryShare
from .target import Target
from .ticket import OPEN, REOPEN_WINDOW, Degree, Priority, Relation, Resolution, ResolutionCode, Ticket
from .undo_window import UndoWindow
from .user import Membership, User
from .workflow import Colour, Phase, State, Workflow, WorkflowVersion

__all__ = [
    "ENGAGED_STAGES",
    "FOR_LATER",
    "OPEN",
    "OPEN_STAGES",
    "REOPEN_WINDOW",
    "ActorKind",
    "Asset",
    "Attachment",
    "Calendar",
    "Checkpoint",
    "Clock",
    "Colour",
    "Contract",
    "Degree",
    "Event",
    "EventKind",
    "FailedReceiver",
    "HistoryImport",
    "HistoryShare",
    "LedgerSegment",
    "Leg",
    "ListExport",
    "Membership",
    "Message",
    "Organisation",
    "Person",
    "Phase",
    "Priority",
    "Publication",
    "ReasonCode",
    "Relation",
    "Resolution",
    "ResolutionCode",
    "SavedView",
    "SearchEntry",
    "SearchWord",
    "Sequence",
    "Service",
    "Site",
    "Span",
    "Stage",
    "State",
    "Target",
    "Team",
    "Ticket",
    "UndoWindow",
    "UnmappedValue",
    "User",
    "ViewPreference",
    "WaitsOn",
    "Workflow",
    "WorkflowVersion",
]
