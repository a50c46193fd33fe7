"""Logging in through the real page: what locks, what does not, how long a session lasts, and new passwords."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from hub.domain import accounts
from hub.models import Organisation, User
from tests import factories
from workflows.models import Notice

pytestmark = pytest.mark.django_db

PASSWORD = "a-long-good-password"
START = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


@pytest.fixture
def locks(settings: Any) -> None:
    settings.AXES_ENABLED = True


def somebody(us: Organisation, role: str = "manager", **fields: Any) -> User:
    made = factories.member(role, us, **fields)
    made.set_password(PASSWORD)
    made.save()
    return made


def log_in(
    user: User | str, password: str = PASSWORD, *, address: str = "203.0.113.7", client: Client | None = None
) -> Any:
    email = user.email if isinstance(user, User) else user
    return (client or Client()).post(
        reverse("console:log_in"), {"username": email, "password": password}, REMOTE_ADDR=address
    )


def is_let_in(answer: Any) -> bool:
    return bool(answer.status_code == 302)


def test_ten_wrong_passwords_lock_the_right_one_out_for_a_quarter_of_an_hour(locks: None, us: Organisation) -> None:
    user, other = somebody(us), somebody(us)
    with time_machine.travel(START, tick=False) as clock:
        wrong = [log_in(user, "wrong").status_code for _ in range(10)]
        locked = log_in(user)
        assert wrong == [200] * 9 + [429]
        assert locked.status_code == 429
        assert "Too many wrong passwords" in locked.content.decode()
        # The other account, from there, and this account, from elsewhere, are not concerned.
        assert is_let_in(log_in(other))
        assert is_let_in(log_in(user, address="203.0.113.8"))

        clock.shift(timedelta(minutes=14))
        assert log_in(user).status_code == 429
        clock.shift(timedelta(minutes=2))
        assert is_let_in(log_in(user))


def test_fifty_failures_of_an_address_lock_it_for_every_account(locks: None, us: Organisation) -> None:
    user = somebody(us)
    with time_machine.travel(START, tick=False):
        for number in range(49):
            log_in(f"nobody{number}@example.test", "wrong")
        # A good log-in does not clear the address: an attacker may have an account of their own.
        assert is_let_in(log_in(user))
        assert log_in("one-more@example.test", "wrong").status_code == 429

        assert log_in(user).status_code == 429
        assert is_let_in(log_in(user, address="203.0.113.9"))


def test_guesses_from_many_addresses_lock_nobody_out_and_are_reported_once(
    locks: None, us: Organisation, caplog: Any
) -> None:
    user, admin = somebody(us), somebody(us, "admin")
    with time_machine.travel(START, tick=False):
        for number in range(24):
            log_in(user, "wrong", address=f"198.51.100.{number % 6}")
        assert is_let_in(log_in(user, address="203.0.113.7"))

    told = Notice.objects.get(user=admin, channel="console")
    assert told.subject == f"20 failed log-ins for {user.email} from 6 addresses within 15 minutes"
    assert any(told.subject in line for line in caplog.messages)


def test_an_admin_unlocks_and_the_log_says_so(locks: None, us: Organisation, caplog: Any) -> None:
    user, boss = somebody(us), User.objects.create_superuser("boss@example.test", PASSWORD, name="Boss")
    page = Client()
    page.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    for _ in range(10):
        log_in(user, "wrong")
    row = AccessAttempt.objects.get()

    page.post("/admin/axes/accessattempt/", {"action": "unlock_accounts", "_selected_action": [row.pk]})

    assert is_let_in(log_in(user))
    assert f"Boss unlocked the log-in of {user.email}." in caplog.messages
    assert any("Locking out" in line for line in caplog.messages)


def test_the_admins_own_log_in_page_counts_too(locks: None, us: Organisation) -> None:
    user = somebody(us, is_staff=True)
    for _ in range(10):
        Client().post("/admin/login/", {"username": user.email, "password": "wrong"}, REMOTE_ADDR="203.0.113.7")

    assert log_in(user).status_code == 429


# -- sessions


@pytest.fixture
def page(us: Organisation) -> Client:
    client = Client()
    log_in(somebody(us), client=client)
    return client


def is_inside(client: Client, **headers: str) -> bool:
    return bool(client.get("/notices/", headers=headers).status_code == 200)


def test_a_session_ends_after_twelve_hours_without_use(us: Organisation) -> None:
    client, user = Client(), somebody(us)
    with time_machine.travel(START, tick=False) as clock:
        log_in(user, client=client)
        assert is_inside(client)
        clock.shift(timedelta(hours=11))
        assert is_inside(client)
        clock.shift(timedelta(hours=11))
        assert is_inside(client)
        clock.shift(timedelta(hours=12, minutes=1))
        assert not is_inside(client)


def test_a_page_that_asks_for_news_by_itself_keeps_no_session_alive(us: Organisation) -> None:
    client, user = Client(), somebody(us)
    with time_machine.travel(START, tick=False) as clock:
        log_in(user, client=client)
        assert is_inside(client)
        for _ in range(12):
            clock.shift(timedelta(hours=1))
            assert is_inside(client, HX_Request="true")
        clock.shift(timedelta(minutes=1))
        assert not is_inside(client, HX_Request="true")


def test_a_session_ends_after_seven_days_however_much_it_is_used(us: Organisation) -> None:
    client, user = Client(), somebody(us)
    with time_machine.travel(START, tick=False) as clock:
        log_in(user, client=client)
        for _ in range(16):
            assert is_inside(client)
            clock.shift(timedelta(hours=10))
        assert is_inside(client)
        clock.shift(timedelta(hours=10))
        assert not is_inside(client)


def test_log_out_everywhere_ends_every_other_session(us: Organisation) -> None:
    user, here, elsewhere = somebody(us), Client(), Client()
    for client in (here, elsewhere):
        log_in(user, client=client)
    here.post(reverse("console:log_out_everywhere"))

    assert is_inside(here)
    assert not is_inside(elsewhere)


def test_who_may_not_log_in_any_more_is_out_and_stays_out(us: Organisation, page: Client) -> None:
    user = User.objects.get()
    boss = Client()
    boss.force_login(
        User.objects.create_superuser("boss@example.test", PASSWORD, name="Boss"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    form = {
        "email": user.email,
        "name": user.name,
        "time_zone": "UTC",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert is_inside(page)
    assert boss.post(f"/admin/hub/user/{user.pk}/change/", form).status_code == 302
    User.objects.filter(pk=user.pk).update(is_active=True)

    assert not is_inside(page)


def test_a_session_of_somebody_inactive_is_ended_when_it_is_next_used(page: Client) -> None:
    User.objects.update(is_active=False)
    assert not is_inside(page)
    User.objects.update(is_active=True)

    assert not is_inside(page)


# -- pages are kept nowhere


def test_pages_with_data_are_not_kept_and_are_asked_for_over_https_only(page: Client, settings: Any) -> None:
    plain = page.get("/notices/")
    settings.IS_BEHIND_TLS = True
    safe = page.get("/notices/")

    assert plain["Cache-Control"] == "no-store, private"
    assert "Strict-Transport-Security" not in plain
    assert safe["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


# -- passwords


def test_everybody_changes_their_own_password_and_is_out_elsewhere(us: Organisation, page: Client) -> None:
    elsewhere = Client()
    log_in(User.objects.get(), client=elsewhere)
    refused = page.post(
        reverse("console:account"), {"old_password": "wrong", "new_password1": "x", "new_password2": "x"}
    )
    done = page.post(
        reverse("console:account"),
        {"old_password": PASSWORD, "new_password1": "another-long-word", "new_password2": "another-long-word"},
    )

    assert "Your old password was entered incorrectly" in refused.content.decode()
    assert done.status_code == 302
    assert is_inside(page)
    assert not is_inside(elsewhere)
    assert is_let_in(log_in(User.objects.get(), "another-long-word"))


def test_a_forgotten_password_is_chosen_anew_by_mail(us: Organisation, settings: Any) -> None:
    settings.MAIL_URL = "smtp://127.0.0.1:1?tls=none"
    user = somebody(us)
    client = Client()
    answers = {
        email: client.post(reverse("console:password_reset"), {"email": email}).content
        for email in (user.email.upper(), "nobody@example.test")
    }
    again = client.post(reverse("console:password_reset"), {"email": user.email})
    row = Notice.objects.get()

    assert len(set(answers.values())) == 1
    assert again.status_code == 200
    # No row holds the link; it is made when the mail is sent.
    assert "/password/" not in f"{row.body}{row.url}{row.why}"
    assert row.to == user.email


def test_a_link_for_a_new_password_works_once_and_ends_every_session(us: Organisation, page: Client) -> None:
    user, client = User.objects.get(), Client()
    where = accounts.reset_path(user)
    form = client.get(where, follow=True)
    done = client.post(
        form.request["PATH_INFO"], {"new_password1": "another-long-word", "new_password2": "another-long-word"}
    )

    assert done.status_code == 302
    assert not is_inside(page)
    assert is_let_in(log_in(user, "another-long-word"))
    assert "This link no longer works" in Client().get(where, follow=True).content.decode()


def test_without_mail_an_admin_makes_the_link(us: Organisation, settings: Any) -> None:
    settings.MAIL_URL = ""
    user, boss = somebody(us), Client()
    boss.force_login(
        User.objects.create_superuser("boss@example.test", PASSWORD, name="Boss"),
        backend="django.contrib.auth.backends.ModelBackend",
    )

    asked = Client().post(reverse("console:password_reset"), {"email": user.email}).content.decode()
    made = boss.post(
        "/admin/hub/user/", {"action": "make_password_link", "_selected_action": [user.pk]}, follow=True
    ).content.decode()
    found = re.search(r"/password/[^/]+/[^/]+/", made)

    assert "Ask your administrator" in asked
    assert Notice.objects.count() == 0
    assert found is not None
    assert "Choose a new password" in Client().get(found[0], follow=True).content.decode()


def test_who_is_no_superuser_makes_no_link_for_one(us: Organisation) -> None:
    boss = User.objects.create_superuser("boss@example.test", PASSWORD, name="Boss")
    staff = somebody(us, "admin", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client = Client()
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")

    said = client.post(
        "/admin/hub/user/", {"action": "make_password_link", "_selected_action": [boss.pk]}, follow=True
    ).content.decode()

    assert "/password/" not in said
    assert "Only a superuser can create a link for Boss." in said
