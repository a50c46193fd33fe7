"""What the author of a connector defines for the conformance suite, and the stage its tests run on."""

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
    """Assign a behaviour to the capability it proves; `connector_matrix` counts by capability."""

    def mark(test: Test) -> Test:
        test.capability = capability  # type: ignore[attr-defined]
        return test

    return mark


class Time:
    """A clock that a test can move; each call is a second later than the one before."""

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
        """The connector, if the vendor's system can call us."""
        assert isinstance(self.connector, HookConnector)
        return self.connector

    @property
    def writes(self) -> list[requests.PreparedRequest]:
        return [request for request in self.seen if request.method in ("PATCH", "PUT", "DELETE")]


class Suite:
    """What the author defines for a connector and its simulator, and what the tests do with both."""

    connector: ClassVar[type[TicketConnector]]
    domain: ClassVar[str]
    """The name of the simulated tenant."""
    person: ClassVar[str]
    """Somebody who works there."""
    statuses: ClassVar[tuple[str, str]]
    """The value of a new ticket, and of one in progress."""
    priorities: ClassVar[tuple[str, str]]
    shown: ClassVar[str]
    hidden: ClassVar[str]
    """The visibility of a note that customers see, and of one that they do not."""
    hidden_time: ClassVar[str] = ""
    """The visibility of internal notes in time entries, if it is a separate one."""
    ticket_path: ClassVar[str]
    """Part of the path of the requests that read or write a ticket."""
    note_method: ClassVar[str] = "POST"
    """The HTTP method that writes a note."""
    many: ClassVar[tuple[int, int]] = (1100, 2300)
    """How many tickets are more than one page, and how many are a lot."""
    wrong: ClassVar[Mapping[str, str]]
    """A wrong value for each setting that `check` verifies."""
    cannot: ClassVar[frozenset[str]] = frozenset()
    """Behaviours that this vendor's system cannot show, such as "time" or "delete"."""
    hosts: ClassVar[frozenset[str]]
    """The hosts that the connector may call."""

    # -- defined by each connector

    def start(self, time: Time) -> Simulator[Any]:
        """A fresh simulated vendor."""
        raise NotImplementedError

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        """Settings that are valid for it."""
        raise NotImplementedError

    def lock_out(self, simulator: Simulator[Any]) -> None:
        """Revoke our credentials in the vendor's system."""
        raise NotImplementedError

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        """Write a note as a person of the vendor."""
        raise NotImplementedError

    def attach(self, simulator: Simulator[Any], key: str, name: str, text: str) -> None:
        """Attach a file as a person of the vendor."""
        simulator.act(self.domain, "file", ticket=key, by=self.person, name=name, text=text)

    def hook(self, simulator: Simulator[Any], key: str, number: int) -> tuple[dict[str, str], bytes]:
        """A signed webhook call about a ticket: headers and body."""
        raise NotImplementedError

    def sign(self, simulator: Simulator[Any], body: bytes) -> dict[str, str]:
        """The headers with which the vendor's system would send this body, which may be arbitrary."""
        raise NotImplementedError

    def switch_off(self, simulator: Simulator[Any]) -> None:
        """Disable the webhook in the vendor's system."""
        raise NotImplementedError

    def registered(self, simulator: Simulator[Any]) -> int:
        """The number of registered webhooks."""
        raise NotImplementedError

    def switch_off_value(self, simulator: Simulator[Any], status: str) -> None:
        """Make a status inactive in the vendor's system."""
        raise NotImplementedError

    def spoil_record(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        """Set the creation date in the ticket's record to any value, even one that is not a date or a text."""
        raise NotImplementedError

    def spoil_note(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        """Set the date of a note to any value, even one that is not a date or a text."""
        raise NotImplementedError

    def spoil_write(self, simulator: Simulator[Any], key: str) -> None:
        """Let the next change of the ticket's status return success without taking effect ("false_yes")."""
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
            pytest.skip(f"{self.connector.label} cannot show this behaviour: {what} (declared in `cannot`)")

    def fail(self, stage: Stage, method: str = "*", **how: Any) -> Injected:
        fault = Injected(method, self.ticket_path, **how)
        stage.simulator.faults.append(fault)
        return fault


def changes(connector: TicketConnector, cursor: str) -> Page:
    """All changes since a cursor, page by page, as the engine reads them."""
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
