"""What a connector is: few verbs, in the vendor's own words. Mapping is not its business.

A vendor's values are passed as text ("5", not 5), so that a snapshot compares equal to itself.
Times are aware, UTC.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from operator import attrgetter
from typing import Any, ClassVar, Protocol, TypeVar

from .errors import ConnectorError, Refused, Unclear, Unsupported
from .http import Http

MERGED_SOMEWHERE = "?"
Piece = TypeVar("Piece", bound="RemoteNote | RemoteFile")
MARK = re.compile(r"\[TH:([0-9A-HJKMNP-TV-Z]{26}:[0-9a-f]{12}(?:@[0-9A-HJKMNP-TV-Z]{8}){0,9})\]")
"""A hub's mark on a note or file: the operation's id, its signature, and the hubs it came through."""


@dataclass(frozen=True, kw_only=True)
class RemoteNote:
    """One note as the vendor has it."""

    key: str
    text: str
    visibility: str
    author: str
    is_ours: bool
    """Whether our own API user wrote it."""
    created_at: datetime
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One attachment as the vendor has it, without its content."""

    key: str
    name: str
    size: int
    visibility: str
    author: str
    is_ours: bool
    created_at: datetime
    mark: str = ""


@dataclass(slots=True, kw_only=True)
class RemoteTicket:
    """A ticket as the vendor has it: `fields` in their words, and what of notes and files was read.

    Notes or files left None were not read; an empty tuple says there are none that changed. Nobody changes one:
    `replace` makes another. It is not frozen only because one is made for every record of a poll, and freezing it
    would be a tenth of all that a poll costs us.
    """

    key: str
    number: str
    url: str
    fields: Mapping[str, str]
    created_at: datetime | None
    """None where they do not tell."""
    changed_at: datetime
    """When it was read, where they do not tell: see `Connector.dates_changes`."""
    author: str = ""
    assignee: str = ""
    queue: str = ""
    """The queue or board it lies in, as in the picklist "queue"."""
    status_label: str = ""
    """Their status as their people read it, where the record itself tells."""
    merged_into: str = ""
    """The key of the ticket it was merged into, where they did that; `MERGED_SOMEWHERE` where they do not say which."""
    resolution: str = ""
    """How it was solved, in their words, where a field of its own says so."""
    requester: str = ""
    """The e-mail address of whom it is for, of a ticket born there."""
    is_ours: bool = False
    """Whether our own API user made it."""
    is_foreign: bool = False
    """Whether it belongs to another customer of theirs: such a ticket is never taken in."""
    reference: str = ""
    """What stands in the field that carries our reference."""
    notes: tuple[RemoteNote, ...] | None = None
    files: tuple[RemoteFile, ...] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unread: tuple[Unread, ...] = ()
    """Its notes and files that could not be understood; they are there, so none of them was deleted."""


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A record that makes no sense, of a page or of a ticket: it stops nothing else, and a person sees it."""

    key: str
    why: str
    raw: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """Tickets that changed, and where to go on. The cursor may be handed in again: repeats do no harm."""

    tickets: tuple[RemoteTicket, ...]
    cursor: str
    more: bool = False
    gone: tuple[str, ...] = ()
    """Keys of tickets that were deleted there, as far as they tell."""
    unread: tuple[Unread, ...] = ()
    """Records of this page that could not be understood."""
    left_out: str = ""
    """Records that their list refuses to show: how many, as far as they tell, and what to do about it, in words."""
    before: tuple[RemoteTicket, ...] = ()
    """What lay there when reading began, where changes are seen by comparing only: it is kept, and not taken in."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a picklist."""

    value: str
    label: str
    is_active: bool = True
    is_closed: bool = False
    """For a status: their ticket is closed with it."""
    hint: str = ""
    """What their system says of its meaning, in its own words; for proposals only."""
    is_theirs: bool = False
    """Of a status: only their own system sets it, so nothing of ours is written with it."""
    place: str = ""
    """Of a status, where each queue has its own: the queue it belongs to. Empty: it may stand in every queue."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What `check` learned: who we are there, and what a person should know."""

    own_user: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing to say. May be handed in again with the same `id` and then changes nothing."""

    id: str
    kind: str
    """``create``, ``fields``, ``note`` or ``file``."""
    key: str = ""
    leg: str = ""
    """The public id of the leg it is about."""
    label: str = ""
    """Our number of the ticket, as TH-1042: for people there who talk to ours."""
    title: str = ""
    """The ticket's title, for systems in which every message needs one."""
    reference: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    visibility: str = ""
    mark: str = ""
    name: str = ""
    content: bytes = b""
    number: str = ""
    """Of mail: the number their desk writes into its subjects, as it does."""
    thread: tuple[str, ...] = ()
    """Of mail: the Message-IDs of what they wrote last, the newest last."""
    is_by_program: bool = False
    """Whether nobody wrote it: a rule or a timer did."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What they have now: the key of what was made, and the ticket read back where it was."""

    key: str
    ticket: RemoteTicket | None = None


