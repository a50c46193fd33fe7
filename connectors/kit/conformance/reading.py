"""Reading one ticket."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from connectors.kit.contract import RemoteFile, RemoteNote, RemoteTicket
from connectors.kit.errors import Missing, Refused

from .suite import Stage, Suite, shows


class Reading(Suite):
    """Reading one ticket."""

    @shows("reading a ticket")
    def test_times_are_aware_and_in_utc(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.note(stage.simulator, key, "Looking", self.shown)
        self.attach(stage.simulator, key, "trace.txt", "abc")
        times = list(_times(stage.connector.fetch(key)))
        assert len(times) >= 4
        assert all(at.utcoffset() == timedelta(0) for at in times)

    @shows("reading a ticket")
    def test_values_are_texts(self, stage: Stage) -> None:
        ticket = stage.connector.fetch(self.create(stage).key)
        assert set(ticket.fields) == set(self.connector.fields)
        assert all(isinstance(value, str) for value in ticket.fields.values())
        assert (ticket.fields["status"], ticket.fields["priority"]) == (self.statuses[0], self.priorities[0])

    @shows("reading a ticket")
    def test_a_ticket_reads_equal_to_itself(self, stage: Stage) -> None:
        key = self.create(stage).key
        assert stage.connector.fetch(key) == stage.connector.fetch(key)

    @shows("reading a ticket")
    def test_a_glance_sees_the_same_fields_as_a_look(self, stage: Stage) -> None:
        key = self.create(stage).key
        seen, looked = stage.connector.glance(key), stage.connector.fetch(key)
        assert (seen.fields, seen.reference, seen.created_at) == (looked.fields, looked.reference, looked.created_at)

    @shows("reading a ticket")
    def test_ours_are_known_as_ours_and_theirs_as_theirs(self, stage: Stage) -> None:
        ours, theirs = self.create(stage), self.open(stage)
        assert ours.is_ours
        assert not stage.connector.fetch(theirs).is_ours

    @shows("reading a ticket")
    def test_a_ticket_that_is_not_there_is_missing(self, stage: Stage) -> None:
        with pytest.raises(Missing):
            stage.connector.fetch("99999999")

    @shows("reading a ticket")
    @pytest.mark.parametrize("key", ["../companies/1", "1 or id>0", "", "1/notes", "%2e%2e"])
    def test_a_key_that_is_none_reaches_nothing(self, stage: Stage, key: str) -> None:
        with pytest.raises((Refused, Missing, ValueError)):
            stage.connector.fetch(key)
        assert not [request.url for request in stage.seen if key and key in (request.url or "")]


def _times(ticket: RemoteTicket) -> Iterator[datetime]:
    records: list[RemoteTicket | RemoteNote | RemoteFile] = [ticket, *(ticket.notes or ()), *(ticket.files or ())]
    for record in records:
        for field in dataclasses.fields(record):
            value = getattr(record, field.name)
            if isinstance(value, datetime):
                yield value
