"""Webhook calls: signatures, repeats, registration."""

from __future__ import annotations

import re

import pytest

from connectors.kit.errors import BadSignature, ConnectorError

from .suite import Stage, Suite, shows


class Hooks(Suite):
    """Webhook calls: signatures, repeats, registration."""

    @shows("signed webhooks")
    def test_a_signed_hook_names_its_ticket(self, stage: Stage) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        assert stage.called.read_hook(headers, body).key == "4711"

    @shows("signed webhooks")
    def test_the_same_hook_twice_is_the_same_delivery_and_other_news_another(self, stage: Stage) -> None:
        self.need("hooks")
        first = stage.called.read_hook(*self.hook(stage.simulator, "4711", 1))
        assert stage.called.read_hook(*self.hook(stage.simulator, "4711", 1)) == first
        assert stage.called.read_hook(*self.hook(stage.simulator, "4711", 2)).delivery != first.delivery

    @shows("signed webhooks")
    def test_header_names_are_read_in_any_case(self, stage: Stage) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        assert stage.called.read_hook({name.upper(): v for name, v in headers.items()}, body).key == "4711"

    @shows("signed webhooks")
    def test_a_hook_with_another_body_is_not_theirs(self, stage: Stage) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        with pytest.raises(BadSignature):
            stage.called.read_hook(headers, body.replace(b"4711", b"4712"))

    @shows("signed webhooks")
    @pytest.mark.parametrize("value", ["", "sha1=", "AAAA", "é", "sha1=" + "A" * 5000])
    def test_a_hook_with_a_made_up_signature_is_not_theirs(self, stage: Stage, value: str) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        with pytest.raises(BadSignature):
            stage.called.read_hook(dict.fromkeys(headers, value), body)
        with pytest.raises(BadSignature):
            stage.called.read_hook({}, body)

    @shows("signed webhooks")
    def test_a_signed_hook_that_names_no_ticket_is_refused_not_believed(self, stage: Stage) -> None:
        self.need("hooks")
        _headers, body = self.hook(stage.simulator, "4711", 1)
        for nonsense in (b'"../../1"', b"true", b"{}", b"-1", b"12.5"):
            spoilt = re.sub(rb'"?4711"?', nonsense, body)
            with pytest.raises((ConnectorError, ValueError, TypeError, AttributeError)):
                stage.called.read_hook(self.sign(stage.simulator, spoilt), spoilt)

    @shows("signed webhooks")
    def test_asking_twice_to_be_called_registers_once(self, stage: Stage) -> None:
        self.need("hooks")
        first = stage.called.register_hook("https://hub.example/hooks/1/")
        count = self.registered(stage.simulator)
        assert stage.called.register_hook("https://hub.example/hooks/1/") == first
        assert self.registered(stage.simulator) == count >= 1

    @shows("signed webhooks")
    def test_another_connections_registration_is_left_alone(self, stage: Stage) -> None:
        self.need("hooks")
        stage.called.register_hook("https://hub.example/hooks/1/")
        count = self.registered(stage.simulator)
        stage.called.register_hook("https://hub.example/hooks/2/")
        assert self.registered(stage.simulator) == 2 * count

    @shows("signed webhooks")
    def test_calls_that_were_switched_off_are_switched_on_again_and_it_is_said(self, stage: Stage) -> None:
        self.need("hooks")
        first = stage.called.register_hook("https://hub.example/hooks/1/")
        self.switch_off(stage.simulator)
        again = stage.called.register_hook("https://hub.example/hooks/1/")
        assert (first.was_off, again.key, bool(again.was_off)) == ("", first.key, True)
        assert stage.called.register_hook("https://hub.example/hooks/1/").was_off == ""
