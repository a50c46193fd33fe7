"""Notices: each once, none in a storm, none to whom does not want or cannot take them; digests and offers by mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from typing import Any

import pytest
import requests
import responses
import time_machine
from standardwebhooks.webhooks import Webhook

from connectors.email.simulated_lines import Tenant
from connectors.email.simulator import Simulator
from hub.core import crypto
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Ticket, User
from tests import factories
from worker import dispatcher
from workflows.handoffs import comments, engagements, guest_links, returns, vendor_mail
from workflows.models import Channel, Digest, Endpoint, Notice, NoticePreference, NoticeTemplate, Suppression
from workflows.notifications import delivery, notify, templates, webhooks
from workflows.notifications.notify import Told

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 16, 10, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def house(settings: Any) -> Iterator[Simulator]:
    """A mail server, and the desk of Cable & Co in it."""
    made = Simulator([Tenant(domain="cable.test", hub="nobody@cable.test")], base="", now=lambda: datetime.now(UTC))
    _imap, smtp = made.open()
    settings.MAIL_URL = f"smtp://127.0.0.1:{smtp}?tls=none"
    settings.MAIL_FROM = "Northwind IT <it@northwind.test>"
    yield made
    made.close()


def mails(house: Simulator) -> list[Any]:
    raws = house.act("cable.test", "mailbox")["mails"]
    return [message_from_string(raw, policy=policy.default) for raw in raws]


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    requester = factories.PersonFactory()
    made = tickets.open_ticket(title="Socket 4.12 is dead", requester=requester, actor=agent, at=MONDAY)
    return Ticket.objects.get(pk=made.pk)


@pytest.fixture
def manager(us: Organisation) -> User:
    return factories.member("manager", us, name="Mona", email="desk@cable.test")


@pytest.fixture
def cabler(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(
        name="Cable & Co", contact_email="desk@cable.test", time_zone="Europe/Berlin"
    )
    return made


def tell(key: str, user: User, ticket: Ticket, *, is_urgent: bool = True, kind: str = "escalation") -> list[Notice]:
    told = Told(key=key, kind=kind, ticket=ticket, why=f"Because of {key}", is_urgent=is_urgent)
    return notify.tell(told, notify.people([user]), at=MONDAY)


def test_a_notice_goes_out_once_by_mail_and_stands_in_the_console(
    house: Simulator, ticket: Ticket, manager: User
) -> None:
    assert len(tell("breach-1", manager, ticket)) == 2
    assert tell("breach-1", manager, ticket) == []
    dispatcher.drain(most=3)
    dispatcher.drain(most=3)

    [mail] = mails(house)
    assert mail["Subject"] == f"[{ticket.label}] Because of breach-1"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert f"/tickets/{ticket.public_id}/" in mail.get_content()
    assert set(Notice.objects.values_list("channel", "state")) == {("mail", "sent"), ("console", "sent")}


def test_a_thousand_events_in_a_minute_are_one_message(house: Simulator, ticket: Ticket, manager: User) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        tell("first", manager, ticket)
        dispatcher.drain(most=3)
        for number in range(1000):
            tell(f"storm-{number}", manager, ticket)
        dispatcher.drain(most=3)
        assert len(mails(house)) == 1
        clock.shift(61)
        dispatcher.drain(most=3)

    first, second = mails(house)
    assert "Because of first" in first["Subject"]
    assert second["Subject"].startswith("1000 notices")
    assert not Notice.objects.filter(state="ready").exists()
    assert Notice.objects.filter(channel="mail", state="merged").count() == 999


def test_what_a_person_wants_decides(house: Simulator, ticket: Ticket, manager: User, us: Organisation) -> None:
    us.calendar = factories.CalendarFactory(weekly=factories.OFFICE)
    us.save()
    NoticePreference.objects.create(user=manager, mail="never")
    assert [n.channel for n in tell("a", manager, ticket)] == ["console"]
    NoticePreference.objects.create(user=manager, kind="escalation", mail="daily", console=False)
    with time_machine.travel(MONDAY, tick=False):
        [daily] = tell("b", manager, ticket, is_urgent=False)
        [urgent] = tell("c", manager, ticket)
    assert daily.due_at == datetime(2026, 3, 17, 9, 0, tzinfo=UTC)
    assert urgent.due_at == MONDAY


def test_a_notice_is_written_in_the_language_of_its_recipient(ticket: Ticket, manager: User) -> None:
    for language, subject in (("en", "Overdue"), ("de", "Überfällig")):
        NoticeTemplate.objects.create(kind="breach", audience="us", language=language, subject=subject, body="{why}")
    greta = factories.member("manager", Organisation.objects.get(is_us=True), name="Greta")
    User.objects.filter(pk=greta.pk).update(language="de")
    greta.refresh_from_db()

    told = Told(key="late", kind="breach", ticket=ticket, why="too late")
    notify.tell(told, notify.people([manager, greta]), at=MONDAY)

    found = Notice.objects.filter(channel="mail").values_list("to", "subject")
    assert set(found) == {(manager.email, "Overdue"), (greta.email, "Überfällig")}


def test_quiet_hours_hold_what_is_not_urgent(ticket: Ticket, manager: User, us: Organisation) -> None:
    us.calendar = factories.CalendarFactory(weekly=factories.OFFICE)
    us.save()
    night = datetime(2026, 3, 16, 22, 0, tzinfo=UTC)
    with time_machine.travel(night, tick=False):
        found = {n.channel: n.due_at for n in tell("a", manager, ticket, is_urgent=False)}
    assert found == {"console": night, "mail": datetime(2026, 3, 17, 9, 0, tzinfo=UTC)}


def test_nothing_goes_to_a_bouncing_address(house: Simulator, ticket: Ticket, manager: User) -> None:
    tell("a", manager, ticket)
    dispatcher.drain(most=3)
    at = datetime.now(UTC)
    assert notify.bounced(["DESK@cable.test", "x@y.test"], diagnosis="5.1.1 unknown", at=at) == 1
    failed = Notice.objects.get(channel="mail")
    assert (failed.state, "5.1.1 unknown" in failed.why) == ("failed", True)

    tell("b", manager, ticket)
    dispatcher.drain(most=3)
    assert len(mails(house)) == 1
    assert Notice.objects.get(key__startswith="b:mail").state == "held"
    assert Suppression.objects.get().address == "desk@cable.test"


def test_a_mail_server_that_refuses_parks_the_notice_where_a_person_sees_it(
    house: Simulator, ticket: Ticket, us: Organisation, client: Any
) -> None:
    tell("a", factories.member("manager", us, email="nobody@elsewhere.test"), ticket)
    dispatcher.drain(most=3)
    notice = Notice.objects.get(channel="mail")
    assert (notice.state, "no such mailbox" in notice.why) == ("failed", True)

    client.force_login(factories.member("agent", us))
    assert "was not sent" in client.get("/sync/").content.decode()
    client.post(f"/sync/notice/{notice.pk}/retry/")
    assert Notice.objects.get(pk=notice.pk).state == "ready"


def test_without_a_mail_server_each_notice_says_so(ticket: Ticket, manager: User, settings: Any) -> None:
    settings.MAIL_URL = ""
    tell("a", manager, ticket)
    dispatcher.drain(most=3)
    assert "TICKETHUB_MAIL_URL" in Notice.objects.get(channel="mail").why


def test_a_server_that_is_away_is_tried_again_and_the_address_with_a_line_break_is_harmless(
    ticket: Ticket, manager: User, settings: Any
) -> None:
    settings.MAIL_URL = "smtp://127.0.0.1:1?tls=none"
    Ticket.objects.filter(pk=ticket.pk).update(title="x\r\nBcc: all@example.test")
    tell("a", manager, Ticket.objects.get(pk=ticket.pk))
    dispatcher.drain(most=3)
    notice = Notice.objects.get(channel="mail")
    assert (notice.state, notice.attempts) == ("ready", 1)
    assert notice.due_at is not None
    assert notice.due_at > datetime.now(UTC)
    assert "\n" not in notice.subject


# -- endpoints


def endpoint(channel: str) -> Endpoint:
    made = Endpoint(name=channel, channel=channel, url="https://hooks.example.org/x")
    made.sealed = crypto.seal(made.public_id, {"secret": SECRET})
    made.save()
    return made


@responses.activate
@pytest.mark.parametrize("channel", ["webhook", "slack", "teams"])
def test_an_endpoint_is_told_signed_and_in_its_own_shape(ticket: Ticket, channel: str, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["hooks.example.org"]
    made = endpoint(channel)
    responses.post(made.url, status=200)
    told = Told(key="x", kind="escalation", ticket=ticket, why="50 % used")
    notify.tell(told, notify.endpoint(made), at=MONDAY)
    dispatcher.drain(most=3)

    request = responses.calls[0].request
    body = json.loads(request.body or "")
    shown = {"webhook": body.get("subject"), "slack": body.get("text")}.get(channel) or json.dumps(body)
    assert "50 % used" in shown
    assert Webhook(SECRET).verify(request.body or "", dict(request.headers)) == body
    assert Notice.objects.get().state == "sent"


@responses.activate
def test_an_endpoint_that_sends_us_elsewhere_is_not_followed(
    ticket: Ticket, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a session that would: our own follows none, whatever it is told."""
    monkeypatch.setattr(webhooks, "open_session", lambda _policy: requests.Session())
    made = endpoint("webhook")
    responses.post(made.url, status=307, headers={"Location": "https://elsewhere.example.org/y"})
    elsewhere = responses.post("https://elsewhere.example.org/y", status=200)
    notify.tell(Told(key="x", kind="plain", ticket=ticket), notify.endpoint(made), at=MONDAY)
    dispatcher.drain(most=3)

    assert elsewhere.call_count == 0
    assert Notice.objects.get().why == "webhook answered 307."


