"""What a person sets for themselves: start page, theme, density, absence with a substitute."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from console.shortcuts import SHORTCUTS
from hub.domain import absences, tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket, User
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import comments
from workflows.models import Notice
from workflows.notifications import following

pytestmark = pytest.mark.django_db

TEMPLATES = Path(__file__).parents[2] / "console/templates"


@pytest.mark.parametrize(
    ("role", "chosen", "leads_to"),
    [
        ("manager", "", "/"),
        ("agent", "", "/work/"),
        ("agent", "board", "/"),
        ("auditor", "", "/"),
        ("auditor", "work", "/"),
        ("vendor", "", "/tickets/"),
        ("manager", "tickets", "/tickets/"),
    ],
)
def test_each_role_has_its_start_page(us: Organisation, role: str, chosen: str, leads_to: str) -> None:
    where = factories.OrganisationFactory() if role == "vendor" else us
    user = factories.member(role, where, start_page=chosen)
    assert log_in(user).get("/start/")["Location"] == leads_to


def test_preferences_are_kept_and_shown(us: Organisation) -> None:
    user, deputy = factories.member("agent", us, name="Ada"), factories.member("agent", us, name="Deputy")
    client = log_in(user)
    given = {
        "time_zone": "Europe/Berlin",
        "language": "",
        "theme": "dark",
        "density": "compact",
        "start_page": "board",
        "has_shortcuts": "on",
        "absent_from": "2026-03-16",
        "absent_until": "2026-03-20",
        "substitute": "Deputy",
    }
    client.post("/account/preferences/", given)
    kept = User.objects.get(pk=user.pk)
    assert (kept.theme, kept.density, kept.start_page, kept.substitute) == ("dark", "compact", "board", deputy)
    page = client.get("/account/").content.decode()
    assert 'data-theme="dark" data-density="compact"' in page
    assert 'value="2026-03-16"' in page
    for wrong, why in (
        ({"absent_until": "2026-03-01"}, "The absence cannot end before it begins."),
        ({"substitute": "Ada"}, "Choose somebody else."),
        ({"theme": "purple"}, "Select a valid choice."),
    ):
        assert why in unescape(client.post("/account/preferences/", given | wrong).content.decode())
    assert User.objects.get(pk=user.pk).substitute == deputy


def absent(us: Organisation, name: str, substitute: User | None, **fields: object) -> User:
    dates = {"absent_from": date(2026, 3, 16), "absent_until": date(2026, 3, 16)} | fields
    return factories.member("agent", us, name=name, substitute=substitute, **dates)


def test_both_days_of_an_absence_count_where_the_person_lives(us: Organisation, at: datetime) -> None:
    user = absent(us, "Ada", None, time_zone="Asia/Tokyo")
    begins = datetime(2026, 3, 15, 15, tzinfo=at.tzinfo)  # midnight in Tokyo
    assert not user.is_absent(begins - timedelta(seconds=1))
    assert user.is_absent(begins)
    assert user.is_absent(begins + timedelta(hours=23, minutes=59))
    assert not user.is_absent(begins + timedelta(days=1))


def test_the_substitute_gets_assignments_and_a_copy_of_notices(us: Organisation, agent: Actor, at: datetime) -> None:
    deputy = factories.member("agent", us, name="Deputy")
    user = absent(us, "Zoe", deputy, absent_from=None, absent_until=date(2099, 1, 1))
    ticket = tickets.open_ticket(title="Help", actor=agent, at=at)
    tickets.assign(ticket=ticket, assignee=user, actor=agent, at=at)
    assert Ticket.objects.get().assignee == deputy

    following.watch(user=user, ticket=ticket)
    comments.comment(ticket=ticket, body="News", actor=agent, at=at)
    told = Notice.objects.filter(kind="followed", channel="console").values_list("user", flat=True)
    assert set(told) == {user.pk, deputy.pk}
    tickets.assign(ticket=ticket, assignee=user, actor=Actor.person(user), at=at)
    assert Ticket.objects.get().assignee == user  # who takes a ticket is there after all


def test_substitutes_who_are_absent_pass_on_and_a_circle_ends(us: Organisation, at: datetime) -> None:
    last = factories.member("agent", us, name="Last")
    second = absent(us, "Second", last)
    first = absent(us, "First", second)
    assert absences.acting_for(first, at=at) == last
    last.absent_from, last.substitute = date(2026, 1, 1), first
    last.save()
    first.refresh_from_db()
    assert absences.acting_for(User.objects.get(pk=first.pk), at=at) == first


def test_new_users_get_our_time_zone(us: Organisation) -> None:
    Organisation.objects.filter(pk=us.pk).update(time_zone="Europe/Vienna")
    assert User.objects.create_user("new@northwind.example").time_zone == "Europe/Vienna"
    admin = factories.UserFactory(is_staff=True, is_superuser=True)
    log_in(admin).post(
        "/admin/hub/user/add/",
        {
            "email": "other@northwind.example",
            "name": "Other",
            "usable_password": "false",
            "memberships-TOTAL_FORMS": "0",
            "memberships-INITIAL_FORMS": "0",
        },
    )
    assert User.objects.get(email="other@northwind.example").time_zone == "Europe/Vienna"


def test_who_does_not_work_for_us_learns_no_names_of_ours(us: Organisation) -> None:
    factories.member("agent", us, name="Ada", email="ada@northwind.example")
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    page = vendor.get("/account/").content.decode()
    assert 'name="substitute"' not in page
    given = {"time_zone": "UTC", "language": "", "theme": "", "density": "compact", "start_page": "", "substitute": "a"}
    assert "ada@northwind" not in vendor.post("/account/preferences/", given, follow=True).content.decode()
    assert not User.objects.exclude(substitute=None).exists()


# -- shortcuts


def keys(**changed: str) -> dict[str, str]:
    """The form as the page sends it, with some keys changed."""
    order = list(SHORTCUTS)
    given = {f"key_{number}": key for number, key in enumerate(order)}
    return given | {f"key_{order.index(usual)}": key for usual, key in changed.items()}


def test_keys_are_changed_and_changed_back(us: Organisation) -> None:
    user = factories.member("agent", us)
    client = log_in(user)
    client.post("/account/shortcuts/", keys(j="n", a="é"))
    user.refresh_from_db()
    assert user.shortcut_keys == {"j": "n", "a": "é"}
    page = client.get("/account/").content.decode()
    assert "&quot;j&quot;: &quot;n&quot;" in page
    client.post("/account/shortcuts/", keys() | {"usual": "1"})
    user.refresh_from_db()
    assert user.shortcut_keys == {}
    assert "data-shortcuts" not in client.get("/account/").content.decode()


def test_two_shortcuts_may_change_places_and_an_empty_field_is_the_usual_key(us: Organisation) -> None:
    user = factories.member("agent", us)
    log_in(user).post("/account/shortcuts/", keys(j="k", k="j", x=""))
    user.refresh_from_db()
    assert user.shortcut_keys == {"j": "k", "k": "j"}


@pytest.mark.parametrize("changed", [{"j": "k"}, {"j": "ab"}, {"j": "\u200b"}, {"j": "\u202e"}])
def test_a_key_that_cannot_be_used_is_refused(us: Organisation, changed: dict[str, str]) -> None:
    user = factories.member("agent", us)
    page = unescape(log_in(user).post("/account/shortcuts/", keys(**changed), follow=True).content.decode())
    assert "each only once" in page or "at most 1 character" in page
    user.refresh_from_db()
    assert user.shortcut_keys == {}


def test_every_key_of_a_page_can_be_changed() -> None:
    named = {key for file in TEMPLATES.rglob("*.html") for key in re.findall(r'data-key="([^"]+)"', file.read_text())}
    assert named <= set(SHORTCUTS)


def test_shortcuts_stay_when_other_preferences_are_refused(us: Organisation) -> None:
    user = factories.member("agent", us, shortcut_keys={"j": "n"})
    given = {
        "time_zone": "UTC",
        "density": "comfortable",
        "has_shortcuts": "on",
        "absent_from": "2026-03-02",
        "absent_until": "2026-03-01",
    }
    page = log_in(user).post("/account/preferences/", given).content.decode()
    assert "cannot end before it begins" in page
    assert 'value="n"' in page
