"""The simulated IMAP server.

https://www.rfc-editor.org/rfc/rfc3501
https://www.rfc-editor.org/rfc/rfc2177
"""

from __future__ import annotations

import base64
import re
import shlex
import threading
from collections.abc import Callable
from contextlib import suppress

from connectors.kit.simulating import Json

from .simulated_lines import Line, Tenant, crlf

_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n$")


class Imap(Line):
    """The part of IMAP4rev1 and IDLE that reading a mailbox needs."""

    folder: Json | None = None

    def send(self, content: bytes) -> None:
        left = self.house.cut
        if left is None:
            super().send(content)
            return
        super().send(content[: max(left, 0)])
        self.house.cut = left - len(content)
        if self.house.cut <= 0:
            raise OSError("the line is dead")

    def talk(self) -> None:
        self.say("* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=XOAUTH2] ready")
        while line := self._command():
            tag, _, rest = line.partition(b" ")
            words = _words(rest)
            verb = words[0].upper() if words else ""
            if verb == "UID":
                words, verb = words[1:], f"UID_{words[1].upper()}" if len(words) > 1 else ""
            act = getattr(self, f"do_{verb.lower()}", None)
            done = act(tag.decode(), words[1:]) if act else "BAD Unknown command"
            if done is None:
                return
            self.say(f"{tag.decode()} {done}")

    def _command(self) -> bytes:
        """One command with its literals."""
        line = bytes(self.reader.readline())
        while found := _LITERAL.search(line):
            self.say("+ go on")
            literal = self.reader.read(int(found[1]))
            line = line[: found.start()] + b'"' + literal.replace(b'"', b'\\"') + b'"' + bytes(self.reader.readline())
        return line.rstrip(b"\r\n")

    def do_capability(self, _tag: str, _words: list[str]) -> str:
        self.say("* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=XOAUTH2")
        return "OK done"

    def do_noop(self, _tag: str, _words: list[str]) -> str:
        return "OK done"

    def do_login(self, _tag: str, words: list[str]) -> str:
        user, password = (*words, "", "")[:2]
        return self._let_in(user.lower(), lambda tenant: password == tenant.password)

    def do_authenticate(self, _tag: str, words: list[str]) -> str:
        if words[:1] != ["XOAUTH2"]:
            return "NO no such way in"
        self.say("+ ")
        told = base64.b64decode(self.reader.readline())
        user, _, rest = told.decode().removeprefix("user=").partition("\x01auth=Bearer ")
        given = rest.rstrip("\x01")
        return self._let_in(user.lower(), lambda tenant: bool(tenant.token) and given == tenant.token)

    def _let_in(self, user: str, is_right: Callable[[Tenant], bool]) -> str:
        if not any(is_right(tenant) for tenant in self.house.hub_of(user)):
            return "NO [AUTHENTICATIONFAILED] Authentication failed."
        self.user = user
        return "OK Logged in"

    def _tenant(self) -> Tenant:
        return next(self.house.hub_of(self.user))

    def do_list(self, _tag: str, _words: list[str]) -> str:
        for name in self._tenant().boxes.get(self.user, {}):
            self.say(f'* LIST () "." "{name}"')
        return "OK done"

    def do_create(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            self._tenant().make_folder(self.user, words[0])
        return "OK made"

    def do_delete(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            return "OK gone" if self._tenant().boxes[self.user].pop(words[0], None) else "NO there is none"

    def do_append(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            self._tenant().put(self.user, crlf(words[-1].encode("latin-1")), words[0])
            self.house.news.notify_all()
        return "OK kept"

    def do_select(self, _tag: str, words: list[str]) -> str:
        self.folder = self._tenant().folder(self.user, words[0]) if self.user else None
        if self.folder is None:
            return "NO Mailbox doesn't exist"
        self.say("* FLAGS (\\Seen \\Deleted)")
        self.say(f"* {len(self.folder['messages'])} EXISTS")
        self.say("* 0 RECENT")
        self.say(f"* OK [UIDVALIDITY {self.folder['validity']}] valid")
        self.say(f"* OK [UIDNEXT {self.folder['next']}] next")
        return "OK [READ-WRITE] selected"

    do_examine = do_select

    def do_uid_search(self, _tag: str, words: list[str]) -> str:
        found = self._numbered(words[-1])
        self.say("* SEARCH" + "".join(f" {each['uid']}" for _number, each in found))
        return "OK done"

    def do_uid_fetch(self, _tag: str, words: list[str]) -> str:
        wanted = " ".join(words[1:]).upper()
        for number, each in self._numbered(words[0]):
            raw = each["raw"].encode("latin-1")
            parts = [f"UID {each['uid']}"]
            if "RFC822.SIZE" in wanted:
                parts.append(f"RFC822.SIZE {len(raw)}")
            if "FLAGS" in wanted:
                parts.append(f"FLAGS ({' '.join(each['flags'])})")
            head = f"* {number} FETCH ({' '.join(parts)}".encode()
            if "BODY" in wanted:
                if "PEEK" not in wanted and "\\Seen" not in each["flags"]:
                    each["flags"].append("\\Seen")
                cut = re.search(r"<(\d+)\.(\d+)>", wanted)
                name = "BODY[]"
                if cut is not None:
                    raw, name = raw[int(cut[1]) : int(cut[1]) + int(cut[2])], f"BODY[]<{cut[1]}>"
                head += f" {name} {{{len(raw)}}}\r\n".encode() + raw
            self.say(head + b")")
        return "OK done"

    def do_uid_store(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            for _number, each in self._numbered(words[0]):
                each["flags"] += [flag for flag in ("\\Seen",) if flag not in each["flags"]]
        return "OK done"

    def _numbered(self, wanted: str) -> list[tuple[int, Json]]:
        """Messages by a list of UIDs and ranges; a range to * always includes the last message."""
        messages = list(enumerate((self.folder or {"messages": []})["messages"], 1))
        last = messages[-1][1]["uid"] if messages else 0
        found: list[tuple[int, Json]] = []
        for part in wanted.split(","):
            first, _, end = part.partition(":")
            low = last if first == "*" else int(first)
            high = (last if end == "*" else int(end)) if end else low
            low, high = min(low, high), max(low, high)
            found += [pair for pair in messages if low <= pair[1]["uid"] <= high]
        return found

    def do_idle(self, _tag: str, _words: list[str]) -> str:
        folder = self.folder
        if folder is None:
            return "BAD Select a mailbox first"
        self.say("+ idling")
        ended = threading.Event()

        def tell() -> None:
            with self.house.news:
                known = len(folder["messages"])
                while not ended.is_set():
                    self.house.news.wait(0.2)
                    if len(folder["messages"]) != known:
                        known = len(folder["messages"])
                        with suppress(OSError, ValueError):
                            self.say(f"* {known} EXISTS")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            self.reader.readline()
        finally:
            ended.set()
            teller.join(2)
        return "OK done"

    def do_logout(self, tag: str, _words: list[str]) -> None:
        self.say("* BYE")
        self.say(f"{tag} OK done")


def _words(rest: bytes) -> list[str]:
    text = rest.decode("latin-1")
    try:
        return shlex.split(text.replace("\\Seen", "\\\\Seen")) if '"' in text else text.split()
    except ValueError:
        return text.split()