@dataclass(frozen=True, kw_only=True)
class Hook:
    """What a hook is about. It is a hint: the record itself is read again."""

    key: str
    delivery: str
    """What tells two deliveries of the same news apart from two pieces of news."""
    also: tuple[str, ...] = ()
    """Further records that a batch is about."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One thing an admin has to enter for a connection."""

    name: str
    label: str
    help: str = ""
    is_secret: bool = False
    is_required: bool = True
    default: str = ""
    picklist: str = ""
    """The picklist its value is chosen from, once we may read theirs."""
    choices: tuple[tuple[str, str], ...] = ()
    """The few values it can have, each with what an admin reads."""
    is_many: bool = False
    """Whether several of the picklist may be chosen; the value then holds them all, see `several`."""
    is_long: bool = False
    """Whether it has several lines, as a certificate has."""
    is_rare: bool = False
    """Usually left as it is: the wizard folds it away."""
    is_address: bool = False
    """Whether it says where credentials are sent: changed, they have to be entered again."""


def several(value: str) -> tuple[str, ...]:
    """The values of a setting that holds more than one.

    >>> several("175, 180,,")
    ('175', '180')
    """
    return tuple(part.strip() for part in value.split(",") if part.strip())


@dataclass(frozen=True, kw_only=True)
class ProfileKey:
    """One key of a table of a profile, as a form shows it."""

    name: str
    kind: str
    """``text``, ``number``, ``flag``, or ``toml`` for what is a list or a table within the line."""
    value: str = ""
    help: str = ""
    is_needed: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProfileSection:
    """One table of a profile. One that is not there yet has no values."""

    place: str
    """As mistakes name it: ``connect.token``, ``operations.list``, ``notes.0``."""
    keys: tuple[ProfileKey, ...]
    is_there: bool = True
    takes_more: bool = False
    """Whether keys of one's own can be added, as to ``ticket.fields``."""


@dataclass(frozen=True, kw_only=True)
class Previewed:
    """One record of a sample answer, as a table of what and value."""

    title: str
    rows: tuple[tuple[str, str], ...]


def _nowhere() -> socket.socket:
    raise OSError("no connection was given")


@dataclass(frozen=True, kw_only=True)
class MailMessage:
    """One message as it lay in a mailbox, not understood yet."""

    raw: bytes = field(repr=False)
    place: str
    """Where it lay: folder, UIDVALIDITY and UID."""
    sender: str = ""
    """Whose it seems to be, lower case: only so many of one sender are read at once. It proves nothing."""


