"""The documented set of queries, with the same answers on both databases; and who finds what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from hub.domain import history, messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Leg, Message, Organisation, Person, SearchEntry, SearchWord, Ticket, User
from hub.queries import permissions
from hub.search import finding, indexing
from tests import factories
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


class World:
    """Three tickets that two vendors work on."""

    def __init__(self, us: Organisation, agent: Actor, at: datetime) -> None:
        self.agent, self.at = agent, at
        self.hostwerk = factories.OrganisationFactory(name="Hostwerk")
        self.netline = factories.OrganisationFactory(name="Netline")
        self.rosa = factories.PersonFactory(name="Rosa Möller", email="rosa.m@site.test")
        self.manager = factories.member("manager", us)
        self.of_hostwerk = factories.member("vendor", self.hostwerk)
        self.of_netline = factories.member("vendor", self.netline)
        self.spooler = self.opened("Überlauf im Druckerspooler: Toner", "Serial 4711-XZ on floor 2", self.rosa)
        self.vpn = self.opened("VPN drops every hour", "Since KB5034441, error 0x80070005 on db-01.corp.example")
        self.payroll = self.opened("Payroll export is empty", "")
        self.first = self.offered(self.spooler, self.hostwerk, "T20261128.0012")
        self.second = self.offered(self.vpn, self.netline, "INC0012345")
        self.say(self.vpn, "Found a stale port on the core switch", self.second)
        self.say(self.vpn, "Internal: the vendor is slow")
        self.say(self.spooler, "Replaced the fuser unit FK-330", self.first)
        indexing.index()

    def opened(self, title: str, description: str, requester: Person | None = None) -> Ticket:
        self.at += timedelta(minutes=1)
        return tickets.open_ticket(
            title=title, description=description, requester=requester, actor=self.agent, at=self.at
        )

    def offered(self, ticket: Ticket, organisation: Organisation, number: str) -> Leg:
        leg = engagements.offer(ticket=ticket, organisation=organisation, actor=self.agent, at=self.at)
        Leg.objects.filter(pk=leg.pk).update(remote_number=number)
        return leg

    def say(self, ticket: Ticket, body: str, *legs: Leg) -> Message:
        self.at += timedelta(minutes=1)
        return messages.say(ticket=ticket, body=body, legs=list(legs), actor=self.agent, at=self.at)

    def found(self, query: str, user: User | None = None) -> list[str]:
        hits = finding.find(user or self.manager, query).hits
        names = {self.spooler.pk: "spooler", self.vpn.pk: "vpn", self.payroll.pk: "payroll"}
        return [names.get(hit.ticket_id, "another") for hit in hits]


@pytest.fixture
def world(us: Organisation, agent: Actor, at: datetime) -> World:
    return World(us, agent, at)


QUERIES = [
    ("Druckerspooler", ["spooler"]),
    ("überlauf", ["spooler"]),
    ("Ueberlauf", ["spooler"]),
    ("uberlauf", ["spooler"]),
    ("Toner Druckerspooler", ["spooler"]),
    ("drucker", ["spooler"]),
    ("druckerspooler: toner", ["spooler"]),
    ("exports", ["payroll"]),
    ("exporting payrolls", ["payroll"]),
    ("dropped", ["vpn"]),
    ("Rosa", ["spooler"]),
    ("Moeller", ["spooler"]),
    ("rosa.m@site.test", ["spooler"]),
    ("4711-XZ", ["spooler"]),
    ("4711", ["spooler"]),
    ("FK-330", ["spooler"]),
    ("fuser unit", ["spooler"]),
    ("unit fuser overflow", []),
    ("stale port", ["vpn"]),
    ("port stale vpn", ["vpn"]),
    ("ports", ["vpn"]),
    ("KB5034441", ["vpn"]),
    ("kb503", ["vpn"]),
    ("0x80070005", ["vpn"]),
    ("db-01", ["vpn"]),
    ("db-01.corp.example", ["vpn"]),
    ("corp.example", ["vpn"]),
    ("T20261128.0012", ["spooler"]),
    ("#T20261128.0012", ["spooler"]),
    ("20261128.0012", ["spooler"]),
    ("1128", ["spooler"]),
    ("0012", ["vpn", "spooler"]),
    ("INC0012345", ["vpn"]),
    ("12345", ["vpn"]),
    ("inc0012345 vpn", ["vpn"]),
    ("payrol", ["payroll"]),
    ("pyaroll", ["payroll"]),
    ("payrroll exprot", ["payroll"]),
    ("Druckespooler", ["spooler"]),
    ("zzzz", []),
    ("'; DROP TABLE hub_ticket; --", []),
    ("a:* & !b | (c", []),
    ("port OR NEAR(stale vpn)", []),
    ("\\'", []),
    ("Überlauf " * 40, ["spooler"]),
]
"""What is found for a query, in order."""


@pytest.mark.parametrize(("query", "names"), QUERIES, ids=[query for query, _names in QUERIES])
def test_both_databases_find_the_same(world: World, query: str, names: list[str]) -> None:
    assert world.found(query) == names


def test_our_number_comes_first_however_it_is_written(world: World) -> None:
    world.say(world.payroll, f"Like {world.vpn.label}")
    indexing.index()
    for written in ("{n}", "TH-{n}", "th{n}", "[TH-{n}]", "#{n}"):
        assert world.found(written.format(n=world.vpn.number)) == ["vpn", "payroll"]
    assert world.found(f"{world.vpn.label} stale") == ["vpn"]


def test_each_hit_says_where(world: World) -> None:
    def where(query: str) -> tuple[str, str]:
        [hit] = finding.find(world.manager, query).hits
        return hit.kind, "".join(f"[{text}]" if is_match else text for text, is_match in hit.pieces)

    assert where("stale") == ("message", "Found a [stale] port on the core switch")
    assert where("rosa.m@site.test") == ("address", "[rosa.m@site.test]")
    assert where("Möller") == ("requester", "Rosa [Möller]")
    assert where("20261128") == ("number", "Hostwerk [T20261128.0012]")
    assert where("floor") == ("ticket", "Serial 4711-XZ on [floor] 2")
    assert where("toner") == ("ticket", "")
    title = finding.find(world.manager, "toner").title(world.spooler)
    assert [piece.text for piece in title if piece.is_match] == ["Toner"]


@pytest.mark.parametrize(
    "query",
    ["Internal", "slow", "INC0012345", "12345", "stale", "stael", "rosa", "fuser", "Payroll", "pyaroll", "4711"],
)
def test_a_vendor_finds_nothing_that_it_may_not_read(world: World, query: str) -> None:
    """Neither by a hit nor by a similar word, a snippet or a count."""
    allowed = {"stale": "netline", "stael": "netline", "INC0012345": "netline", "12345": "netline"}
    allowed |= {"rosa": "hostwerk", "fuser": "hostwerk", "4711": "hostwerk"}
    for name, user in (("hostwerk", world.of_hostwerk), ("netline", world.of_netline)):
        found = finding.find(user, query)
        if allowed.get(query) == name:
            assert len(found.hits) == 1
        else:
            assert (found.hits, found.next, found.is_similar) == ([], None, False)


@pytest.mark.parametrize("most", [0, 5000])
def test_a_vendor_with_many_tickets_finds_the_same(world: World, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(finding, "MOST_KEYS", most)
    for query, name in (("stale", "vpn"), ("INC0012345", "vpn"), ("drops", "vpn"), ("fuser", None), ("payroll", None)):
        assert world.found(query, world.of_netline) == ([name] if name else [])


def test_a_requester_finds_their_own_tickets_and_what_they_were_told(world: World) -> None:
    user = factories.UserFactory()
    world.rosa.user = user
    world.rosa.save()
    messages.say(ticket=world.spooler, body="It is fixed now", is_for_requester=True, actor=world.agent, at=world.at)
    indexing.index()
    assert world.found("toner", user) == world.found("fixed", user) == ["spooler"]
    assert world.found("fuser", user) == world.found("vpn", user) == world.found("20261128", user) == []


def test_only_among_some_tickets(world: World) -> None:
    some = Ticket.objects.exclude(pk=world.vpn.pk)
    assert finding.find(world.manager, "stale", tickets=some).hits == []
    assert finding.find(world.manager, str(world.vpn.number), tickets=some).hits == []
    assert len(finding.find(world.manager, "toner", tickets=some).hits) == 1


def test_pages_hold_each_ticket_once_and_none_twice(world: World) -> None:
    made = [world.opened(f"Printer {n} jams", "") for n in range(7)]
    for ticket in (made[3], made[0], made[3]):
        world.say(ticket, "The printer again")
    indexing.index()
    pages, place = list[list[int]](), None
    for _ in range(9):
        found = finding.find(world.manager, "printer", after=place, most=2)
        pages.append([hit.ticket_id for hit in found.hits])
        place = found.next
        if place is None:
            break
    wanted = [3, 0, 6, 5, 4, 2, 1]
    assert [pk for page in pages for pk in page] == [made[n].pk for n in wanted]
    assert [len(page) for page in pages] == [2, 2, 2, 1]


def test_a_search_takes_few_queries_however_much_is_found(world: World) -> None:
    for n in range(60):
        world.opened(f"Scanner {n} is slow", "")
    indexing.index()
    assert permissions.sees_everything(world.manager)  # whose roles are read once
    with CaptureQueriesContext(connection) as one:
        assert len(finding.find(world.manager, "fuser").hits) == 1
    with CaptureQueriesContext(connection) as many:
        assert len(finding.find(world.manager, "scanner").hits) == finding.PAGE
    assert len(one) == len(many) == 1


def test_what_was_edited_is_found_by_its_new_words_alone(world: World) -> None:
    tickets.edit_ticket(ticket=world.vpn, changes={"title": "Tunnel collapses"}, actor=world.agent, at=world.at)
    indexing.index()
    assert world.found("vpn") == []
    assert world.found("tunnel") == world.found("tunnel stale") == ["vpn"]


def test_a_message_that_was_corrected_or_withdrawn_is_not_found(world: World) -> None:
    first = world.say(world.payroll, "The reason is a full disk")
    other = world.say(world.payroll, "Ask Waldemar")
    indexing.index()
    assert world.found("full disk") == world.found("waldemar") == ["payroll"]
    messages.say(ticket=world.payroll, body="A stolen disk", supersedes=first, actor=world.agent, at=world.at)
    messages.withdraw(message=other, reason="wrong", actor=world.agent, at=world.at)
    indexing.index()
    assert world.found("full disk") == world.found("waldemar") == []
    assert world.found("stolen disk") == ["payroll"]


def test_a_message_corrected_on_the_ticket_it_was_merged_into_is_not_found(world: World) -> None:
    first = world.say(world.payroll, "A full disk")
    indexing.index()
    messages.say(ticket=world.vpn, body="A stolen one", supersedes=first, actor=world.agent, at=world.at)
    indexing.index()
    assert world.found("full disk") == []


def test_a_number_that_a_vendor_changes_is_found(world: World) -> None:
    Leg.objects.filter(pk=world.second.pk).update(remote_number="CHG7777")
    indexing.mark(Ticket.objects.filter(legs=world.second))
    indexing.index()
    assert (world.found("7777"), world.found("INC0012345")) == (["vpn"], [])


def test_a_vendor_does_not_find_its_own_words_on_a_ticket_it_was_never_given(world: World) -> None:
    vendor = Actor.vendor(world.netline)
    messages.say(ticket=world.payroll, body="Said too late, pineapple", actor=vendor, at=world.at)
    indexing.index()
    assert world.found("pineapple") == ["payroll"]
    assert world.found("pineapple", world.of_netline) == []


def test_a_vendor_reads_no_address_of_a_requester(world: World) -> None:
    assert world.found("rosa.m@site.test") == ["spooler"]
    assert world.found("rosa.m@site.test", world.of_hostwerk) == []
    [hit] = finding.find(world.of_hostwerk, "rosa").hits
    assert "@" not in "".join(piece.text for piece in hit.pieces)


def test_hidden_words_change_nobodys_similar_words(world: World) -> None:
    """However many there are, and wherever they stand in the alphabet."""
    assert world.found("drups", world.of_netline) == ["vpn"]
    world.say(world.payroll, " ".join(f"dr{letter}ps" for letter in "abcdefghijklmnpqrstuvwxyz"))
    indexing.index()
    assert world.found("drups", world.of_netline) == ["vpn"]  # though it is a word of a hidden text now
    assert world.found("drups") == ["payroll"]


def test_a_text_that_cannot_be_indexed_keeps_no_other_from_being(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = world.opened("Unlucky", ""), world.opened("Lucky one", "")
    real = indexing._index_head

    def fails(ticket: Ticket, *more: Any) -> None:
        if ticket == bad:
            raise DataError("string is too long for tsvector")
        real(ticket, *more)

    monkeypatch.setattr(indexing, "_index_head", fails)
    indexing.index()
    assert world.found("lucky one") == ["another"]
    assert not indexing.waiting().exists()
    assert "cannot be indexed" in caplog.text
    assert good.is_open


def test_a_hostile_text_is_indexed_on_both_databases(world: World) -> None:
    letters = [chr(code) for code in range(0x3300, 0x3357)]
    words = [" ".join("".join(letters[(n + k) % 87] for k in range(14)) + str(n) for n in range(6000))]
    world.say(world.payroll, f"pineapple {words[0]}")
    world.say(world.payroll, "x://^vpn and ((((")
    indexing.index()
    assert world.found("pineapple") == ["payroll"]
    before = list(SearchEntry.objects.order_by("pk").values_list("pk", flat=True))
    indexing.mark(Ticket.objects.all())
    indexing.index()
    assert list(SearchEntry.objects.order_by("pk").values_list("pk", flat=True)) == before


def test_what_was_erased_is_gone_at_once_and_its_words_too(world: World) -> None:
    said = world.say(world.payroll, "Zacharias called from Quxheim about the export")
    indexing.index()
    assert world.found("zacharias") == ["payroll"]
    # The words of what was corrected before it was erased are gone, too.
    messages.say(ticket=world.payroll, body="Somebody called", supersedes=said, actor=world.agent, at=world.at)
    indexing.index()
    event = Event.objects.get(ticket=world.payroll, kind=EventKind.MESSAGE_ADDED, payload__message=said.public_id)
    history.erase(ticket=world.payroll, events=[event.seq], reason="asked", actor=world.agent, at=world.at)

    assert world.found("zacharias") == []
    words = set(SearchWord.objects.values_list("word", flat=True))
    assert not words & {"zacharias", "quxheim"}
    assert "export" not in words  # until it is indexed again
    indexing.index()
    assert world.found("payroll") == ["payroll"]
    assert world.found("quxheim") == []


def test_a_person_who_is_renamed_is_found_by_the_new_name(world: World) -> None:
    world.rosa.name = "Rosalind Vance"
    world.rosa.save()
    indexing.index()
    assert world.found("Moeller") == []
    assert world.found("vance") == ["spooler"]


def test_the_index_can_be_made_anew(world: World) -> None:
    before = sorted(SearchEntry.objects.values_list("ticket", "kind", "tokens"))
    SearchEntry.objects.filter(kind="message").update(tokens="wrong")
    indexing.index_anew(list(Ticket.objects.values_list("pk", flat=True)))
    assert sorted(SearchEntry.objects.values_list("ticket", "kind", "tokens")) == before
    assert not indexing.waiting().exists()


def test_indexing_again_writes_nothing_that_is_there(world: World) -> None:
    before = sorted(SearchEntry.objects.values_list("pk", flat=True))
    indexing.mark(Ticket.objects.all())
    with CaptureQueriesContext(connection) as asked:
        assert indexing.index() == 3
    assert sorted(SearchEntry.objects.values_list("pk", flat=True)) == before
    assert not [each for each in asked.captured_queries if 'INSERT INTO "hub_searchentry"' in each["sql"]]
