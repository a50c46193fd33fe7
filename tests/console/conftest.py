"""Who is in front of the pages."""

from __future__ import annotations

import pytest
from django.test import Client

from hub.models import Organisation, User
from tests import factories
from tests.console.pages import BACKEND


@pytest.fixture
def user(us: Organisation) -> User:
    return factories.member("manager", us, name="Mona Manager")


@pytest.fixture
def client(user: User) -> Client:
    made = Client()
    made.force_login(user, backend=BACKEND)
    return made


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(name="Hostwerk")
    return made
