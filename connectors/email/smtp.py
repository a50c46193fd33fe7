"""Sends one message over SMTP. The same message sent again has the same Message-ID."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

from connectors.email.mailbox import secured
from connectors.kit.errors import LockedOut, Refused, TryLater, Unclear
from connectors.kit.http import TOTAL_SECONDS
from hub.egress import EgressDenied

Connect = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True, kw_only=True)
class Office:
    """The server that takes our mail."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = ""
    token: Callable[[], str] | None = None


class Unfolded(EmailPolicy):
    """Writes ids as they are: the library's policies fold one of over 78 characters as encoded words (Python 3.11).

    Dovecot, for one, then does not find the thread; RFC 5322 section 2.1.1 lets a line have 998 characters.
    """

    def fold(self, name: str, value: Any) -> str:
        return self._of_ids(name, value) or super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self._of_ids(name, value).encode() or super().fold_binary(name, value)

    def _of_ids(self, name: str, value: Any) -> str:
        if name.lower() not in ("message-id", "in-reply-to", "references"):
            return ""
        return f"{name}: " + f"{self.linesep} ".join(str(value).split()) + self.linesep


POLICY = Unfolded(linesep="\r\n")


class Postman:
    def __init__(self, office: Office, connect: Connect) -> None:
        self.office, self.connect = office, connect

    def check(self) -> None:
        """Log in, and send nothing."""
        session = self._session()
        with suppress(OSError, smtplib.SMTPException):
            session.quit()

    def send(self, message: EmailMessage, *, sender: str, receivers: list[str]) -> None:
        """Hand it over; Unclear where it may have been taken before the answer was lost."""
        session = self._session()
        began = False
        try:
            self._ask(session.mail(sender), "smtp_host")
            for receiver in receivers:
                self._ask(session.rcpt(receiver), "to")
            began = True
            self._ask(session.data(message.as_bytes(policy=POLICY)), "smtp_host")
        except smtplib.SMTPServerDisconnected as error:
            raise _lost(began) from error
        except smtplib.SMTPDataError as error:
            told = error.smtp_error
            self._ask((error.smtp_code, told if isinstance(told, bytes) else told.encode()), "smtp_host")
        except OSError as error:
            raise _lost(began) from error
        finally:
            with suppress(OSError, smtplib.SMTPException):
                session.quit()
            session.close()

    def _session(self) -> smtplib.SMTP:
        office = self.office
        try:
            session = self._opened()
        except EgressDenied as error:
            raise Refused(str(error), field="smtp_host") from error
        except ssl.SSLCertVerificationError as error:
            raise Refused(f"The certificate of {office.host} is not valid for it.", field="smtp_host") from error
        except (OSError, smtplib.SMTPException) as error:
            raise TryLater(f"The mail server {office.host} cannot be reached.") from error
        try:
            if office.token is not None:
                told = f"user={office.user}\x01auth=Bearer {office.token()}\x01\x01"
                session.ehlo_or_helo_if_needed()
                session.auth("XOAUTH2", lambda _challenge=None: told)
            elif office.user:
                session.login(office.user, office.password)
        except smtplib.SMTPNotSupportedError:
            # A relay that knows us by where we come from asks for no log-in; if it wants one, it says so.
            pass
        except smtplib.SMTPAuthenticationError:
            session.close()
            raise LockedOut(
                "The server for sending does not accept user name and password.", field="password"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            session.close()
            raise TryLater("The server for sending does not let us in now.") from error
        return session

    def _opened(self) -> smtplib.SMTP:
        office = self.office
        made = secured(self.connect(office.host, office.port, TOTAL_SECONDS), office.security, office.host)

        class Checked(smtplib.SMTP):
            def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
                return made

        try:
            session = Checked(office.host, office.port, timeout=TOTAL_SECONDS)
            if office.security == "starttls":
                session.starttls(context=ssl.create_default_context())
        except BaseException:
            made.close()
            raise
        return session

    def _ask(self, answer: tuple[int, bytes], field: str) -> None:
        """What an answer means: 4xx is for now, 5xx for good (RFC 5321 section 4.2.1)."""
        code, told = answer
        if 200 <= code < 300:
            return
        why = " ".join(told.decode("utf-8", "replace").split())[:300]
        if 400 <= code < 500:
            raise TryLater(f"The mail server says: {code} {why}")
        raise Refused(f"The mail server says: {code} {why}", field=field)


def _lost(began: bool) -> Unclear | TryLater:
    return Unclear("The mail server's answer did not arrive.") if began else TryLater("The mail server hung up.")
