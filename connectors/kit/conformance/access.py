"""Credentials and settings: the check, and where credentials may appear."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from connectors.kit.errors import ConnectorError, LockedOut, Refused

from .suite import Stage, Suite, Time, changes, shows


class Access(Suite):
    """Credentials and settings: the check, and where credentials may appear."""

    @shows("check, credentials, secrets")
    def test_check_succeeds_and_says_who_we_are(self, stage: Stage) -> None:
        checked = stage.connector.check()
        assert checked.own_user
        assert all(isinstance(value, str) for value in checked.facts.values())

    @shows("check, credentials, secrets")
    def test_check_changes_nothing_there(self, stage: Stage) -> None:
        stage.connector.check()
        assert stage.writes == []

    @shows("check, credentials, secrets")
    def test_check_names_each_setting_that_is_wrong(self) -> None:
        for name, value in self.wrong.items():
            time = Time()
            stage = self.wire(self.start(time), time, **{name: value})
            with pytest.raises((Refused, LockedOut)) as refused:
                stage.connector.check()
            assert getattr(refused.value, "field", "") == name, name

    @shows("check, credentials, secrets")
    def test_no_secret_stands_in_any_error(self) -> None:
        secrets = [setting.name for setting in self.connector.settings if setting.is_secret]
        for name, value in self.wrong.items():
            time = Time()
            simulator = self.start(time)
            stage = self.wire(simulator, time, **{name: value})
            with pytest.raises(ConnectorError) as refused:
                stage.connector.check()
            told = f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"
            for secret in secrets:
                assert self.values(simulator)[secret] not in told, (name, secret)

    @shows("check, credentials, secrets")
    def test_every_setting_has_a_label_and_every_required_one_a_help(self) -> None:
        for setting in self.connector.settings:
            assert setting.label
            assert setting.help or not setting.is_required, setting.name

    @shows("check, credentials, secrets")
    def test_credentials_that_end_in_mid_flight_lock_us_out(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.lock_out(stage.simulator)
        with pytest.raises(LockedOut):
            stage.connector.fetch(key)
        with pytest.raises(LockedOut):
            self.say(stage, key, "hello")

    @shows("check, credentials, secrets")
    def test_every_call_goes_to_the_vendors_own_hosts(self, stage: Stage) -> None:
        key = self.create(stage).key
        stage.connector.check()
        changes(stage.connector, "2026-03-01T00:00:00Z")
        stage.connector.fetch(key)
        hosts = {urlsplit(request.url or "").netloc for request in stage.seen}
        assert hosts <= self.hosts

    @shows("check, credentials, secrets")
    def test_credentials_never_stand_in_an_address(self, stage: Stage) -> None:
        self.create(stage)
        stage.connector.check()
        values = self.values(stage.simulator)
        for setting in self.connector.settings:
            if setting.is_secret:
                assert not [r.url for r in stage.seen if values[setting.name] in (r.url or "")]
