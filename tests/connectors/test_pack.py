"""Where the hand-off pack goes: the description, a first note for this vendor only, or a file."""

from __future__ import annotations

import pytest

from connectors.autotask.simulator import Tenant
from connectors.engine import registry
from connectors.engine.mapping import mapping_suggestions, preview, published
from connectors.engine.operations import compare
from connectors.engine.outbound import parked_items, sender
from connectors.kit.contract import Change, Choice, OutboundConnector, Ports, Pushed
from connectors.kit.errors import Unsupported
from connectors.models import Connection, Lane, Link, Mapping, NoteRule, Outbound
from connectors.queries import sync_issues
from connectors.wizard.forms.mapping import WordsForm
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Message, Ticket
from tests.connectors.test_engine import now, work
from workflows.handoffs import comments, engagements

pytestmark = pytest.mark.django_db
INTERNAL = "2"


def opened(agent: Actor) -> Ticket:
    return tickets.open_ticket(title="Printer down", description="It blinks.", actor=agent, at=now())


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    made = opened(agent)
    comments.comment(ticket=made, body="canary: looked at the spooler", is_for_all=True, actor=agent, at=now())
    return made


def hand(ticket: Ticket, connection: Connection, agent: Actor, where: str) -> Link:
    Mapping.objects.update(pack=where)
    NoteRule.objects.filter(theirs=INTERNAL).update(is_written_for_vendor=True)
    leg = engagements.offer(
        ticket=ticket, organisation=connection.organisation, actor=agent, at=now(), reason="You look after printers."
    )
    work()
    return Link.objects.get(leg=leg)


def made(tenant: Tenant, link: Link) -> dict[str, str]:
    return {name: str(value) for name, value in tenant.tickets[link.remote_key].items()}


def test_into_the_description(ticket: Ticket, connection: Connection, tenant: Tenant, agent: Actor) -> None:
    link = hand(ticket, connection, agent, "description")

    assert "canary" in made(tenant, link)["description"]
    assert not tenant.notes
    assert not tenant.files


def test_into_a_first_note_that_only_their_people_read(
    ticket: Ticket, connection: Connection, tenant: Tenant, agent: Actor
) -> None:
    link = hand(ticket, connection, agent, "note")
    [note] = tenant.notes.values()

    assert made(tenant, link)["description"] == "It blinks."
    assert str(note["publish"]) == INTERNAL
    assert "canary" in note["description"]
    assert "You look after printers." in note["description"]
    assert "It blinks." not in note["description"]
    Link.objects.update(is_dirty=True, next_look_at=None)
    work()
    assert Message.objects.count() == 1  # read back, it is ours and said to nobody
    assert compare.differences(link) == []


def test_into_a_file_that_holds_all_of_it(ticket: Ticket, connection: Connection, tenant: Tenant, agent: Actor) -> None:
    for number in range(60):
        comments.comment(ticket=ticket, body=f"finding {number} " + "x" * 200, is_for_all=True, actor=agent, at=now())
    link = hand(ticket, connection, agent, "file")
    with registry.ready(link.connection) as connector:
        fetched = connector.fetch(link.remote_key)
        content = connector.content(link.remote_key, fetched.files[0]).decode()

    assert made(tenant, link)["description"] == "It blinks."
    assert fetched.files[0].name == f"{ticket.label} hand-off.txt"
    assert all(f"finding {number} " in content for number in range(60))
    assert "left out" not in content
    assert compare.differences(link) == []


def test_a_ticket_of_which_nothing_else_is_known_needs_no_note(
    connection: Connection, tenant: Tenant, agent: Actor
) -> None:
    Mapping.objects.update(pack="note")
    made = opened(agent)
    engagements.offer(ticket=made, organisation=connection.organisation, actor=agent, at=now())
    work()

    assert len(tenant.tickets) == 1
    assert not tenant.notes


def test_what_was_queued_decides_not_the_mapping_of_later(
    ticket: Ticket, connection: Connection, tenant: Tenant, agent: Actor
) -> None:
    """Told twice or not at all would both be wrong."""
    Mapping.objects.update(pack="note")
    NoteRule.objects.filter(theirs=INTERNAL).update(is_written_for_vendor=True)
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    Mapping.objects.update(pack="description")
    work()

    [note] = tenant.notes.values()
    assert "canary" in note["description"]
    assert "canary" not in str(next(iter(tenant.tickets.values()))["description"])


