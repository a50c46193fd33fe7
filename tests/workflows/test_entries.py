"""What a new vendor may read of the past: of its predecessor's tickets what later organisations may see, no more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from hub.core.clock import now
from hub.core.ids import new_ulid
from hub.domain import history, history_sharing, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.models import Attachment, HistoryImport, HistoryShare, Leg, Message, Organisation, Ticket
from hub.queries import permissions
from tests import factories
from tests.console.test_pages import log_in
from tests.workflows.building import AT
from workflows.handoffs import engagements, returns, stages
from workflows.lifecycle import transitions
from workflows.models import VendorSwitch
from workflows.vendor_change import export, importing, switch
from workflows.vendor_change import package as export_package

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(hours=1)


@pytest.fixture
def leaves(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Hostwerk")


@pytest.fixture
def comes(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Beta Hosting")


@pytest.fixture
def reader(comes: Organisation) -> Client:
    return log_in(factories.member("vendor", comes))


@pytest.fixture
def past(agent: Actor, leaves: Organisation) -> Ticket:
    """A ticket of the past with something of everything: told to later ones, to the vendor alone, to nobody."""
    asker = factories.PersonFactory(name="Priya Natarajan")
    ticket = tickets.open_ticket(title="VPN down", description="No VPN.", requester=asker, actor=agent, at=AT)
    leg = engagements.offer(ticket=ticket, organisation=leaves, actor=agent, at=AT)
    theirs = Actor.vendor(leaves)
    leg = stages.accept(leg=leg, actor=theirs, at=AT + timedelta(minutes=5))
    told = messages.say(
        ticket=ticket,
        body="It is the gateway.",
        actor=theirs,
        legs=[leg],
        is_for_later_legs=True,
        at=AT + timedelta(minutes=6),
    )
    messages.attach(message=told, name="log.txt", content=b"the log", actor=theirs, at=AT + timedelta(minutes=6))
    messages.say(ticket=ticket, body="canary: for them alone", actor=agent, legs=[leg], at=AT + timedelta(minutes=7))
    messages.say(ticket=ticket, body="canary: us only", actor=agent, at=AT + timedelta(minutes=7))
    messages.say(
        ticket=ticket, body="canary: requester", is_for_requester=True, actor=agent, at=AT + timedelta(minutes=8)
    )
    messages.say(
        ticket=ticket,
        body="It blinks.",
        requester=asker,
        actor=agent,
        legs=[leg],
        is_for_later_legs=True,
        at=AT + timedelta(minutes=8),
    )
    gone = messages.say(
        ticket=ticket,
        body="canary: taken back",
        actor=theirs,
        legs=[leg],
        is_for_later_legs=True,
        at=AT + timedelta(minutes=8),
    )
    messages.withdraw(message=gone, reason="wrong ticket", actor=theirs, at=AT + timedelta(minutes=9))
    stages.finish(leg=leg, resolution="Gateway replaced.", actor=theirs, at=AT + timedelta(minutes=30))
    other = factories.OrganisationFactory(name="Slowcorp")
    second = engagements.offer(
        ticket=ticket, organisation=other, is_lead=False, actor=agent, at=AT + timedelta(minutes=31)
    )
    engagements.recall(leg=second, reason="canary: too slow", actor=agent, at=AT + timedelta(minutes=32))
    fresh = Ticket.objects.get(pk=ticket.pk)
    transitions.move(
        ticket=fresh, name="resolve", reason="canary: our words", actor=agent, at=AT + timedelta(minutes=33)
    )
    # A word of thanks after the end, as there often is.
    messages.say(
        ticket=ticket,
        body="Thanks.",
        requester=asker,
        actor=agent,
        legs=[leg],
        is_for_later_legs=True,
        at=AT + timedelta(minutes=40),
    )
    return Ticket.objects.get(pk=ticket.pk)


def read_by(reader: Client, ticket: Ticket) -> str:
    answer = reader.get(ticket.get_absolute_url())
    assert answer.status_code == 200
    return answer.content.decode()


def switched(leaves: Organisation, comes: Organisation, *services: Any, **more: Any) -> VendorSwitch:
    made = VendorSwitch.objects.create(
        leaves=leaves, comes=comes, effective_at=LATER, reason="The contract ends.", shares_history=True, **more
    )
    made.services.set(services)
    switch.confirm(made, at=LATER)
    switch.run(switch_id=made.pk, at=LATER)
    return VendorSwitch.objects.get(pk=made.pk)


# -- shared by a switch


def test_who_takes_over_reads_the_past_and_nothing_internal(
    past: Ticket, leaves: Organisation, comes: Organisation, reader: Client
) -> None:
    assert reader.get(past.get_absolute_url()).status_code == 404

    assert switched(leaves, comes).state == "done"

    page = read_by(reader, past)
    assert "It is the gateway." in page
    assert "It blinks." in page
    assert "Gateway replaced." in page
    assert "History: you can read this ticket because your organisation" in page
    assert "canary" not in page
    assert "Priya" not in page
    assert "Mona" not in page
    assert past.label in reader.get("/tickets/?show=all").content.decode()
    file = Attachment.objects.get()
    assert reader.get(reverse("console:attachment", args=[file.public_id])).getvalue() == b"the log"


@pytest.mark.parametrize("act", ["move", "hand_over", "comment", "reply"])
def test_the_past_cannot_be_changed_by_its_reader(
    past: Ticket, leaves: Organisation, comes: Organisation, reader: Client, act: str
) -> None:
    switched(leaves, comes)
    events = past.events.count()

    answer = reader.post(reverse(f"console:{act}", args=[past.public_id]), {"move": "reopen", "body": "x"})

    assert answer.status_code == 403
    assert past.events.count() == events


def test_a_switch_for_some_services_shares_theirs_alone(
    past: Ticket, leaves: Organisation, comes: Organisation, reader: Client, agent: Actor
) -> None:
    payroll = factories.ServiceFactory()
    other = tickets.open_ticket(title="Payslip", service=payroll, actor=agent, at=AT)
    returns.decline(
        leg=engagements.offer(ticket=other, organisation=leaves, actor=agent, at=AT),
        reason="No",
        actor=Actor.vendor(leaves),
        at=AT,
    )
    transitions.move(ticket=Ticket.objects.get(pk=other.pk), name="cancel", actor=agent, at=AT)

    switched(leaves, comes, payroll)

    assert read_by(reader, other)
    assert reader.get(past.get_absolute_url()).status_code == 404


def test_what_goes_over_is_not_shared_besides(leaves: Organisation, comes: Organisation, agent: Actor) -> None:
    ticket = tickets.open_ticket(title="Open still", actor=agent, at=AT)
    engagements.offer(ticket=ticket, organisation=leaves, actor=agent, at=AT)

    assert switched(leaves, comes).state == "done"

    assert Leg.objects.filter(ticket=ticket, organisation=comes).exists()
    assert not HistoryShare.objects.exists()


def test_what_is_not_over_is_not_past(leaves: Organisation, comes: Organisation, agent: Actor) -> None:
    ticket = tickets.open_ticket(title="Another has it now", actor=agent, at=AT)
    returns.decline(
        leg=engagements.offer(ticket=ticket, organisation=leaves, actor=agent, at=AT),
        reason="No",
        actor=Actor.vendor(leaves),
        at=AT,
    )

    assert switched(leaves, comes).state == "done"

    assert not HistoryShare.objects.exists()


def test_what_comes_after_it_was_shared_is_not_past_either(
    past: Ticket, leaves: Organisation, comes: Organisation, reader: Client, agent: Actor
) -> None:
    """The ticket is reopened and goes to a third vendor: the reader stays with what was."""
    switched(leaves, comes)
    later, third = LATER + timedelta(hours=1), factories.OrganisationFactory(name="Thirdcorp")
    transitions.move(ticket=Ticket.objects.get(pk=past.pk), name="reopen", actor=agent, at=later)
    leg = engagements.offer(ticket=Ticket.objects.get(pk=past.pk), organisation=third, actor=agent, at=later)
    messages.say(
        ticket=past,
        body="canary: for those after",
        legs=[leg],
        is_for_later_legs=True,
        actor=Actor.vendor(third),
        at=later,
    )

    page = read_by(reader, past)

    assert "It is the gateway." in page
    assert "canary" not in page
    assert "Thirdcorp" not in page


def test_without_the_wish_nothing_is_shared(past: Ticket, leaves: Organisation, comes: Organisation) -> None:
    made = VendorSwitch.objects.create(leaves=leaves, comes=comes, effective_at=LATER, reason="r")
    switch.run(switch_id=made.pk, at=LATER)
    assert not HistoryShare.objects.exists()


def test_an_admin_ends_it_and_what_was_stays_known(
    past: Ticket, leaves: Organisation, comes: Organisation, reader: Client
) -> None:
    switched(leaves, comes)
    admin = Client()
    admin.force_login(factories.UserFactory(is_staff=True, is_superuser=True))
    share = HistoryShare.objects.get()
    pages = [
        reverse("admin:workflows_switch", args=[VendorSwitch.objects.get().pk]),
        reverse("admin:hub_historyshare_changelist"),
    ]
    assert "can read 1 past ticket" in admin.get(pages[0]).content.decode()
    assert past.label in admin.get(pages[1]).content.decode()

    admin.post(pages[1], {"action": "end", "_selected_action": [share.pk]})

    assert reader.get(past.get_absolute_url()).status_code == 404
    share.refresh_from_db()
    assert share.ended_at is not None
    # Shared anew it is a row of its own.
    assert history_sharing.share([past], organisation=comes, why="again", by=None, at=now()) == 1
    assert history_sharing.share([past], organisation=comes, why="again", by=None, at=now()) == 0
    assert read_by(reader, past)


# -- brought by a package


def packed(leaves: Organisation, folder: Path, audience: str = "successor") -> Path:
    export.export(leaves, folder, audience=audience, at=LATER)
    return folder


def reworked(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """A file of the package changed by somebody who knows the manifest."""
    path = folder / f"{name}.json"
    rows = json.loads(path.read_text())
    change(rows)
    rewritten(folder, path, json.dumps(rows).encode())


def rewritten(folder: Path, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def renamed(folder: Path, **more: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | more))


@pytest.fixture
def foreign(past: Ticket, leaves: Organisation, tmp_path: Path) -> Path:
    """The package of a hub elsewhere: the same, with ids that nobody here has."""
    folder = packed(leaves, tmp_path / "entry")
    ids: dict[str, str] = {}

    def anew(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["id"] = ids.setdefault(row["id"], new_ulid())
            row["message"] = ids.get(row.get("message", ""), "")

    for name in ("tickets", "messages", "attachments"):
        reworked(folder, name, anew)
    return folder


def test_a_package_of_this_hub_shares_what_is_here(
    past: Ticket, leaves: Organisation, comes: Organisation, reader: Client, tmp_path: Path
) -> None:
    folder = packed(leaves, tmp_path / "entry")
    call_command("import_vendor", str(folder), organisation=comes.name, dry_run=True)
    assert not HistoryShare.objects.exists()

    call_command("import_vendor", str(folder), organisation=comes.name)

    assert "It is the gateway." in read_by(reader, past)
    assert Ticket.objects.count() == 1


def test_a_package_from_elsewhere_becomes_history_that_holds(
    foreign: Path, past: Ticket, comes: Organisation, leaves: Organisation, reader: Client
) -> None:
    found = importing.bring(export_package.read(foreign), organisation=comes, by=None, at=now())

    made = Ticket.objects.exclude(pk=past.pk).get()
    assert (len(found.new), found.shared, made.is_history) == (1, 1, True)
    assert (made.source_number, made.title, made.opened_at) == (past.label, "VPN down", AT)
    assert (made.phase, made.requester) == (past.phase, None)
    assert history.verify(made) is None
    assert ledger.verify(made) == []
    last = made.ledger.order_by("-from_at").first()
    assert last is not None
    assert (made.holder, made.hold_reason) == (last.holder, last.reason)
    call_command("verify_ledger")
    segments = list(made.ledger.order_by("from_at").values_list("holder__name", "from_at"))
    assert ("Hostwerk", AT) in segments
    page = read_by(reader, made)
    assert "It is the gateway." in page
    assert "canary" not in page
    assert Attachment.objects.get(ticket=made).name == "log.txt"
    # Once more is nothing more, for this vendor or another.
    again = importing.bring(export_package.read(foreign), organisation=comes, by=None, at=now())
    assert (len(again.new), len(again.here), again.shared) == (0, 1, 0)
    third = factories.OrganisationFactory(name="Third")
    assert importing.bring(export_package.read(foreign), organisation=third, by=None, at=now()).shared == 1
    assert Ticket.objects.count() == 2
    assert HistoryImport.objects.get().status == "done"


def test_our_own_whole_export_brings_only_what_is_for_later(
    past: Ticket, leaves: Organisation, comes: Organisation, tmp_path: Path
) -> None:
    package = export_package.read(packed(leaves, tmp_path / "exit", "us"))

    assert [row["body"] for rows in package.messages.values() for row in rows] == [
        "It is the gateway.",
        "It blinks.",
        "Thanks.",
    ]


def test_a_package_opens_no_ticket_its_vendor_never_worked_on(
    past: Ticket, leaves: Organisation, comes: Organisation, agent: Actor, reader: Client, tmp_path: Path
) -> None:
    secret = tickets.open_ticket(title="Ours alone", actor=agent, at=AT)
    folder = packed(leaves, tmp_path / "entry")
    reworked(folder, "tickets", lambda rows: rows[0].update(id=secret.public_id))

    found = importing.bring(export_package.read(folder), organisation=comes, by=None, at=now())

    assert (found.strange, found.shared) == ([secret.label], 0)
    assert reader.get(secret.get_absolute_url()).status_code == 404


def test_a_package_opens_nothing_that_another_vendor_s_brought(
    foreign: Path, past: Ticket, comes: Organisation, tmp_path: Path
) -> None:
    importing.bring(export_package.read(foreign), organisation=comes, by=None, at=now())
    brought = Ticket.objects.get(imported_from__isnull=False)
    manifest = json.loads((foreign / "manifest.json").read_text())
    manifest |= {"vendor": "Somebody Else", "vendor_id": new_ulid()}
    (foreign / "manifest.json").write_text(json.dumps(manifest))
    third = factories.OrganisationFactory(name="Third")

    found = importing.bring(export_package.read(foreign), organisation=third, by=None, at=now())

    assert (found.strange, found.shared) == ([brought.label], 0)


def test_what_is_open_here_is_no_history_to_share(
    agent: Actor, leaves: Organisation, comes: Organisation, tmp_path: Path
) -> None:
    ticket = tickets.open_ticket(title="Open still", actor=agent, at=AT)
    engagements.offer(ticket=ticket, organisation=leaves, actor=agent, at=AT)

    found = importing.bring(export_package.read(packed(leaves, tmp_path / "x")), organisation=comes, by=None, at=now())

    assert (found.open, found.shared) == ([ticket.label], 0)


def test_a_bringing_that_was_stopped_goes_on(
    foreign: Path, past: Ticket, comes: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(rows: list[dict[str, Any]]) -> None:
        rows += [rows[0] | {"id": new_ulid(), "number": f"OLD-{n}"} for n in range(4)]

    reworked(foreign, "tickets", more)
    monkeypatch.setattr(importing, "BATCH", 2)
    whole = importing._Bringer.write
    calls: list[int] = []

    def cut(self: Any, chunk: Any) -> Any:
        calls.append(len(chunk))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, chunk)

    monkeypatch.setattr(importing._Bringer, "write", cut)
    with pytest.raises(KeyboardInterrupt):
        importing.bring(export_package.read(foreign), organisation=comes, by=None, at=now())
    assert Ticket.objects.filter(imported_from__isnull=False).count() == 2

    importing.bring(export_package.read(foreign), organisation=comes, by=None, at=now())

    made = Ticket.objects.filter(imported_from__isnull=False)
    assert (made.count(), HistoryShare.objects.count()) == (5, 5)
    assert HistoryImport.objects.get().tickets_done == 5


BAD: list[tuple[str, Callable[[Path], object], str]] = [
    ("changed", lambda f: (f / "tickets.json").write_text("[]"), "tickets.json was changed"),
    ("no manifest", lambda f: (f / "manifest.json").unlink(), "cannot be read"),
    ("no table", lambda f: rewritten(f, f / "tickets.json", b"{"), "tickets.json cannot be read"),
    ("deep", lambda f: rewritten(f, f / "messages.json", b"[" * 100_000), "messages.json cannot be read"),
    ("a number", lambda f: rewritten(f, f / "tickets.json", b"5"), "row 1: expected an object"),
    ("no row", lambda f: reworked(f, "tickets", lambda rows: rows.append(7)), "row 2: expected an object"),  # type: ignore[arg-type]
    ("id", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(id="../x")), "row 1, id"),
    ("title", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(title="x" * 256)), "row 1, title"),
    ("zero", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(title="a\x00b")), "row 1, title"),
    ("half", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(title="\ud800")), "row 1, title"),
    ("whose", lambda f: renamed(f, vendor="a\x00b"), "the vendor's name or id is missing or invalid"),
    ("whose id", lambda f: renamed(f, vendor_id=7), "the vendor's name or id is missing or invalid"),
    ("phase", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(phase="gone")), "row 1, phase"),
    ("list", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(kind=["incident"])), "row 1, kind"),
    ("date", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(opened_at="soon")), "row 1, opened_at"),
    ("ahead", lambda f: reworked(f, "tickets", lambda rows: rows[0].update(opened_at="2999-01-01T00:00Z")), "future"),
    (
        "before",
        lambda f: reworked(f, "messages", lambda rows: rows[0].update(at="0001-01-01T00:00Z")),
        "Enter a time after 1970 that is not in the future.",
    ),
    ("twice", lambda f: reworked(f, "tickets", lambda rows: rows.append(rows[0])), "appears twice"),
    ("loose", lambda f: reworked(f, "messages", lambda rows: rows[0].update(ticket="TH-0")), "there is no ticket TH-0"),
    ("file", lambda f: reworked(f, "attachments", lambda rows: rows[0].update(size=1)), "is missing or was changed"),
    ("sha", lambda f: reworked(f, "attachments", lambda rows: rows[0].update(sha256="../../x")), "row 1, sha256"),
]


@pytest.mark.parametrize("name", ["tickets", "ledger", "events"])
def test_a_whole_export_with_a_table_that_makes_no_sense_is_refused_in_words(
    past: Ticket, leaves: Organisation, tmp_path: Path, name: str
) -> None:
    folder = packed(leaves, tmp_path / "exit", "us")
    rewritten(folder, folder / f"{name}.json", b'[{"x": 1}, 7]')

    with pytest.raises(export_package.NotBrought, match="cannot be compared"):
        export_package.read(folder)


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_package_that_makes_no_sense_is_refused_whole(
    foreign: Path, comes: Organisation, change: Callable[[Path], object], said: str
) -> None:
    before = (Ticket.objects.count(), Message.objects.count())
    change(foreign)

    with pytest.raises(CommandError, match="Nothing was imported") as refused:
        call_command("import_vendor", str(foreign), organisation=comes.name)

    assert said in str(refused.value)
    assert (Ticket.objects.count(), Message.objects.count()) == before
    assert not HistoryShare.objects.exists()


def test_messages_that_stand_elsewhere_are_refused(foreign: Path, past: Ticket, comes: Organisation) -> None:
    here = Message.objects.get(body="It is the gateway.").public_id
    reworked(foreign, "messages", lambda rows: rows[0].update(id=here))

    with pytest.raises(export_package.NotBrought, match="already belongs to another ticket"):
        importing.bring(export_package.read(foreign), organisation=comes, by=None, at=now())
    assert Ticket.objects.count() == 1


def test_a_reader_of_the_past_is_no_reader_once_engaged(
    past: Ticket, leaves: Organisation, comes: Organisation, agent: Actor
) -> None:
    user = factories.member("vendor", comes)
    history_sharing.share([past], organisation=comes, why="w", by=None, at=now())
    assert permissions.shared_until(user, past) is not None
    transitions.move(ticket=past, name="reopen", actor=agent, at=AT + timedelta(hours=2))

    engagements.offer(ticket=Ticket.objects.get(pk=past.pk), organisation=comes, actor=agent, at=now())

    assert permissions.shared_until(user, past) is None
