"""Faults while reading: a partial or damaged response is never accepted."""

from __future__ import annotations

from contextlib import suppress

import pytest

from connectors.kit.errors import ConnectorError, Missing, Refused, TryLater

from .suite import REFERENCE, Stage, Suite, changes, shows

SPOILT_ANSWERS = {
    "nothing": b"",
    "a log-in page": b"<html><body>Sign in</body></html>",
    "null": b"null",
    "a number": b"7",
    "half of it": b'{"items": [{"id": 1, "title": "half',
    "other bytes": b"\xff\xfe\x00\x01",
    "deep": b"[" * 100_000,
}


class ReadFaults(Suite):
    """Faults while reading: a partial or damaged response is never accepted."""

    @shows("faults while reading")
    @pytest.mark.parametrize("spoilt", SPOILT_ANSWERS.values(), ids=SPOILT_ANSWERS)
    def test_an_answer_that_makes_no_sense_is_tried_again_or_refused(self, stage: Stage, spoilt: bytes) -> None:
        key = self.create(stage).key
        self.fail(stage, status=200, body=spoilt, times=9)
        with pytest.raises((TryLater, Refused, Missing)):
            stage.connector.fetch(key)

    @shows("faults while reading")
    @pytest.mark.parametrize("spoilt", SPOILT_ANSWERS.values(), ids=SPOILT_ANSWERS)
    def test_a_list_that_makes_no_sense_is_never_an_empty_one(self, stage: Stage, spoilt: bytes) -> None:
        self.create(stage)
        cursor = stage.connector.changes_since("").cursor
        self.fail(stage, status=200, body=spoilt, times=9)
        with pytest.raises((TryLater, Refused)):
            changes(stage.connector, cursor)

    @shows("faults while reading")
    def test_an_answer_cut_at_any_byte_is_never_half_understood(self, stage: Stage) -> None:
        key = self.create(stage).key
        stage.connector.glance(key)
        for cut in range(0, 200, 7):
            fault = self.fail(stage, "GET", cut=cut)
            with pytest.raises((TryLater, Refused)):
                stage.connector.glance(key)
            assert fault.times == 0

    @shows("faults while reading")
    def test_a_record_without_what_it_should_have_is_refused_not_crashed_on(self, stage: Stage) -> None:
        key = self.create(stage).key
        for spoilt in (b"{}", b"[]", b"[{}]", b'{"item": {}}', b'{"items": [{}]}', b'{"items": [null]}', b'"x"'):
            fault = self.fail(stage, status=200, body=spoilt, times=9)
            for call in (lambda: stage.connector.fetch(key), lambda: stage.connector.find(REFERENCE)):
                with suppress(ConnectorError):
                    call()
            fault.times = 0

    @shows("faults while reading")
    @pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
    def test_a_vendor_that_is_down_is_tried_later(self, stage: Stage, status: int) -> None:
        key = self.create(stage).key
        self.fail(stage, status=status, times=9)
        with pytest.raises(TryLater):
            stage.connector.fetch(key)

    @shows("faults while reading")
    @pytest.mark.parametrize(
        ("header", "least", "most"),
        [
            ("17", 17, 17),
            ("-5", 1, 1),
            ("1e9", 3600, 3600),
            ("Mon, 16 Mar 2020 09:00:00 GMT", 1, 1),
            ("soon", None, None),
            ("", None, None),
        ],
    )
    def test_too_many_requests_says_when_to_come_back(
        self, stage: Stage, header: str, least: float | None, most: float | None
    ) -> None:
        key = self.create(stage).key
        self.fail(stage, status=429, headers=(("Retry-After", header),) if header else (), times=9)
        with pytest.raises(TryLater) as later:
            stage.connector.fetch(key)
        if least is None or most is None:
            assert later.value.after is None
        else:
            assert later.value.after is not None
            assert least <= later.value.after <= most

    @shows("faults while reading")
    def test_a_redirect_is_not_followed(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.fail(stage, status=302, headers=(("Location", "http://169.254.169.254/latest"),), times=9)
        with pytest.raises(ConnectorError):
            stage.connector.fetch(key)
        assert not [request.url for request in stage.seen if "169.254" in (request.url or "")]

    @shows("faults while reading")
    def test_an_error_page_is_not_told_to_people(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.fail(stage, status=503, body=b"<html>canary stack trace</html>", times=9)
        with pytest.raises(TryLater) as later:
            stage.connector.fetch(key)
        assert "canary" not in str(later.value)
