"""The profiles that come with the hub, and a draft of one's own that begins as one of them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from connectors.engine import connection_profiles, profiles
from connectors.models import Profile
from connectors.rest.connector import Rest
from hub.models import Organisation
from tests import factories
from tests.console.test_pages import log_in

pytestmark = pytest.mark.django_db
SHIPPED = sorted(Rest.shipped_profiles())


def test_each_is_shown_with_what_it_is_for(us: Organisation) -> None:
    client = log_in(factories.UserFactory(is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:connectors_profile_gallery")).content.decode()

    assert page.count("Use as a template") == len(SHIPPED)
    for name, about in (
        ("Bugzilla", "Bugs of one product"),
        ("iTop", "Incidents of one organisation"),
        ("Redmine", ""),
    ):
        assert name in page
        assert about in page
    assert "gallery" in client.get(reverse("admin:connectors_profile_changelist")).content.decode()


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_draft_begins_as_a_copy_under_a_name_of_its_own(us: Organisation, slug: str) -> None:
    client = log_in(factories.UserFactory(is_staff=True, is_superuser=True))
    where = reverse("admin:connectors_profile_start", args=["rest", slug])
    for _ in range(2):
        answer = client.post(where)
        assert answer.status_code == 302
    first, second = Profile.objects.order_by("pk")

    assert (first.slug, second.slug) == (f"{slug}_own", f"{slug}_2")
    assert (first.status, first.is_shipped, first.name.endswith("(own)")) == ("draft", False, True)
    assert answer["Location"] == reverse("admin:connectors_profile_form", args=[second.pk])
    assert client.get(answer["Location"]).status_code == 200
    profiles.publish(first)
    assert f"rest:{slug}_own" in dict(connection_profiles.choices())


def test_nobody_without_the_right_and_none_that_is_not_there(us: Organisation) -> None:
    client = log_in(factories.UserFactory(is_staff=True))
    assert client.get(reverse("admin:connectors_profile_gallery")).status_code == 403
    assert client.post(reverse("admin:connectors_profile_start", args=["rest", "redmine"])).status_code == 403
    admin = log_in(factories.UserFactory(is_staff=True, is_superuser=True))
    assert admin.post(reverse("admin:connectors_profile_start", args=["rest", "nothing"])).status_code == 404
    assert admin.get(reverse("admin:connectors_profile_start", args=["rest", "redmine"])).status_code == 405
    assert not Profile.objects.exists()
