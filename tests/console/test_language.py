"""Pages in the language of whoever reads them."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import translation

from hub.domain.actors import Actor
from hub.models import Organisation, User
from tests import factories
from tests.console.pages import BACKEND, opened

pytestmark = pytest.mark.django_db
PAGES = ["board", "tickets", "open", "vendors", "sync", "notices", "account"]


@pytest.fixture
def german(us: Organisation) -> Client:
    user = factories.member("manager", us, name="Greta")
    User.objects.filter(pk=user.pk).update(language="de")
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_german_for_a_german_user(german: Client, page: str) -> None:
    answer = german.get(reverse(f"console:{page}"), headers={"accept-language": "en"})

    assert answer.status_code == 200
    assert '<html lang="de"' in answer.content.decode()
    assert answer["Content-Language"] == "de"


def test_a_ticket_is_german_for_a_german_user(german: Client, agent: Actor) -> None:
    answer = german.get(opened(agent).get_absolute_url())

    assert answer.status_code == 200
    assert '<html lang="de"' in answer.content.decode()


def test_the_admin_is_german_for_a_german_user(german: Client) -> None:
    User.objects.update(is_staff=True, is_superuser=True)

    answer = german.get(reverse("admin:index"))

    assert '<html lang="de"' in answer.content.decode()


@pytest.mark.parametrize(("asked", "shown"), [("en", "en"), ("de", "de"), ("de-AT,de;q=0.9", "de"), ("fr", "en")])
def test_without_a_choice_the_browser_decides(client: Client, asked: str, shown: str) -> None:
    answer = client.get(reverse("console:board"), headers={"accept-language": asked})

    assert f'<html lang="{shown}"' in answer.content.decode()


def test_a_language_ends_with_its_request(german: Client, client: Client) -> None:
    with translation.override("en"):
        german.get(reverse("console:board"))
        after = translation.get_language()
        next_page = client.get(reverse("console:board"))
        nobody = Client().get(reverse("console:log_in"))

    assert after == "en"
    assert '<html lang="en"' in next_page.content.decode()
    assert '<html lang="en"' in nobody.content.decode()


def test_a_language_ends_with_a_page_that_breaks(german: Client) -> None:
    with translation.override("en"):
        answer = german.get("/tickets/no-such-ticket/")
        after = translation.get_language()

    assert answer.status_code == 404
    assert '<html lang="de"' in answer.content.decode()
    assert after == "en"


@override_settings(LANGUAGES=[("en", "English")])
def test_a_language_that_is_not_offered_any_more_is_no_choice(german: Client) -> None:
    answer = german.get(reverse("console:board"), headers={"accept-language": "en"})

    assert '<html lang="en"' in answer.content.decode()


def test_the_language_is_chosen_in_the_admin(us: Organisation, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    admin = Client()
    admin.force_login(user, backend=BACKEND)

    page = admin.get(reverse("admin:hub_user_change", args=[user.pk])).content.decode()

    assert '<option value="de">Deutsch</option>' in page
