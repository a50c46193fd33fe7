"""A system reached by a profile, through the whole engine; the profile's versions; its pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from connectors.engine import connection_profiles, hooks, profiles, registry
from connectors.engine.inbound import polling, snapshots
from connectors.engine.operations.capability_check import Bench
from connectors.models import AwaitedFile, Connection, Inbound, Link, Profile
from connectors.rest import simulator as double
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Stage, Ticket
from tests import factories
from tests.connectors.rest import journey
from worker import dispatcher
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


def test_the_journey_on_the_double(agent: Actor, settings: Any) -> None:
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    with journey.serving(app, settings) as server:
        connection = journey.connected(server, key=tenant.api_key, project="1")
        journey.travel(server, connection, app, "redmine.test", agent)


# -- profiles in their versions


def test_a_shipped_profile_is_taken_in_once_and_published_ones_never_change() -> None:
    slug, first = connection_profiles.chosen("rest:redmine")
    assert first is not None
    assert (slug, first.version, first.status, first.is_shipped) == ("rest", 1, "published", True)
    assert connection_profiles.chosen("rest:redmine") == (slug, first)

    draft = profiles.new_version(first)
    draft.document = draft.document.replace('name = "Redmine"', 'name = "Redmine of ours"')
    draft.save()
    profiles.publish(draft)
    first.refresh_from_db()
    assert (first.status, connection_profiles.chosen("rest:redmine")[1]) == ("retired", draft)
    with pytest.raises(ValueError, match=r"cannot be changed\. Create a new draft"):
        profiles.publish(first)


def test_a_connection_stays_on_its_version_until_it_is_moved(agent: Actor, settings: Any) -> None:
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    with journey.serving(app, settings) as server:
        connection = journey.connected(server, key=tenant.api_key, project="1")
        assert connection.profile is not None
        newer = profiles.new_version(connection.profile)
        newer.document = newer.document.replace('name = "Redmine"', 'name = "Newer"')
        newer.save()
        profiles.publish(newer)
        assert registry.kind_of(connection).label == "Redmine"

        connection_profiles.move(connection, newer)
        connection.refresh_from_db()
        assert registry.kind_of(connection).label == "Newer"


def test_a_fault_of_the_profile_in_fetching_files_stops_nothing_else(agent: Actor, settings: Any) -> None:
    """What it says of the address comes to nothing: notes and status go on, and the file says why it is not here."""
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    with journey.serving(app, settings) as server:
        connection = journey.connected(server, key=tenant.api_key, project="1")
        assert connection.profile is not None
        newer = profiles.new_version(connection.profile)
        newer.document = newer.document.replace("/download/{file.id}", "/download/{file.nowhere}")
        newer.save()
        connection_profiles.move(connection, profiles.publish(newer))
        at = datetime.now(UTC).replace(microsecond=0)
        ticket = tickets.open_ticket(title="Jam", requester=factories.PersonFactory(), actor=agent, at=at)
        engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=at)
        dispatcher.drain(most=5)
        key = Link.objects.get().remote_key
        app.act("redmine.test", "file", ticket=key, by="7", name="trace.txt", text="abc")
        app.act("redmine.test", "note", ticket=key, by="7", text="see the trace")
        app.act("redmine.test", "set", ticket=key, by="7", status=2)
        journey.due()
        dispatcher.drain(most=5)

    assert Message.objects.filter(ticket=ticket, body="see the trace").exists()
    assert Link.objects.get().heard["status"] == "2"
    waiting = AwaitedFile.objects.get()
    assert waiting.name == "trace.txt"
    assert waiting.why == "This file cannot be requested: A part of the address is empty or leads outside the path."


def titles() -> list[str]:
    """What was read so far."""
    return [snapshots.load(bytes(row.body)).fields["title"] for row in Inbound.objects.order_by("pk")]


def test_what_changed_before_the_first_poll_or_while_the_version_was_changed_is_read(
    us: Organisation, admin_client: Client, settings: Any
) -> None:
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    morning = datetime(2026, 3, 2, 8, tzinfo=UTC)
    with journey.serving(app, settings) as server, time_machine.travel(morning, tick=False) as clock:
        made = journey.connected(server, key=tenant.api_key, project="1")
        Connection.objects.update(state=Connection.State.DRAFT, cursor="")
        app.act("redmine.test", "open", by="7", title="Of the time before")

        clock.shift(timedelta(hours=1))
        said = admin_client.post(f"/admin/connectors/connection/{made.pk}/look/", follow=True)
        clock.shift(timedelta(hours=1))
        app.act("redmine.test", "open", by="7", title="While nobody read yet")
        clock.shift(timedelta(hours=1))
        polling.poll(connection_id=made.pk)
        first = titles()

        clock.shift(timedelta(hours=1))
        app.act("redmine.test", "open", by="7", title="While the version was changed")
        clock.shift(timedelta(hours=1))
        assert made.profile is not None
        newer = profiles.new_version(made.profile)
        profiles.publish(newer)
        connection_profiles.move(made, newer)
        clock.shift(timedelta(hours=1))
        polling.poll(connection_id=made.pk)
        later = titles()

    assert "is live" in said.content.decode()
    assert first == ["While nobody read yet"]
    assert later == [*first, "While the version was changed"]


def without_times(document: str) -> str:
    """The profile as if the system told no times of its records, and could not be asked what changed."""
    for line in ('created_at = "item.created_on"\n', 'changed_at = "item.updated_on"\n'):
        document = document.replace(line, "", 1)  # the ticket's own come first
    document = document.replace('updated_on = ">={since}", sort = "updated_on:asc", ', "").replace(
        'paging = { style = "time"', 'paging = { style = "offset"'
    )
    return document.replace("[lacks]\n", '[lacks]\ncreated_at = "x"\nchanged_at = "x"\nchanged_since = "x"\n')


def test_where_no_times_are_told_what_differs_has_changed(us: Organisation, settings: Any) -> None:
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    with journey.serving(app, settings) as server:
        made = journey.connected(server, key=tenant.api_key, project="1")
        assert made.profile is not None
        Profile.objects.update(document=without_times(made.profile.document))
        Connection.objects.update(cursor="")
        made.refresh_from_db()
        app.act("redmine.test", "open", by="7", title="Of years ago")
        polling.begin(made)
        taken_in(made)
        assert not Ticket.objects.exists()

        key = str(app.act("redmine.test", "open", by="7", title="New one", status=2)["id"])
        taken_in(made)
        leg = Leg.objects.get()
        assert (leg.ticket.title, leg.stage) == ("New one", Stage.WORKING)
        stages = []
        for status in (4, 2, 4, 2, 3):  # the same again, and again
            app.act("redmine.test", "set", ticket=key, by="7", status=status)
            taken_in(made)
            leg = Leg.objects.get()
            stages.append(leg.stage)
        before = Inbound.objects.count()
        taken_in(made)

    assert stages == [Stage.WAITING, Stage.WORKING, Stage.WAITING, Stage.WORKING, Stage.DONE]
    assert Inbound.objects.count() == before
    assert leg.link.state == Link.State.ACTIVE


def taken_in(connection: Connection) -> None:
    """One poll, and everything that follows of it."""
    journey.due()
    polling.poll(connection_id=connection.pk)
    dispatcher.drain()


def test_a_record_without_sense_is_kept_however_long_its_id_is(us: Organisation, settings: Any) -> None:
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    with journey.serving(app, settings) as server:
        made = journey.connected(server, key=tenant.api_key, project="1")
        key = str(app.act("redmine.test", "open", by="7", title="Odd")["id"])
        tenant.tickets[key]["id"] = "7" * 300
        polling.poll(connection_id=made.pk)

    kept = Inbound.objects.get()
    assert (kept.state, kept.remote_key) == ("parked", "7" * 100)
    made.refresh_from_db()
    assert made.failures == 0


def test_what_cannot_be_read_does_not_go_live(us: Organisation, admin_client: Client, settings: Any) -> None:
    made = journey.connected(Nowhere(), key="k", project="1")
    made.connector, made.profile, made.cursor, made.state = "email", None, "", Connection.State.DRAFT
    made.settings = {"mailbox": "hub@here.test", "to": "desk@there.test", "imap_host": "127.0.0.1", "imap_port": "1"}
    made.save()

    said = admin_client.post(f"/admin/connectors/connection/{made.pk}/look/", follow=True).content.decode()

    made.refresh_from_db()
    assert "The connection could not go live, because reading failed: " in said
    assert made.state == Connection.State.DRAFT


def test_a_profile_that_cannot_be_used_stops_its_connection_in_words(settings: Any) -> None:
    made = journey.connected(Nowhere(), key="k", project="1")
    assert made.profile is not None
    Profile.objects.filter(pk=made.profile.pk).update(document="slug = 1")
    polling.poll(connection_id=made.pk)
    made.refresh_from_db()

    assert (made.state, "slug: Expected text, found a number" in made.last_error) == ("locked_out", True)


class Nowhere:
    port = 1

    def start(self) -> None:
        """Nothing runs there."""

    stop = start


def test_all_capabilities_are_tried_and_told(agent: Actor, settings: Any) -> None:
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    app.act("redmine.test", "open", by="7", title="Screen black")
    with journey.serving(app, settings) as server:
        connection = journey.connected(server, key=tenant.api_key, project="1")
        with registry.ready(connection) as connector:
            read = list(Bench(connector).tries(writes=False))
            before = len(tenant.tickets)
            written = list(Bench(connector, of=connection.public_id).tries(writes=True))
            tenant.forbidden = ["1", "2", "3", "4"]
            again = {one.what: one for one in Bench(connector, of=connection.public_id).tries(writes=True)}

    assert ({one.outcome for one in read}, before) == ({"works"}, 1)
    assert {one.what: one.outcome for one in written if one.outcome != "works"} == {}
    assert len(written) == 13
    assert len(tenant.tickets) == 2  # however often it is tried, one test ticket is left there
    assert "was created by an earlier trial" in again["creating a ticket"].told
    status = again["changing the status"]
    assert (status.outcome, "“" in status.told, "(" in status.told) == ("fails", True, True)  # which value was tried


def test_a_call_to_a_secret_path_is_let_in_only_there(agent: Actor, settings: Any) -> None:
    made = journey.connected(Nowhere(), key="k", project="1")
    assert made.profile is not None
    document = made.profile.document.replace(
        'hooks = "Redmine 4 and 5', 'reference = "x"\n[hook]\nkey = "answer.id"\n[unused]\nhooks = "Redmine 4 and 5'
    )
    document = document[: document.index("[unused]")].replace('[lacks]\nreference = "x"\n', "")
    Profile.objects.filter(pk=made.profile.pk).update(document=document)
    token = hooks.token(made)
    client = Client()
    body = {"data": b'{"id": 7}', "content_type": "application/json"}

    assert client.post(f"/hooks/{made.public_id}/", **body).status_code == 404
    assert client.post(f"/hooks/{made.public_id}/{'0' * 32}/", **body).status_code == 404
    assert client.post(f"/hooks/{made.public_id}/{token}/", **body).status_code == 202
    assert Inbound.objects.get().remote_key == "7"
    made.refresh_from_db()
    assert hooks.address(made, "https://hub.test") == f"https://hub.test/hooks/{made.public_id}/{token}/"
