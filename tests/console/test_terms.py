"""Calendars, contracts and targets in the admin: written as people write them, published from their page."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from hub.admin import form_fields
from hub.models import Calendar, Contract, Organisation, Target
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(us: Organisation) -> Client:
    made = Client()
    made.force_login(
        factories.member("admin", us, is_staff=True, is_superuser=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return made


# -- as people write it


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("09:00-17:00", [["09:00", "17:00"]]),
        ("9-12, 13.30–17:45", [["09:00", "12:00"], ["13:30", "17:45"]]),
        ("22:00 to 6:00", [["22:00", "06:00"]]),
        ("24 h", [["00:00", "24:00"]]),
        ("", []),
        ("Closed", []),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, found: Any) -> None:
    assert form_fields.read_windows(text) == found
    assert form_fields.read_windows(form_fields.told_windows(found)) == found


@pytest.mark.parametrize(
    "text", ["nine to five", "09:00", "25:00-26:00", "09:70-10:00", "9-9", "9-12,,13-14", "9-12 13-14", "9-5"]
)
def test_hours_that_are_none_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValidationError):
        form_fields.read_windows(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15 min", 900),
        ("4h", 14_400),
        ("1 h 30 m", 5_400),
        ("1.5 hours", 5_400),
        ("90 s", 90),
        ("", None),
        ("1h, 5m", 3_900),
    ],
)
def test_goals_are_read_as_people_write_them(text: str, seconds: int | None) -> None:
    assert form_fields.read_goal(text) == seconds


@pytest.mark.parametrize(
    "text", ["90", "2 days", "h", "0 h", "-4 h", "4 h x", "999999999 h", "4 mh", "1,000 s", "1.000 min"]
)
def test_goals_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        form_fields.read_goal(text)


@given(st.integers(1, form_fields.LONGEST))
def test_every_goal_is_told_as_it_can_be_read(seconds: int) -> None:
    assert form_fields.read_goal(form_fields.told_goal(seconds)) == seconds


# -- the pages


def week(**days: str) -> dict[str, str]:
    return {f"weekly_{day}": hours for day, hours in days.items()}


def test_a_calendar_is_written_and_published_on_one_page(client: Client, us: Organisation) -> None:
    page = client.post(
        reverse("admin:hub_calendar_add"),
        {
            "name": "Shop",
            "time_zone": "Europe/Berlin",
            **week(mon="9-12, 13-17", sat="24 h"),
            "holidays": "2026-12-25\n2026-12-26\n",
            "exceptions": "2026-12-24 09:00-12:00\n2026-12-31 closed",
            "_publish": "1",
        },
        follow=True,
    )

    row = Calendar.objects.get(name="Shop")
    assert row.weekly == {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "sat": [["00:00", "24:00"]]}
    assert row.holidays == ["2026-12-25", "2026-12-26"]
    assert row.exceptions == {"2026-12-24": [["09:00", "12:00"]], "2026-12-31": []}
    assert row.status == "published"
    shown = page.content.decode()
    assert "Shop v1 has been published." in shown
    assert "Monday 09:00-12:00, 13:00-17:00<br>" in shown
    assert "2026-12-31 closed" in shown
    assert [each.get_change_message() for each in LogEntry.objects.order_by("pk")] == ["Added.", "Published."]

    client.post(reverse("admin:hub_calendar_draft", args=[row.pk]))
    draft = Calendar.objects.get(name="Shop", version=2)
    form = client.get(reverse("admin:hub_calendar_change", args=[draft.pk])).content.decode()
    assert 'value="09:00-12:00, 13:00-17:00"' in form
    assert "2026-12-24 09:00-12:00" in form


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("weekly_tue", "nine to five", "Tuesday: “nine to five” is not valid"),
        ("weekly_sun", "25:00-26:00", "Sunday: &#x27;25:00&#x27; is not a time of day"),
        ("holidays", "Christmas", "&#x27;Christmas&#x27; is not a date"),
        ("exceptions", "2026-12-24 soon", "“soon” is not valid"),
        ("exceptions", "2026-12-31", "Enter the hours of 2026-12-31, or “closed”."),
        ("weekly_mon", "09:00-17:00, 16:00-18:00", "contains overlapping hours"),
        ("exceptions", "Christmas 9-12", "“Christmas” is not a date"),
        ("exceptions", "2026-12-24 9-12\n20261224 13-14", "2026-12-24 appears twice"),
        ("exceptions", "2026-12-24 9-12\n2026-12-24 13-14", "2026-12-24 appears twice"),
    ],
)
def test_what_cannot_be_read_is_named_and_kept_on_the_page(client: Client, field: str, text: str, told: str) -> None:
    page = client.post(
        reverse("admin:hub_calendar_add"), {"name": "Odd", "time_zone": "UTC", field: text, "_publish": "1"}
    ).content.decode()
    assert told in page
    assert text.splitlines()[0] in page
    assert not Calendar.objects.exists()


def contract(us: Organisation, calendar: Calendar, *rows: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": "Payroll",
        "kind": "sla",
        "organisation": us.pk,
        "calendar": calendar.pk,
        "on_reopen": "resume",
        "on_return": "accumulate",
        "on_change": "carry",
        "starts_on": "delivery",
        "targets-TOTAL_FORMS": len(rows),
        "targets-INITIAL_FORMS": 0,
        "pause_reasons": ["waiting_requester"],
        **more,
    }
    for number, (kind, priority, goal) in enumerate(rows):
        data |= {
            f"targets-{number}-kind": kind,
            f"targets-{number}-priority": priority,
            f"targets-{number}-goal_seconds": goal,
        }
    return data


def test_a_contract_is_written_and_published_on_one_page(client: Client, us: Organisation) -> None:
    calendar = factories.CalendarFactory()
    rows = ("acknowledge", "P1", "15 min"), ("resolve", "P1", "1 h 30 min"), ("resolve", "P4", "")
    sent = contract(us, calendar, *rows, _publish="1")
    page = client.post(reverse("admin:hub_contract_add"), sent, follow=True).content.decode()

    made = Contract.objects.get(name="Payroll")
    assert (made.status, made.pause_reasons) == ("published", ["waiting_requester"])
    goals = dict(Target.objects.filter(contract=made).values_list("pk", "goal_seconds"))
    assert sorted(goals.values(), key=str) == [5400, 900, None]
    assert "1 h 30 min" in page
    assert "waiting for the requester, after a question the requester can see" in page
    assert "working hours in the next seven days" in page
    assert 'value="Create new draft"' in page
    assert "Without a goal in this contract: P2, P3, P4. Tickets with such a priority never breach it." in page

    client.post(reverse("admin:hub_contract_draft", args=[made.pk]))
    draft = Contract.objects.get(version=2)
    form = client.get(reverse("admin:hub_contract_change", args=[draft.pk])).content.decode()
    assert 'value="1 h 30 min"' in form
    assert 'value="Save and publish"' in form


def test_a_goal_without_its_unit_and_a_contract_without_targets_are_refused(client: Client, us: Organisation) -> None:
    calendar = factories.CalendarFactory()
    page = client.post(
        reverse("admin:hub_contract_add"), contract(us, calendar, ("resolve", "P1", "90"))
    ).content.decode()
    assert "“90” is not a duration. Enter working time such as 15 min" in page
    assert not Contract.objects.exists()

    page = client.post(
        reverse("admin:hub_contract_add"), contract(us, calendar, _publish="1"), follow=True
    ).content.decode()
    assert "has no targets. Add at least one." in page
    assert Contract.objects.get().status == "draft"


def test_a_new_version_is_begun_by_a_post_of_somebody_who_may(client: Client, us: Organisation) -> None:
    made = factories.contract(us, goals={"resolve": {"P1": 60}})
    where = reverse("admin:hub_contract_draft", args=[made.pk])
    assert client.get(where).status_code == 405
    looks = Client()
    looks.force_login(
        factories.member("auditor", us, is_staff=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert looks.post(where).status_code == 403
    assert Contract.objects.count() == 1


def test_one_contract_is_in_force_for_the_same_and_each_is_promised_by_whom_it_is_of(
    client: Client, us: Organisation
) -> None:
    first = factories.contract(us, goals={"resolve": {"P1": 60}}, name="First")
    vendor = factories.OrganisationFactory(name="Hostwerk")
    add, targets = reverse("admin:hub_contract_add"), ("resolve", "P1", "1 h")
    for name, kind, by, told in (
        ("Second", "sla", us, "First v1 is already in force for the same organisation and service."),
        ("Third", "sla", vendor, "An SLA is our own promise; a vendor&#x27;s contract is a UC."),
        ("Fourth", "uc", us, "A UC is a vendor&#x27;s promise; our own contract is an SLA."),
    ):
        sent = contract(us, first.calendar, targets, name=name, kind=kind, organisation=by.pk, _publish="1")
        assert told in client.post(add, sent, follow=True).content.decode()
        assert Contract.objects.get(name=name).status == "draft"

    where = reverse("admin:hub_contract_changelist")
    client.post(where, {"action": "retire", "_selected_action": [first.pk]})
    client.post(where, {"action": "publish", "_selected_action": [Contract.objects.get(name="Second").pk]})
    told = dict(Contract.objects.values_list("name", "status"))
    assert (told["First"], told["Second"]) == ("retired", "published")
    page = client.post(where, {"action": "retire", "_selected_action": [first.pk]}, follow=True).content.decode()
    assert "Only a contract in force can be retired" in page


def looking(us: Organisation, *rights: str) -> Client:
    user = factories.member("auditor", us, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    made = Client()
    made.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return made


def test_who_may_only_look_publishes_nothing_and_begins_nothing(us: Organisation) -> None:
    made = factories.contract(us, goals={"resolve": {"P1": 60}})
    looks, where = looking(us, "view_contract"), reverse("admin:hub_contract_changelist")
    looks.post(where, {"action": "new_version", "_selected_action": [made.pk]})
    assert Contract.objects.count() == 1
    Contract.objects.update(status="draft")
    looks.post(where, {"action": "publish", "_selected_action": [made.pk]})
    assert Contract.objects.get().status == "draft"


def test_who_may_only_add_adds_with_hours_and_publishes_nothing(us: Organisation) -> None:
    adds = looking(us, "add_calendar", "view_calendar")
    assert 'name="weekly_mon"' in adds.get(reverse("admin:hub_calendar_add")).content.decode()
    sent = {"name": "Shop", "time_zone": "UTC", "weekly_mon": "9-17", "_publish": "1"}
    adds.post(reverse("admin:hub_calendar_add"), sent)
    row = Calendar.objects.get()
    assert (row.status, row.weekly) == ("draft", {"mon": [["09:00", "17:00"]]})


def test_what_cannot_be_published_or_kept_says_so(client: Client, us: Organisation) -> None:
    add = reverse("admin:hub_calendar_add")
    page = client.post(add, {"name": "Shop", "time_zone": "UTC", "_publish": "1"}, follow=True).content.decode()
    assert "cannot be blank" in page
    assert Calendar.objects.get(name="Shop").status == "draft"
    page = client.post(add, {"name": "Shop", "time_zone": "UTC", "weekly_mon": "9-17"}).content.decode()
    assert "This name is already in use." in page

    calendar = factories.CalendarFactory()
    sent = contract(us, calendar, ("resolve", "P1", "1 h"), organisation="")
    page = client.post(reverse("admin:hub_contract_add"), sent).content.decode()
    assert "Choose the organisation that makes the promise." in page
