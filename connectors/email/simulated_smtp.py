"""The simulated SMTP server.

https://www.rfc-editor.org/rfc/rfc5321
https://www.rfc-editor.org/rfc/rfc4954
"""

from __future__ import annotations

import base64
from email.utils import parseaddr

from .simulated_lines import Line


class Smtp(Line):
    """The part of SMTP that a submission server needs."""

    def talk(self) -> None:
        self.say("220 mail house")
        sender, receivers = "", list[str]()
        while line := self.reader.readline().decode("latin-1").strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                self.say("250-mail house\r\n250-8BITMIME\r\n250 AUTH PLAIN XOAUTH2")
            elif verb == "HELO":
                self.say("250 mail house")
            elif verb == "AUTH":
                self.say("235 let in" if self._knows(line) else "535 5.7.8 not accepted")
            elif verb == "MAIL":
                sender, receivers = line, []
                self.say("250 go on")
            elif verb == "RCPT":
                address = parseaddr(line.partition(":")[2])[1]
                known = self.house.houses(address)
                if known is not None:
                    receivers.append(address)
                self.say("250 go on" if known else "550 5.1.1 there is no such mailbox here")
            elif verb == "DATA":
                if not sender or not receivers:
                    self.say("503 nobody to send it to")
                    continue
                self.say("354 go on")
                self._take(receivers)
                if self.house.loses_dot:
                    self.house.loses_dot = False
                    return
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 go on")

    def _knows(self, line: str) -> bool:
        kind, _, given = line[5:].partition(" ")
        told = base64.b64decode(given).decode("utf-8", "replace")
        if kind.upper() == "XOAUTH2":
            user, _, rest = told.removeprefix("user=").partition("\x01auth=Bearer ")
            return any(t.token and rest.rstrip("\x01") == t.token for t in self.house.hub_of(user.lower()))
        _zone, user, password = (*told.split("\x00"), "", "")[:3]
        return any(password == tenant.password for tenant in self.house.hub_of(user.lower()))

    def _take(self, receivers: list[str]) -> None:
        lines = []
        while (line := self.reader.readline()) not in (b".\r\n", b".\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        with self.house.lock:
            for receiver in receivers:
                house = self.house.houses(receiver)
                if house is not None:
                    self.house.deliver(house, b"".join(lines), [receiver])
            self.house.save()