@dataclass(frozen=True, kw_only=True)
class MailPage:
    """New messages, and where to go on. They are marked as read only after they were kept: see `taken`."""

    letters: tuple[MailMessage, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class ParsedMail:
    """What a message says and asks for."""

    action: str
    """``open_ticket``, ``add_message``, ``delivery_failed``, ``ignore`` or ``hold``."""
    why: str
    kind: str = ""
    key: str = ""
    """The message's own mark: a digest of what it holds."""
    leg: str = ""
    operation: str = ""
    """Of a bounce: which of ours did not arrive."""
    subject: str = ""
    sender: str = ""
    author: str = ""
    is_theirs: bool = False
    """Whether the vendor's own people sent it, as far as that is known; else `doubt` says why not."""
    doubt: str = ""
    status: str = ""
    """What it says of their work, in the words of the status picklist; empty where it says nothing."""
    text: str = ""
    quoted: str = ""
    message_id: str = ""
    answers: tuple[str, ...] = ()
    """The Message-IDs it refers to, as they stand there: those of mail of theirs say where it belongs, too."""
    numbers: tuple[str, ...] = ()
    """What of its subject may be the number their desk gave it, the likeliest first."""
    is_answered_inline: bool = False
    """Whether words of theirs stand between lines of ours, too, where they are not taken."""
    sent_at: datetime | None = None
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    failing: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What is kept beside it: thread evidence, the receiving server's authentication results."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing a monitoring tool saw begin or end."""

    key: str
    """What is the same alert: repeats of it, and its end, have the same."""
    is_firing: bool | None
    """None: it neither begins nor ends, as a comment or a maintenance window."""
    title: str
    text: str = ""
    state: str = ""
    """In their words, as is the severity."""
    severity: str = ""
    at: datetime | None = None
    """When it began, or ended; None where they do not say, or the zone is not known."""
    or_at: datetime | None = None
    """The later reading of a local time that there was twice."""
    written_at: str = ""
    """A time of theirs that cannot be placed, as they wrote it."""
    author: str = ""
    """Who acknowledged or commented there, and what was said."""
    said: str = ""
    url: str = ""
    service: str = ""
    """The name of a service, and the tag of an asset, as far as they name them."""
    asset: str = ""


class Clock(Protocol):
    def __call__(self) -> datetime: ...


HOOK_SECRET = "hook_secret"  # noqa: S105
"""In `Ports.memory`: a digest of the secret registered there. The engine forgets it where calls do not verify."""


@dataclass(frozen=True, kw_only=True)
class Hooked:
    """How their calls to us stand after `register_hook`."""

    key: str
    """The id of the registration there; several are joined by commas."""
    was_off: str = ""
    """What was wrong there and is put right, in words; empty where all of it was as it should be."""
    """Why their calls had stopped and were switched on again; empty where they had not."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a vendor lets one integration do; the engine keeps all workers together inside it."""

    requests: int
    seconds: int
    """So many requests within so many seconds, whoever of us makes them."""
    share: float = 1.0
    """The part of it we take unless an admin says otherwise: others use the same system."""
    threads: int | None = None
    """So many calls at once per endpoint."""
    endpoint: Callable[[str], str] = lambda path: ""
    """Which endpoint a path belongs to."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What the engine gives a connector: the world outside, so that tests can give another one."""

    open_http: Callable[..., Http]
    now: Clock
    memory: MutableMapping[str, str]
    """Small facts kept between calls (a zone, a name): written back by the engine. Never a secret."""
    secret: Callable[[str], str] = lambda name: ""
    """A sealed setting as it is now: another worker may have renewed it."""
    keep_secret: Callable[[str, str], None] = lambda name, value: None
    """Seal a setting that they changed, as a refresh token."""
    hide: Callable[[str], None] = lambda secret: None
    """Say that this is a secret, as a token that they gave us: no log shows it from then on."""
    may_ask_for_key: Callable[[], bool] = lambda: True
    """Whether a key to check their calls with may be asked for now: once a minute, whoever calls us."""
    connect: Callable[[str, int, float], socket.socket] = lambda host, port, seconds: _nowhere()
    """A connection to a host and port that the egress policy allows, for what is not HTTP."""
    keys: tuple[bytes, ...] = ()
    """What this hub signs with, the newest first; derive from it, never send it."""
    hub: str = ""
    """This hub's own mark."""
    guest_link: Callable[[str], str] = lambda leg: ""
    """The address of the page where somebody without a tool answers for a leg; empty where there is none."""


_VERBS = {
    "check": False,
    "picklists": False,
    "changes_since": False,
    "fetch": False,
    "glance": False,
    "find": False,
    "carrying": False,
    "notes": False,
    "content": False,
    "push": True,
    "register_hook": True,
    "acknowledge": True,
}
"""The verbs that make calls, and whether they change something there."""


NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What goes wrong with a record that is not as it should be: a missing name, a date that cannot be."""


def understood(
    items: Iterable[Any], read: Callable[[Any], RemoteTicket]
) -> tuple[tuple[RemoteTicket, ...], tuple[Unread, ...]]:
    """Read the records of a page one by one: one that makes no sense stops none of the others."""
    tickets: list[RemoteTicket] = []
    unread: list[Unread] = []
    for item in items:
        try:
            ticket = read(item)
            _sound(ticket)
            tickets.append(ticket)
        except (Refused, *NOT_UNDERSTOOD) as error:
            unread.append(unread_of(item, error))
    return tuple(tickets), tuple(unread)


def pieces(
    items: Iterable[Any], read: Callable[[Any], Iterable[Piece]], *, key: Callable[[Any], str] | None = None
) -> tuple[tuple[Piece, ...], tuple[Unread, ...]]:
    """Read the notes or files of one ticket one by one: one that makes no sense stops none of the others.

    `read` gives what a record comes to: one, none where it is left out, or several. `key` says which one it is, where
    that is not its "id".
    """
    found: list[Piece] = []
    unread: list[Unread] = []
    for item in items:
        try:
            told = list(read(item))
            for piece in told:
                _sound_piece(piece)
            found += told
        except (Refused, *NOT_UNDERSTOOD) as error:
            unread.append(unread_of(item, error, key=_key_or_none(item, key)))
    return tuple(found), tuple(unread)


def all_of(found: tuple[Piece, ...], unread: Sequence[Unread]) -> tuple[Piece, ...]:
    """What was found, if it is all; Refused where a record could not be understood: it may be the one looked for."""
    if unread:
        raise Refused(f"Not all of it can be understood: {unread[0].why}")
    return found


LONGEST_KEY = 100
_TEXTS = (
    "number",
    "url",
    "author",
    "assignee",
    "queue",
    "status_label",
    "merged_into",
    "reference",
    "resolution",
    "requester",
)
_texts_of = attrgetter(*_TEXTS)


def _key_or_none(item: Any, key: Callable[[Any], str] | None) -> str | None:
    try:
        return key(item) if key is not None else None
    except (Refused, *NOT_UNDERSTOOD):
        return None


def unread_of(item: Any, error: Exception, *, key: Any = None) -> Unread:
    """What is kept of a record that makes no sense; never fails itself."""
    if key is None:
        key = item.get("id") if isinstance(item, Mapping) else None
    try:
        raw = json.dumps(item, default=str)[:100_000]
    except (RecursionError, ValueError, TypeError):
        raw = f"(a {type(item).__name__} that cannot be written)"
    told = str(key)[:LONGEST_KEY] if isinstance(key, str | int) and not isinstance(key, bool) else ""
    return Unread(key=told, why=f"{type(error).__name__}: {error}"[:300], raw=raw)


def _sound(ticket: RemoteTicket) -> None:
    """ValueError for a ticket that cannot be kept: its key is none, or what should be text is not."""
    _sound_key(ticket.key)
    try:
        "".join((*_texts_of(ticket), *ticket.fields.values()))  # of every record of a poll: the quickest look there is
    except TypeError:
        wrong = [name for name in _TEXTS if not isinstance(getattr(ticket, name), str)]
        wrong += [name for name, value in ticket.fields.items() if not isinstance(value, str)]
        raise ValueError(f"{', '.join(wrong)}: not a text") from None
    for note in ticket.notes or ():
        _sound_key(note.key)
    for file in ticket.files or ():
        _sound_key(file.key)


def _sound_piece(piece: RemoteNote | RemoteFile) -> None:
    """ValueError for a note or file that cannot be kept."""
    _sound_key(piece.key)
    texts = [piece.visibility, piece.author, piece.text if isinstance(piece, RemoteNote) else piece.name]
    if not all(isinstance(each, str) for each in texts):
        raise ValueError("what should be text is none")


def _sound_key(key: Any) -> None:
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValueError(f"{str(key)[:40]!r} is no key")


def readable(items: Iterable[Any], read: Callable[[Any], Any]) -> list[Any]:
    """What can be read of these: of lists that only help, as people's names."""
    found = []
    for item in items:
        try:
            found.append(read(item))
        except (Refused, *NOT_UNDERSTOOD):
            continue
    return found


MOST_SAID = 300
"""So much is told of what was not understood."""


def _guarded(verb: Callable[..., Any], *, is_write: bool) -> Callable[..., Any]:
    @wraps(verb)
    def guarded(self: Connector, *args: Any, **more: Any) -> Any:
        try:
            return verb(self, *args, **more)
        except ConnectorError:
            raise
        except NOT_UNDERSTOOD as error:
            what = " ".join(f"{type(error).__name__} in {verb.__name__}: {error}".split())[:MOST_SAID]
            why = f"{self.label} answered with something that was not expected ({what})."
            # A write may have taken effect before its answer was not understood.
            raise (Unclear(why) if is_write else Refused(why)) from error

    return guarded


class Connector:
    """Base of every connector: override what the vendor can do; the rest is Unsupported."""

    slug: ClassVar[str]
    label: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    takes_profile: ClassVar[bool] = False
    """Whether it is told by a document how to speak to a system: see `of_profile`."""
    keeps_records: ClassVar[bool] = True
    """Whether they keep a record of each ticket that can be read back; a mailbox keeps letters only."""
    dates_changes: ClassVar[bool] = True
    """Whether a record tells when it changed; else it has changed when it differs from what was read of it last."""
    takes_alerts: ClassVar[bool] = False
    """Whether their calls are alerts, and nothing else is spoken of: see `read_alerts`."""
    listens: ClassVar[bool] = False
    """Whether it can wait for news on a line of its own: see `listen`."""
    has_hooks: ClassVar[bool] = False
    """Whether they can call us at all: see `read_hook`."""
    signs_hooks: ClassVar[bool] = True
    """Whether their calls are signed; else a secret in the address has to do."""
    signature_headers: ClassVar[tuple[str, ...]] = ()
    """Names of headers, in small letters, of which each signed call has one; without it nothing of a call is read."""
    fields: ClassVar[tuple[str, ...]] = ("title", "description", "status", "priority")
    """The fields of a ticket that can be mapped."""
    insert_only: ClassVar[frozenset[str]] = frozenset()
    """Fields they take only when a ticket is made."""
    limits: ClassVar[Limits | None] = None
    lengths: ClassVar[Mapping[str, int]] = {}
    """The most characters a field takes; longer text is cut before it is written, never refused."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Only errors of the kit leave a connector, whatever a vendor's record looks like."""
        super().__init_subclass__(**more)
        for name, is_write in _VERBS.items():
            if name in cls.__dict__:
                setattr(cls, name, _guarded(cls.__dict__[name], is_write=is_write))

    def __init__(self, values: Mapping[str, str], ports: Ports) -> None:
        self.values = values
        self.ports = ports

    @classmethod
    def of_profile(cls, document: str) -> type[Connector]:
        """The connector of one profile; ValueError names every mistake in the document."""
        raise NotImplementedError(f"{cls.label} takes no profile.")

    @classmethod
    def sections(cls, document: str) -> Sequence[ProfileSection]:
        """A profile's document as forms: a table each; ValueError where it cannot be read at all."""
        raise NotImplementedError(f"{cls.label} has no profiles.")

    @classmethod
    def section_at(cls, document: str, place: str) -> ProfileSection:
        """One table of it, there or not; ValueError where there can be none."""
        raise NotImplementedError(f"{cls.label} has no profiles.")

    @classmethod
    def edited(cls, document: str, place: str, values: Mapping[str, str]) -> str:
        """The document with these values in one of its tables; all else says what it said, comments, too.

        An empty value takes the key away; ValueError names what cannot be written so.
        """
        raise NotImplementedError(f"{cls.label} has no profiles.")

    @classmethod
    def restarted(cls, cursor: str) -> str:
        """The cursor that reads once more from where the sweep of this one began, with whichever profile."""
        raise NotImplementedError(f"{cls.label} takes no profile.")

    @classmethod
    def ways_in(cls, document: str) -> str:
        """A digest of where and how a profile's document sends credentials; another one wants them entered again."""
        return ""

    @classmethod
    def preview(cls, what: str, answer: str) -> Sequence[Previewed]:
        """A sample answer as it would be understood; ValueError says what cannot be."""
        raise NotImplementedError(f"{cls.label} shows no samples.")

    @classmethod
    def shipped_profiles(cls) -> Mapping[str, str]:
        """The profiles that come with it: documents by their short name."""
        return {}

    def check(self) -> Checked:
        """Make real calls with these settings; errors name the setting at fault."""
        raise Unsupported(f"{self.label} cannot be checked.")

    @property
    def home_queue(self) -> str:
        """The queue that new tickets of ours go to, by the settings; empty where none is chosen."""
        chosen = (self.values.get(each.name) for each in self.settings if each.picklist == "queue" and not each.is_many)
        return next((str(value) for value in chosen if value), "")

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        """The values this tenant knows, per field."""
        raise Unsupported(f"{self.label} has no picklists.")

    def changes_since(self, cursor: str) -> Page:
        """Tickets that changed since the cursor; with an empty one nothing but the cursor that begins now."""
        raise Unsupported(f"{self.label} cannot list changes.")

    def fetch(self, key: str) -> RemoteTicket:
        """One ticket with all its notes and files."""
        raise Unsupported(f"{self.label} cannot read a ticket.")

    def glance(self, key: str) -> RemoteTicket:
        """One ticket without its notes and files, where that is cheaper; else with them."""
        return self.fetch(key)

    def find(self, reference: str) -> tuple[str, ...]:
        """The keys of the tickets that carry our reference, the oldest first: it should be one."""
        raise Unsupported(f"{self.label} cannot search.")

    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        """Keys, the oldest first, by reference, of tickets that changed since and whose reference begins so."""
        raise Unsupported(f"{self.label} cannot search by the beginning of a reference.")

    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        """All notes of one ticket."""
        raise Unsupported(f"{self.label} has no notes.")

    def content(self, key: str, file: RemoteFile) -> bytes:
        """The content of one attachment."""
        raise Unsupported(f"{self.label} has no attachments.")

    def push(self, change: Change) -> Pushed:
        """Say one thing; what comes back is what they have now."""
        raise Unsupported(f"{self.label} takes no changes.")

    def letters(self, cursor: str) -> MailPage:
        """New messages of the mailbox; nothing is marked as read by reading them."""
        raise Unsupported(f"{self.label} has no mailbox.")

    def listen(self, cursor: str, seconds: float) -> bool:
        """Wait at most so long for something that is new since the cursor; whether there is."""
        raise Unsupported(f"{self.label} cannot tell of news by itself.")

    def taken(self, letters: Sequence[MailMessage]) -> None:
        """These are kept here now: they may be marked as read there."""

    def parse_mail(self, raw: bytes) -> ParsedMail:
        """What one message says; never fails for what is in it."""
        raise Unsupported(f"{self.label} has no mailbox.")

    def read_alerts(self, body: bytes) -> Sequence[Alert]:
        """The alerts of one call, in their order; Refused says what cannot be understood."""
        raise Unsupported(f"{self.label} sends no alerts.")

    def acknowledge(self, key: str, *, author: str, text: str) -> str:
        """Say at the tool that somebody works on this alert; what they answered, in words. It may be said twice."""
        raise Unsupported(f"{self.label} takes no acknowledgements.")

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        """Check a hook's signature over the raw body, then read what it is about; else BadSignature.

        TryLater where what is needed to check it cannot be had now.
        """
        raise Unsupported(f"{self.label} sends no hooks.")

    def register_hook(self, url: str) -> Hooked:
        """See to it that they call this URL, exactly once for each piece of news: asked for again, it heals."""
        raise Unsupported(f"{self.label} sends no hooks.")


def mark_in(text: str) -> str:
    """Our mark in a text; empty where there is none.

    >>> mark_in("Update [TH:01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab]")
    '01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab'
    """
    found = MARK.search(text)
    return found[1] if found else ""