def test_an_endpoint_in_our_own_network_is_not_called(ticket: Ticket) -> None:
    made = Endpoint.objects.create(name="inside", channel="webhook", url="https://127.0.0.1:8443/")
    notify.tell(Told(key="x", kind="plain", ticket=ticket), notify.endpoint(made), at=MONDAY)
    dispatcher.drain(most=3)
    assert "private network" in Notice.objects.get().why


# -- templates


def test_a_template_of_an_admin_is_used_and_one_that_cannot_be_filled_reads_plain(
    ticket: Ticket, manager: User
) -> None:
    row = NoticeTemplate.objects.create(
        kind="escalation",
        audience="us",
        language="en",
        subject="{ticket.priority}!",
        body="{upper(why)} {ticket.nothing}",
    )
    [console, _mail] = tell("a", manager, ticket)
    assert (console.subject, console.body) == ("P3!", "BECAUSE OF A ")
    NoticeTemplate.objects.filter(pk=row.pk).update(body="{ticket.title > 3}")
    [console, _mail] = tell("b", manager, ticket)
    assert "Because of b" in console.body


@pytest.mark.parametrize(
    "source",
    [
        "{settings.SECRET_KEY}",
        "{ticket.title",
        "{__import__('os')}",
        "{" + "a" * 2000,
        "x" * 20_000,
        "{ticket.title.matches('a+')}",
        "}",
    ],
)
def test_a_template_that_reaches_outside_its_sandbox_fails_when_it_is_looked_at(source: str) -> None:
    with pytest.raises(templates.BadTemplate):
        templates.filled(source, templates.facts_of(None))


