"""A call costs one query, and what this process keeps of a connection never outlives a change of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from api import hooks
from connectors.autotask.webhooks import signature
from connectors.engine import backoff, connection_profiles, hook_calls, vault
from connectors.engine.inbound import reading, records
from connectors.engine.operations import publishing
from connectors.models import Connection, Inbound, Link, Profile
from connectors.models.connection import CONDITION
from hub.core.clock import now
from hub.domain import tickets
from hub.models import Organisation
from tests.connectors.rest.vendor import document
from worker import dispatcher
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


def call(connection: Connection, number: int, *, secret: str = "hook-secret", key: str = "7") -> int:
    body = json.dumps(
        {"Action": "Update", "Guid": "g", "EntityType": "Ticket", "Id": int(key), "SequenceNumber": number}
    ).encode()
    headers = {"X-Hook-Signature": signature(secret, body), "Content-Type": "application/json"}
    return hooks.stored(f"/hooks/{connection.public_id}/", headers, body).status_code


def revision(connection: Connection) -> int:
    return Connection.objects.values_list("revision", flat=True).get(pk=connection.pk)


def statements(act: Any) -> list[str]:
    with CaptureQueriesContext(database) as captured:
        act()
    return [query["sql"].split()[0] for query in captured]


def test_the_call_of_a_known_connection_is_one_statement(connection: Connection) -> None:
    assert call(connection, 1) == 202
    assert statements(lambda: call(connection, 2)) == ["INSERT"]
    assert Inbound.objects.count() == 2

    Connection.objects.filter(pk=connection.pk).update(name="Another")
    assert statements(lambda: call(connection, 3)) == ["INSERT", "SELECT", "SELECT", "INSERT"]  # and known again
    assert statements(lambda: call(connection, 4)) == ["INSERT"]
    assert Inbound.objects.count() == 4


def test_a_valid_call_forgets_the_rejected_ones_before(connection: Connection) -> None:
    assert [call(connection, 1), call(connection, 2, secret="wrong"), call(connection, 2)] == [202, 401, 202]
    connection.refresh_from_db()
    assert (connection.rejected_hooks, connection.rejected_before) == (1, 1)
    assert statements(lambda: call(connection, 3)) == ["INSERT"]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_session_that_the_database_has_closed_costs_no_call(connection: Connection) -> None:
    assert call(connection, 1) == 202
    database.ensure_connection()
    assert database.connection is not None
    database.connection.close()
    assert call(connection, 2) == 202
    assert Inbound.objects.count() == 2


def test_a_call_that_is_delivered_twice_is_stored_once(connection: Connection) -> None:
    assert [call(connection, 1), call(connection, 1), call(connection, 2)] == [202, 202, 202]
    assert Inbound.objects.count() == 2


def test_an_unknown_connection_takes_the_long_way_and_a_known_one_does_not(connection: Connection) -> None:
    path = f"/hooks/{connection.public_id}/"
    assert not hooks.is_known(path, ["X-Hook-Signature"])
    call(connection, 1)

    assert hooks.is_known(path, ["X-Hook-Signature"])
    assert not hooks.is_known(path, ["Content-Type"])  # nothing says that it is signed
    assert not hooks.is_known(path + "wrong/", ["X-Hook-Signature"])
    assert not hooks.is_known(path + "deactivated/", ["X-Hook-Signature"])
    assert not hooks.is_known(path.rstrip("/"), ["X-Hook-Signature"])
    assert not hooks.is_known("/hooks//", ["X-Hook-Signature"])


@pytest.mark.parametrize("name", ["", "\x00", "a b", "ä" * 26, "\udce4", "x" * 65])
def test_a_path_that_is_no_id_is_404(us: Organisation, name: str) -> None:
    assert hooks.stored(f"/hooks/{name}/", {}, b"{}").status_code == 404
    assert hooks.stored(f"/hooks/{'0' * 26}/{name}/", {}, b"{}").status_code == 404


def test_a_new_secret_counts_for_the_next_call(connection: Connection) -> None:
    assert call(connection, 1) == 202
    fresh = Connection.objects.get(pk=connection.pk)
    vault.seal(fresh, vault.unseal(fresh) | {"hook_secret": "another"})
    fresh.save(update_fields=["sealed"])

    assert call(connection, 2) == 401
    assert call(connection, 2, secret="another") == 202
    vault.keep(connection, "hook_secret", "renewed")
    assert call(connection, 3, secret="another") == 401
    assert call(connection, 3, secret="renewed") == 202


def test_an_archived_connection_is_gone_for_the_next_call(connection: Connection) -> None:
    assert call(connection, 1) == 202
    Connection.objects.filter(pk=connection.pk).update(state=Connection.State.ARCHIVED)
    assert call(connection, 2) == 404


def test_whatever_changes_a_connection_makes_a_new_revision(connection: Connection) -> None:
    def changes(act: Any) -> bool:
        before = revision(connection)
        act()
        return revision(connection) > before

    fresh = Connection.objects.get(pk=connection.pk)
    assert changes(fresh.save)
    assert changes(lambda: fresh.save(update_fields=["settings"]))
    assert changes(lambda: fresh.save(update_fields=["memory"]))  # a secret that the connector learned lies there
    assert changes(lambda: Connection.objects.filter(pk=connection.pk).update(name="Another"))
    assert changes(lambda: vault.keep(connection, "secret", "renewed"))
    assert changes(lambda: backoff.lock_out(connection, "Refused."))
    assert changes(lambda: publishing.resume(connection))
    assert not changes(lambda: hook_calls.count(connection, "rejected_hooks"))
    assert not changes(lambda: fresh.save(update_fields=["cursor", "last_in_at"]))


def test_a_stale_copy_does_not_turn_the_revision_back(connection: Connection) -> None:
    stale = Connection.objects.get(pk=connection.pk)
    for name in ("One", "Two", "Three"):
        Connection.objects.filter(pk=connection.pk).update(name=name)
    before = revision(connection)
    stale.save()
    assert revision(connection) > before


def test_another_profile_and_an_edited_one_make_a_new_revision(us: Organisation) -> None:
    def profile(version: int) -> Profile:
        return Profile.objects.create(
            connector="rest", slug="desk", name="Desk", version=version, document=document(), status="published"
        )

    made = Connection.objects.create(name="Desk", organisation=us, connector="rest", profile=profile(1))
    seen = [revision(made)]
    made.profile.document += "\n"
    made.profile.save(update_fields=["document"])
    seen.append(revision(made))
    connection_profiles.move(made, profile(2))
    seen.append(revision(made))
    assert seen == sorted(set(seen))


def test_every_field_is_either_condition_or_counted() -> None:
    """A new field counts as a change unless it is named among those that say how a connection fares."""
    names = {field.name for field in Connection._meta.concrete_fields}
    assert names >= CONDITION
    assert names - CONDITION >= {"state", "settings", "sealed", "memory", "connector", "profile", "public_id", "share"}


def test_one_fetch_covers_all_calls_about_the_record_that_waited(
    connection: Connection, simulator: Any, tenant: Any, agent: Any
) -> None:
    """Ten calls of a storm are one fetch; a call that arrives during the fetch is read by itself."""
    ticket = tickets.open_ticket(title="Storm", actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    dispatcher.drain()
    key = Link.objects.get(leg__ticket=ticket).remote_key
    for number in range(10):
        assert call(connection, number, key=key) == 202
    fetched = []
    read = records.read

    def watched(row: Inbound, system: Any) -> Any:
        fetched.append(row.pk)
        found = read(row, system)
        if len(fetched) == 1:
            assert call(connection, 99, key=key) == 202
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "read", watched)
        first = Inbound.objects.filter(kind="hook").order_by("pk").values_list("pk", flat=True)
        reading.read(inbound_id=first[0])
        assert Inbound.objects.filter(kind="hook", state="new").count() == 1
        dispatcher.drain()
    assert len(fetched) == 2
    assert set(Inbound.objects.filter(kind="hook").values_list("state", flat=True)) == {"done"}
