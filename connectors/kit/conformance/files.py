"""Files: unchanged in both directions."""

from __future__ import annotations

import pytest

from connectors.kit.errors import Refused

from .suite import MARK, Stage, Suite, shows


class Files(Suite):
    """Files: unchanged in both directions."""

    @shows("attachments")
    def test_a_file_arrives_unchanged(self, stage: Stage) -> None:
        key = self.create(stage).key
        content = bytes(range(256)) * 40
        made = self.send(stage, key, "dump.bin", content)
        [file] = [file for file in stage.connector.fetch(key).files or () if file.key == made]
        assert (file.size, file.is_ours, file.mark, file.name) == (len(content), True, MARK, "dump.bin")
        assert stage.connector.content(key, file) == content

    @shows("attachments")
    def test_a_file_of_theirs_can_be_read(self, stage: Stage) -> None:
        key = self.open(stage)
        self.attach(stage.simulator, key, "trace.txt", "abc")
        [file] = stage.connector.fetch(key).files or ()
        assert (file.name, file.is_ours, stage.connector.content(key, file)) == ("trace.txt", False, b"abc")

    @shows("attachments")
    def test_a_file_of_ten_megabytes_arrives_or_is_refused_in_words(self, stage: Stage) -> None:
        key = self.create(stage).key
        content = b"0123456789abcdef" * (10 * 1024 * 1024 // 16)
        try:
            made = self.send(stage, key, "large.bin", content)
        except Refused as refused:
            if len(str(refused)) < 20:
                pytest.fail(f"{refused!r} does not say what is wrong")
            return
        [file] = [file for file in stage.connector.fetch(key).files or () if file.key == made]
        assert stage.connector.content(key, file) == content