# -- those without a system


def test_an_offer_to_somebody_without_a_system_goes_out_by_mail_with_the_page(
    house: Simulator, ticket: Ticket, cabler: Organisation, agent: Actor
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=cabler, reason="Please look", actor=agent, at=MONDAY)
    dispatcher.drain(most=3)
    [mail] = mails(house)
    token = guest_links.token(guest_links.open_for(leg, at=MONDAY))
    assert f"/v/{token}/" in mail.get_content()
    assert "Please look" in mail.get_content()

    comments.comment(ticket=ticket, body="The fourth floor", legs=[leg], actor=agent, at=MONDAY)
    comments.comment(ticket=ticket, body="canary: internal", actor=agent, at=MONDAY)
    Notice.objects.update(due_at=datetime.now(UTC))
    dispatcher.drain(most=3)
    told = "".join(each.get_content() for each in mails(house))
    assert "The fourth floor" in told
    assert "canary" not in told


@pytest.mark.parametrize("how", ["recall", "expire"])
def test_who_was_offered_it_by_mail_hears_that_it_is_theirs_no_more(
    how: str, house: Simulator, ticket: Ticket, cabler: Organisation, agent: Actor
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=cabler, reason="Please look", actor=agent, at=MONDAY)
    if how == "recall":
        engagements.recall(leg=leg, reason="canary: they are too dear", actor=agent, at=MONDAY)
    else:
        returns.expire(leg=leg, actor=Actor.timer("acceptance deadline"), at=MONDAY)
    Notice.objects.update(due_at=datetime.now(UTC))
    dispatcher.drain(most=3)
    told = "".join(each.get_content() for each in mails(house))
    assert "Please stop working on it." in told
    assert "canary" not in told


