"""Sends one message over SMTP. The same message sent again has the same Message-ID.

https://www.rfc-editor.org/rfc/rfc5321
Authentication: https://www.rfc-editor.org/rfc/rfc4954
"""

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
from hub.core.sentences import sentence
from hub.egress import EgressDenied

Connect = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True, kw_only=True)
class Office:
    """The server that accepts our mail."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = ""
    token: Callable[[], str] | None = None


class Unfolded(EmailPolicy):
    """Writes Message-IDs unfolded: Python 3.11's policies fold one of over 78 characters as encoded words.

    Dovecot then loses the thread. A line may have 998 characters: https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
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
        """Log in without sending anything."""
        session = self._session()
        with suppress(OSError, smtplib.SMTPException):
            session.quit()

    def send(self, message: EmailMessage, *, sender: str, receivers: list[str]) -> None:
        """Send the message; Unclear if the server may have accepted it before its response was lost."""
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
            raise Refused(
                sentence("The certificate of %(server)s is not valid for this name.", server=office.host),
                field="smtp_host",
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise TryLater(sentence("The mail server %(server)s cannot be reached.", server=office.host)) from error
        try:
            if office.token is not None:
                told = f"user={office.user}\x01auth=Bearer {office.token()}\x01\x01"
                session.ehlo_or_helo_if_needed()
                session.auth("XOAUTH2", lambda _challenge=None: told)
            elif office.user:
                session.login(office.user, office.password)
        except smtplib.SMTPNotSupportedError:
            # A relay that accepts us by our address offers no authentication; if it needs one, it refuses the message.
            pass
        except smtplib.SMTPAuthenticationError:
            session.close()
            raise LockedOut(
                sentence("The SMTP server rejected the user name and password."), field="password"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            session.close()
            raise TryLater(sentence("The SMTP server does not accept our login at the moment.")) from error
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
        """Raise the error that a reply stands for: 4yz is temporary, 5yz permanent.

        https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
        """
        code, told = answer
        if 200 <= code < 300:
            return
        reason = " ".join(told.decode("utf-8", "replace").split())[:300]
        why = sentence("The mail server replied: %(code)s %(reason)s", code=code, reason=reason)
        if 400 <= code < 500:
            raise TryLater(why)
        raise Refused(why, field=field)


def _lost(began: bool) -> Unclear | TryLater:
    if began:
        return Unclear(sentence("No response was received from the mail server."))
    return TryLater(sentence("The mail server closed the connection."))
