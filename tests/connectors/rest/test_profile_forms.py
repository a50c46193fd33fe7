"""Profiles as forms: every table of every profile, what is changed and nothing else, mistakes at their field."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from django.test import Client

from connectors.engine import profiles
from connectors.models import Profile
from connectors.rest import editing
from connectors.rest.connector import Rest
from tests import factories

SHIPPED = Rest.shipped_profiles()
RED = SHIPPED["redmine"]


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_writing_back_what_a_form_shows_changes_nothing(name: str) -> None:
    document = SHIPPED[name]
    for section in editing.sections(document):
        if section.is_there:
            again = editing.edited(document, section.place, {key.name: key.value for key in section.keys})
            assert tomllib.loads(again) == tomllib.loads(document), section.place
            assert again.count("#") == document.count("#"), section.place


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_value_of_a_profile_stands_in_a_form(name: str) -> None:
    shown = " ".join(key.value for section in editing.sections(SHIPPED[name]) for key in section.keys)

    def leaves(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [leaf for inner in value.values() for leaf in leaves(inner)]
        if isinstance(value, list):
            return [leaf for inner in value for leaf in leaves(inner)]
        return [value] if isinstance(value, str) else []

    missing = [
        leaf
        for leaf in leaves(tomllib.loads(SHIPPED[name]))
        if leaf.replace('"', "") not in shown.replace('\\"', "").replace('"', "")
    ]
    assert [leaf for leaf in missing if "\n" not in leaf and "\\" not in leaf] == []


def test_one_table_is_changed_and_the_rest_stays() -> None:
    text = editing.edited(RED, "operations.list", {"method": "POST", "paging": '{ style = "offset", size = 50 }'})
    before, after = tomllib.loads(RED), tomllib.loads(text)

    assert after["operations"]["list"]["method"] == "POST"
    assert after["operations"]["list"]["paging"] == {"style": "offset", "size": 50}
    before["operations"].pop("list")
    after["operations"].pop("list")
    assert before == after
    assert "# The answer is 204 without a body" in text


def test_tables_are_added_and_taken_away() -> None:
    text = editing.edited(RED, "errors.+", {"status": "[418]", "is": "later"})
    text = editing.edited(text, "limits", {"requests": "60", "seconds": "60"})
    text = editing.edited(text, "operations.quota", {"path": "/quota"})
    text = editing.edited(text, "lacks", {"files": "not wanted"})
    found = tomllib.loads(text)

    assert found["errors"][-1] == {"status": [418], "is": "later"}
    assert found["limits"] == {"requests": 60, "seconds": 60}
    assert found["operations"]["quota"] == {"path": "/quota"}
    assert found["lacks"]["files"] == "not wanted"
    assert "files" not in tomllib.loads(editing.edited(text, "lacks", {"files": ""}))["lacks"]


@pytest.mark.parametrize(
    ("place", "values", "said"),
    [
        ("limits", {"requests": "many"}, "limits.requests: Enter a number."),
        ("operations.list", {"query": "a = b"}, "operations.list.query: Enter a TOML value"),
        ("nowhere", {"x": "y"}, "nowhere: There is no such table."),
        ("settings.99", {"name": "x"}, "settings.99: There is no such table."),
        ("slug.x", {"name": "x"}, "slug.x: There is no such table."),
        ("slug", {"name": "x"}, "slug: This is not a table."),
    ],
)
def test_what_cannot_be_written_is_named(place: str, values: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError) as refused:
        editing.edited(RED, place, values)

    assert said in str(refused.value)


@pytest.fixture
def draft(db: None) -> Profile:
    return profiles.take_in(RED.replace('slug = "redmine"', 'slug = "ours"', 1), connector="rest")


@pytest.fixture
def admin(us: Any) -> Client:
    client = Client()
    client.force_login(factories.UserFactory(is_staff=True, is_superuser=True))
    return client


def form(draft: Profile, place: str) -> str:
    return f"/admin/connectors/profile/{draft.pk}/form/?at={place}"


def test_a_table_is_edited_in_the_admin_and_the_whole_is_judged(draft: Profile, admin: Client) -> None:
    page = admin.get(form(draft, "ticket")).content.decode()
    assert "item.created_on" in page
    values = {key.name: key.value for key in editing.section_at(draft.document, "ticket").keys}

    refused = admin.post(form(draft, "ticket"), values | {"key": "itme.id"}).content.decode()
    assert "Unknown name “itme”" in refused
    assert "Not saved: the profile would be inconsistent." in refused
    assert Profile.objects.get().document == draft.document

    elsewhere = admin.post(form(draft, "picklists.visibility"), {"values": ""}).content.decode()
    assert "Not saved: the profile would be inconsistent." in elsewhere or "fits the rest" in elsewhere
    admin.post(form(draft, "ticket"), values | {"number": "'R' + text(item.id)"})
    assert "'R' + text(item.id)" in Profile.objects.get().document


def test_a_published_version_can_be_looked_at_only(draft: Profile, admin: Client) -> None:
    profiles.publish(draft)
    assert "published and cannot be changed" in admin.get(form(draft, "ticket")).content.decode()
    before = Profile.objects.get().document
    admin.post(form(draft, ""), {"name": "Other"})
    assert Profile.objects.get().document == before
    with pytest.raises(ValueError, match=r"cannot be changed\. Create a new draft"):
        profiles.edit(draft, place="", values={"name": "Other"})


@pytest.mark.parametrize("place", ["nowhere", "operations.list.0.0", "a.b.c", "settings.x", "%00", "picklists"])
def test_a_place_that_is_none_leads_back(draft: Profile, admin: Client, place: str) -> None:
    assert admin.get(form(draft, place)).status_code in (200, 302)


def test_who_may_not_change_profiles_gets_nothing(draft: Profile, us: Any) -> None:
    client = Client()
    client.force_login(factories.UserFactory(is_staff=True))
    assert client.get(form(draft, "ticket")).status_code == 403
