"""A mailbox over IMAP: messages are fetched without marking them, stored, and then marked as read.

A message is identified by folder, UIDVALIDITY and UID (RFC 3501 section 2.3.1.1) while they are valid, and otherwise by
a digest of its content: when UIDVALIDITY changes, everything is read again, and known messages are recognised.
BODY.PEEK fetches without marking as read (section 6.4.5); IDLE is RFC 2177.

https://www.rfc-editor.org/rfc/rfc3501
https://www.rfc-editor.org/rfc/rfc2177
"""

from __future__ import annotations

import base64
import imaplib
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from connectors.email.bounds import seeming_sender
from connectors.email.parser import LARGEST, TOO_LARGE
from connectors.kit.contract import MailMessage, MailPage
from connectors.kit.errors import ConnectorError, LockedOut, Refused, TryLater, Unsupported
from connectors.kit.http import TOTAL_SECONDS
from hub.core.sentences import sentence, sentences
from hub.egress import EgressDenied

BATCH = 20
"""Messages of one page; each page is stored in one transaction."""
Connect = Callable[[str, int, float], socket.socket]
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_UID = re.compile(rb"UID (\d+)")
_BUSY = ("unavailable", "inuse", "limit", "serverbug", "temporar", "too many", "try again")


@dataclass(frozen=True, kw_only=True)
class Place:
    """The address of the mailbox and the credentials for it."""

    host: str
    port: int
    security: str
    """``tls``, ``starttls`` or ``none``."""
    user: str
    password: str = ""
    token: Callable[[], str] | None = None
    """Returns an OAuth 2 access token, if one is used instead of a password."""
    folders: tuple[str, ...] = ("INBOX",)