def test_a_digest_says_every_working_day_what_lies_with_them(
    house: Simulator, ticket: Ticket, cabler: Organisation, agent: Actor
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        leg = engagements.offer(ticket=ticket, organisation=cabler, actor=agent, at=MONDAY)
        dispatcher.drain(most=3)
        assert Digest.objects.get().next_run_at == datetime(2026, 3, 17, 6, 0, tzinfo=UTC)
        clock.move_to(datetime(2026, 3, 17, 6, 1, tzinfo=UTC))
        dispatcher.drain(most=4)
        digest = mails(house)[-1]
        assert digest["Subject"] == "Your open tickets at Northwind IT: 1"
        assert f"{ticket.label} Socket 4.12 is dead" in digest.get_content()
        assert "please answer" in digest.get_content()
        count = len(mails(house))
        dispatcher.drain(most=4)
        assert len(mails(house)) == count

        engagements.recall(
            leg=Leg.objects.get(pk=leg.pk), reason="found it", actor=agent, at=MONDAY + timedelta(days=1)
        )
        clock.move_to(datetime(2026, 3, 20, 6, 1, tzinfo=UTC))
        dispatcher.drain(most=4)
        assert [each["Subject"] for each in mails(house)[count:]] == [
            f"Withdrawn: Socket 4.12 is dead [{ticket.label}]"
        ]
        assert Digest.objects.get().next_run_at == datetime(2026, 3, 23, 6, 0, tzinfo=UTC)


def test_who_has_a_system_or_no_address_gets_no_mail(ticket: Ticket, agent: Actor) -> None:
    engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=MONDAY)
    assert not Notice.objects.exists()
    assert vendor_mail.due_digests() == []


def test_together_names_each_subject_once() -> None:
    notices = [Notice(subject=f"s{n % 60}", body="b", channel=Channel.MAIL, to="x") for n in range(120)]
    subject, body = delivery.together(notices)
    assert subject == "120 notices, the newest: s59"
    assert "- s0 (2 times)" in body
    assert "and 10 more" in body


def test_a_link_for_a_new_password_is_made_when_the_mail_is_sent_and_stands_in_no_row(
    house: Simulator, manager: User, client: Any
) -> None:
    """Also where the person wants no notices by mail, and beside a heap of others that go out as one."""
    NoticePreference.objects.create(user=manager, mail=NoticePreference.Pace.NEVER)
    for number in range(5):
        to = notify.Recipient(channel=Channel.MAIL, to=manager.email)
        notify.tell(Told(key=f"k{number}", kind="plain", text="Other news"), [to], at=MONDAY)
    client.post("/password/", {"email": manager.email})
    Notice.objects.filter(state="ready").update(due_at=datetime.now(UTC))

    dispatcher.drain()
    mine = next(mail for mail in mails(house) if "new password" in mail["Subject"])
    path = mine.get_content().split("http://127.0.0.1:8000")[1].strip()

    assert path.startswith("/password/")
    assert not [row for row in Notice.objects.all() if path.split("/")[-2] in f"{row.body}{row.url}{row.why}"]
    assert "Choose a new password" in client.get(path, follow=True).content.decode()