def test_a_pack_that_cannot_be_sent_is_parked_by_its_name_and_can_be_said(
    ticket: Ticket, connection: Connection, tenant: Tenant, agent: Actor
) -> None:
    link = hand(ticket, connection, agent, "file")
    row = link.outbound.get(kind=Outbound.Kind.FILE)
    Outbound.objects.filter(pk=row.pk).update(state=Outbound.State.PARKED, error="too large")
    [stuck] = sync_issues.stuck(connection=link.connection)
    assert stuck.title == f"Hand-off pack for {link.leg.organisation} is parked"
    said = parked_items.say_as_comment(row, actor=agent)
    assert "canary" in said.body
    assert [leg.pk for leg in said.legs.all()] == [link.leg_id]


class Refusing(OutboundConnector):
    """A system that has no notes and no files."""

    slug, label = "refusing", "Refusing"

    def __init__(self) -> None:
        super().__init__({}, Ports(open_http=lambda **_: pytest.fail("no call"), now=now, memory={}))

    def push(self, change: Change) -> Pushed:
        raise Unsupported(f"It has no {change.kind}s.")


@pytest.mark.parametrize(
    ("where", "lane", "error"),
    [
        (
            "note",
            Lane.NOTES,
            "The system of %s does not accept the hand-off pack as a note: It has no notes. Send this pack manually "
            "and skip it here, and choose another place for the pack in the mapping.",
        ),
        (
            "file",
            Lane.FILES,
            "The system of %s does not accept the hand-off pack as a file: It has no files. Send this pack as a "
            "comment or manually, and choose another place for the pack in the mapping.",
        ),
    ],
)
def test_a_pack_that_their_system_has_no_place_for_waits_for_a_person(
    ticket: Ticket, connection: Connection, tenant: Tenant, agent: Actor, where: str, lane: Lane, error: str
) -> None:
    Mapping.objects.update(pack=where)
    NoteRule.objects.filter(theirs=INTERNAL).update(is_written_for_vendor=True)
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    link = Link.objects.get()
    link.outbound.filter(kind=Outbound.Kind.CREATE).update(state=Outbound.State.DONE)

    sender.Sender(link, Refusing()).send_lane(lane)

    item = link.outbound.get(lane=lane)
    assert (item.state, item.error) == (Outbound.State.PARKED, error % link.leg.organisation)
    assert item.pk in [row.row_id for row in sync_issues.stuck(connection=connection) if row.kind == "outbound"]


@pytest.mark.parametrize(
    ("where", "readers", "text"),
    [
        ("description", "customer's own people", ""),
        ("note", "“Internal”", "canary"),
        ("file", "“Internal”", "It blinks."),
    ],
)
def test_the_wizard_shows_it_before_going_live(
    ticket: Ticket, connection: Connection, agent: Actor, where: str, readers: str, text: str
) -> None:
    Mapping.objects.update(pack=where)
    NoteRule.objects.filter(theirs=INTERNAL).update(is_written_for_vendor=True)
    with registry.ready(connection) as connector:
        [seen] = preview.seen_there(connector, published(connection), to=connection.organisation)
    description = next(pair.theirs for pair in seen.pairs if pair.field == "description")

    assert readers in preview.packed(published(connection)).readers
    assert text in seen.pack
    assert ("canary" in description) == (where == "description")


def test_a_note_needs_a_place_that_only_they_read() -> None:
    notes = mapping_suggestions.notes([Choice(value="1", label="Public"), Choice(value="2", label="Internal")])
    assert mapping_suggestions.pack(notes) == "note"
    assert mapping_suggestions.pack(notes[:1]) == "description"
    public = {"audience_0": "requester", "written_0": "on", "audience_1": "us"}
    for data, wrong in (({"pack": "note"}, {"pack"}), ({"pack": "note", "vendor_1": "on"}, set()), ({}, set())):
        assert WordsForm([], {}, {}, notes, public | data).errors.keys() == wrong