class Mailbox:
    def __init__(self, place: Place, connect: Connect) -> None:
        self.place, self.connect = place, connect

    def check(self) -> dict[str, str]:
        """Log in and open each folder; returns how many messages it contains."""
        with self._session() as session:
            return {
                sentence("folder %(name)s", name=name): sentences(
                    "%(n)d message", "%(n)d messages", self._select(session, name)[1]
                )
                for name in self.place.folders
            }

    def start(self) -> str:
        """A cursor that begins now: messages that are already there are not read."""
        with self._session() as session:
            return json.dumps({name: list(self._now(session, name)) for name in self.place.folders})

    def read(self, cursor: str) -> MailPage:
        """The next messages of all folders; nothing is marked as read."""
        known = json.loads(cursor)
        letters: list[MailMessage] = []
        more = False
        with self._session() as session:
            for folder in self.place.folders:
                validity, last = known.get(folder, (0, 0))
                now, _count = self._select(session, folder)
                if now != validity:
                    # UIDs were reassigned: read everything again; known messages are recognised.
                    last = 0
                uids = self._uids(session, last)
                for uid in uids[:BATCH]:
                    raw = self._fetch(session, uid)
                    if raw is not None:
                        letters.append(MailMessage(raw=raw, place=f"{folder}/{now}/{uid}", sender=seeming_sender(raw)))
                    last = uid
                known[folder] = [now, last]
                more = more or len(uids) > BATCH
        return MailPage(letters=tuple(letters), cursor=json.dumps(known), more=more)

    def taken(self, letters: Sequence[MailMessage]) -> None:
        """Mark messages as read; a failure does no harm, because the flag is never used here."""
        by_folder: dict[str, list[str]] = {}
        for letter in letters:
            folder, _validity, uid = letter.place.rsplit("/", 2)
            by_folder.setdefault(folder, []).append(uid)
        with suppress(ConnectorError), self._session() as session:
            for folder, uids in by_folder.items():
                self._select(session, folder)
                session.uid("STORE", ",".join(uids), "+FLAGS.SILENT", r"(\Seen)")

    def wait(self, cursor: str, seconds: float) -> bool:
        """Whether a new message arrives in the first folder within `seconds` (IDLE, RFC 2177).

        Unsupported if the server has no IDLE.
        """
        folder = self.place.folders[0]
        validity, last = json.loads(cursor).get(folder, (0, 0)) if cursor else (0, 0)
        with self._session() as session:
            if "IDLE" not in session.capabilities:
                raise Unsupported(
                    sentence("%(server)s does not support IDLE. New mail is found by polling.", server=self.place.host)
                )
            now, count = self._select(session, folder)
            session.response("EXISTS")  # discard what SELECT reported
            if not cursor or now != validity or self._uids(session, last):
                return True
            # A message that arrived during the search is reported only here: IDLE does not mention it again.
            counts = session.response("EXISTS")[1]
            if any(int(number) > count for number in counts if number):
                return True
            return _told(session, seconds)

    # -- IMAP

    @contextmanager
    def _session(self) -> Iterator[imaplib.IMAP4]:
        try:
            session = self._opened()
        except EgressDenied as error:
            raise Refused(str(error), field="imap_host") from error
        except ssl.SSLCertVerificationError as error:
            raise Refused(
                sentence("The certificate of %(server)s is not valid for this name.", server=self.place.host),
                field="imap_host",
            ) from error
        except (OSError, imaplib.IMAP4.error) as error:
            raise TryLater(sentence("The mail server %(server)s cannot be reached.", server=self.place.host)) from error
        try:
            self._log_in(session)
            yield session
        except imaplib.IMAP4.abort as error:
            raise TryLater(sentence("The mail server closed the connection.")) from error
        except imaplib.IMAP4.error as error:
            raise Refused(
                sentence("The mail server refused the request: %(reason)s", reason=str(error)[:200])
            ) from error
        except OSError as error:
            raise TryLater(sentence("No response was received from the mail server.")) from error
        finally:
            with suppress(OSError, imaplib.IMAP4.error):
                session.logout()
            with suppress(OSError):
                session.shutdown()

    def _opened(self) -> imaplib.IMAP4:
        place = self.place
        made = secured(self.connect(place.host, place.port, TOTAL_SECONDS), place.security, place.host)

        class Checked(imaplib.IMAP4):
            def _create_socket(self, timeout: float | None) -> socket.socket:
                return made

        try:
            session = Checked(place.host, place.port, timeout=TOTAL_SECONDS)
            if place.security == "starttls":
                session.starttls(ssl.create_default_context())
        except BaseException:
            made.close()
            raise
        return session

    def _log_in(self, session: imaplib.IMAP4) -> None:
        place = self.place
        try:
            if place.token is not None:
                told = f"user={place.user}\x01auth=Bearer {place.token()}\x01\x01".encode()
                session.authenticate("XOAUTH2", lambda _challenge: told)
            else:
                session.login(_quoted(place.user), place.password)  # it quotes the password itself
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if any(word in str(error).lower() for word in _BUSY):
                raise TryLater(sentence("The mail server is busy.")) from None
            if place.token is not None:
                raise LockedOut(sentence("The mail server rejected the access token."), field="client_secret") from None
            raise LockedOut(
                sentence("The mail server rejected the user name and password."), field="password"
            ) from None

    def _select(self, session: imaplib.IMAP4, folder: str) -> tuple[int, int]:
        """UIDVALIDITY and the number of messages; Refused for a folder that does not exist."""
        answer, data = session.select(_quoted(_utf7(folder)), readonly=False)
        if answer != "OK":
            raise Refused(sentence("The mailbox has no folder “%(folder)s”.", folder=folder), field="folders")
        told = session.response("UIDVALIDITY")[1]
        validity = int(told[0]) if told and told[0] else 0
        return validity, int(data[0] or 0)

    def _now(self, session: imaplib.IMAP4, folder: str) -> tuple[int, int]:
        validity, _count = self._select(session, folder)
        uids = self._uids(session, 0)
        return validity, uids[-1] if uids else 0

    def _uids(self, session: imaplib.IMAP4, after: int) -> list[int]:
        answer, data = session.uid("SEARCH", "UID", f"{after + 1}:*")
        if answer != "OK":
            raise TryLater(sentence("The mail server did not list its messages."))
        # "n:*" always includes the last message, even if its UID is smaller than n.
        return sorted(uid for uid in map(int, (data[0] or b"").split()) if uid > after)

    def _fetch(self, session: imaplib.IMAP4, uid: int) -> bytes | None:
        """One message, without marking it as read; None if it is gone; of one that is too large, the beginning."""
        _answer, data = session.uid("FETCH", str(uid), "(UID RFC822.SIZE)")
        size = next((int(found[1]) for part in data if isinstance(part, bytes) and (found := _SIZE.search(part))), 0)
        if not any(isinstance(part, bytes) and _UID.search(part) for part in data):
            return None
        what = "(BODY.PEEK[])" if size <= LARGEST else "(BODY.PEEK[]<0.65536>)"
        answer, data = session.uid("FETCH", str(uid), what)
        found = next((part[1] for part in data if isinstance(part, tuple)), None)
        if answer != "OK" or found is None:
            return None
        content = bytes(found)
        if size <= LARGEST and len(content) != size and abs(len(content) - size) > max(1024, size // 10):
            raise TryLater(sentence("A message was not transferred completely."))
        # The line in front of the beginning of a message that is too large says that the rest is missing.
        return TOO_LARGE % size + content if size > LARGEST else content


def _told(session: imaplib.IMAP4, seconds: float) -> bool:
    """Whether the server reports a new message in time; after a timeout the session is not used any more."""
    tag = session._new_tag()
    session.send(tag + b" IDLE\r\n")
    session.sock.settimeout(seconds)
    try:
        while line := session.readline():
            if line.startswith(tag):
                return False  # refused, or ended by the server
            if b" EXISTS" in line.upper():
                session.sock.settimeout(TOTAL_SECONDS)
                session.send(b"DONE\r\n")
                while line and not line.startswith(tag):
                    line = session.readline()
                return True
    except TimeoutError:
        return False
    raise imaplib.IMAP4.abort("the server hung up")


def secured(made: socket.socket, security: str, host: str) -> socket.socket:
    """The connection, with TLS if `security` is ``tls``; closed if TLS fails."""
    if security != "tls":
        return made
    try:
        return ssl.create_default_context().wrap_socket(made, server_hostname=host)
    except BaseException:
        made.close()
        raise


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _utf7(folder: str) -> str:
    """A folder's name in modified UTF-7 (RFC 3501 section 5.1.3).

    >>> _utf7("Entwürfe")
    'Entw&APw-rfe'
    """
    out: list[str] = []
    for run in re.findall(r"[ -~]+|[^ -~]+", folder):
        if run.isascii() and run.isprintable():
            out.append(run.replace("&", "&-"))
        else:
            coded = run.encode("utf-16-be")

            out.append("&" + base64.b64encode(coded).decode().rstrip("=").replace("/", ",") + "-")
    return "".join(out)


def settings_of(values: Mapping[str, Any], prefix: str) -> tuple[str, int, str]:
    """Host, port and security of one of the two servers; Refused if the port is not valid."""
    port = str(values.get(f"{prefix}_port") or "").strip()
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise Refused(sentence("Enter a port number between 1 and 65535."), field=f"{prefix}_port")
    return str(values.get(f"{prefix}_host", "")).strip(), int(port), str(values.get(f"{prefix}_security") or "tls")
