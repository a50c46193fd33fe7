"""What a connector's author says for the conformance suite, and the stage its tests run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

import pytest
import requests

from connectors.kit.contract import Change, HookConnector, Page, RemoteTicket, TicketConnector
from connectors.kit.simulating import Injected, Simulator
from connectors.kit.wiring import wired

MARK = "01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab@ABCDEFGH"
REFERENCE = "TH-ABCDEFGH-01JZZZZZZZZZZZZZZZZZZZZZZZ"
MOST_PAGES = 1000

Test = TypeVar("Test", bound=Callable[..., Any])


def shows(capability: str) -> Callable[[Test], Test]:
    """Says which capability a behaviour is evidence of; `connector_matrix` counts them so."""

    def mark(test: Test) -> Test:
        test.capability = capability  # type: ignore[attr-defined]
        return test

    return mark


class Time:
    """A clock that a test moves; each look is a second later."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class Stage:
    """One connector wired to one simulated vendor."""

    simulator: Simulator[Any]
    connector: TicketConnector
    time: Time
    seen: list[requests.PreparedRequest]

    @property
    def called(self) -> HookConnector:
        """The connector, where the vendor can call us."""
        assert isinstance(self.connector, HookConnector)
        return self.connector

    @property
    def writes(self) -> list[requests.PreparedRequest]:
        return [request for request in self.seen if request.method in ("PATCH", "PUT", "DELETE")]


class Suite:
    """What the author of a connector says about it and its simulated vendor, and what the tests do with both."""

    connector: ClassVar[type[TicketConnector]]
    domain: ClassVar[str]
    """The name of the simulated tenant."""
    person: ClassVar[str]
    """Somebody who works there."""
    statuses: ClassVar[tuple[str, str]]
    """The value of a new ticket, and of one that is worked on."""
    priorities: ClassVar[tuple[str, str]]
    shown: ClassVar[str]
    hidden: ClassVar[str]
    """The visibility of a note that customers see, and of one that they do not."""
    hidden_time: ClassVar[str] = ""
    """The visibility of internal words in booked time, if it is one of its own."""
    ticket_path: ClassVar[str]
    """A part of the path of the calls that read or write a ticket."""
    note_method: ClassVar[str] = "POST"
    """With which method a note is written."""
    many: ClassVar[tuple[int, int]] = (1100, 2300)
    """How many tickets are more than one page, and how many are a lot."""
    wrong: ClassVar[Mapping[str, str]]
    """For each setting that `check` can find to be wrong, a wrong value."""
    cannot: ClassVar[frozenset[str]] = frozenset()
    """Behaviours by name that this vendor has no way to show, like "time" or "delete"."""
    hosts: ClassVar[frozenset[str]]
    """The hosts it may call."""

    # -- to be said by each connector

    def start(self, time: Time) -> Simulator[Any]:
        """A fresh simulated vendor."""
        raise NotImplementedError

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        """Settings that are right for it."""
        raise NotImplementedError

    def lock_out(self, simulator: Simulator[Any]) -> None:
        """Our credentials end there."""
        raise NotImplementedError

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        """Somebody there writes a note."""
        raise NotImplementedError

    def attach(self, simulator: Simulator[Any], key: str, name: str, text: str) -> None:
        """Somebody there attaches a file."""
        simulator.act(self.domain, "file", ticket=key, by=self.person, name=name, text=text)

    def hook(self, simulator: Simulator[Any], key: str, number: int) -> tuple[dict[str, str], bytes]:
        """A signed hook about a ticket: headers and body."""
        raise NotImplementedError

    def sign(self, simulator: Simulator[Any], body: bytes) -> dict[str, str]:
        """The headers with which the vendor would send this body; the body may be any."""
        raise NotImplementedError

    def switch_off(self, simulator: Simulator[Any]) -> None:
        """The vendor stops to call us."""
        raise NotImplementedError

    def registered(self, simulator: Simulator[Any]) -> int:
        """How many registrations of calls to us there are."""
        raise NotImplementedError

    def switch_off_value(self, simulator: Simulator[Any], status: str) -> None:
        """A status becomes inactive there."""
        raise NotImplementedError

    def spoil_record(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        """The ticket's record says that it was made at this date, which may be no date, and no text."""
        raise NotImplementedError

    def spoil_note(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        """The note of this key says that it was written at this date, which may be no date, and no text."""
        raise NotImplementedError

    def spoil_write(self, simulator: Simulator[Any], key: str) -> None:
        """The next change of the ticket's status is answered with yes and not done ("false_yes")."""
        raise NotImplementedError

    # -- the stage

    @pytest.fixture
    def stage(self) -> Stage:
        time = Time()
        return self.wire(self.start(time), time)

    def wire(self, simulator: Simulator[Any], time: Time, **changed: str) -> Stage:
        seen: list[requests.PreparedRequest] = []
        connector = wired(self.connector, self.values(simulator) | changed, simulator, now=time, watch=seen.append)
        return Stage(simulator, connector, time, seen)

    def open(self, stage: Stage, title: str = "Screen black") -> str:
        return str(stage.simulator.act(self.domain, "open", by=self.person, title=title)["id"])

    def create(self, stage: Stage, **fields: str) -> RemoteTicket:
        wanted = {
            "title": "Printing fails",
            "description": "Error 0x11b",
            "status": self.statuses[0],
            "priority": self.priorities[0],
        }
        change = Change(id="1", kind="create", reference=REFERENCE, mark=MARK, fields=wanted | fields)
        pushed = stage.connector.push(change)
        assert pushed.ticket is not None
        return pushed.ticket

    def say(self, stage: Stage, key: str, text: str, visibility: str = "", mark: str = MARK) -> str:
        return stage.connector.push(
            Change(
                id="2", kind="note", key=key, text=text, visibility=visibility or self.shown, mark=mark, name="Us, Ada"
            )
        ).key

    def send(self, stage: Stage, key: str, name: str, content: bytes) -> str:
        change = Change(
            id="3", kind="file", key=key, name=name, content=content, visibility=self.shown, mark=MARK, text=""
        )
        return stage.connector.push(change).key

    def need(self, what: str) -> None:
        if what in self.cannot:
            pytest.skip(f"{self.connector.label} has no way to show: {what} (declared in cannot)")

    def fail(self, stage: Stage, method: str = "*", **how: Any) -> Injected:
        fault = Injected(method, self.ticket_path, **how)
        stage.simulator.faults.append(fault)
        return fault


def changes(connector: TicketConnector, cursor: str) -> Page:
    """Everything since a cursor, page after page, as the engine reads it."""
    tickets: list[RemoteTicket] = []
    gone: list[str] = []
    for _ in range(MOST_PAGES):
        page = connector.changes_since(cursor)
        tickets += page.tickets
        gone += page.gone
        if not page.more or page.cursor == cursor:
            return Page(tickets=tuple(tickets), cursor=page.cursor, gone=tuple(gone))
        cursor = page.cursor
    raise AssertionError("the pages of changes_since do not end")
