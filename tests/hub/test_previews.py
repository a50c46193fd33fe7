"""Previews: what is shown of pictures, documents and texts, and what hostile files achieve: nothing."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from hub.previews import renderer, rendering
from hub.previews.rendering import Busy, NoPreview, draw, is_offered, preview


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 20), mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, kind, **more)  # type: ignore[arg-type]
    return out.getvalue()


def document(pages: int = 1, size: tuple[int, int] = (300, 400)) -> bytes:
    out = io.BytesIO()
    first, *rest = [Image.new("RGB", size, "white") for _ in range(pages)]
    first.save(out, "PDF", save_all=True, append_images=rest)
    return out.getvalue()


def opened(drawn: bytes) -> Image.Image:
    return Image.open(io.BytesIO(drawn))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_is_drawn_anew(kind: str) -> None:
    content = picture(kind)
    assert preview("a.png", content).pages == [(40, 20)]  # the content decides, not the name
    drawn = opened(draw(content, 0))
    assert (drawn.format, drawn.size) == ("WEBP", (40, 20))


def test_a_large_picture_is_made_smaller_and_turned_as_its_camera_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    content = picture("JPEG", (3000, 1500), exif=exif.tobytes())
    assert preview("a.jpg", content).pages == [(1200, 2400)]
    assert opened(draw(content, 0)).size == (1200, 2400)


def test_nothing_of_the_originals_metadata_is_passed_on() -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    drawn = draw(picture("JPEG", exif=exif.tobytes()), 0)
    assert b"where I live" not in drawn
    assert not opened(drawn).getexif()


def test_what_is_transparent_stays_so() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 60)).save(out, "PNG")
    assert opened(draw(out.getvalue(), 0)).mode == "RGBA"
    assert opened(draw(picture("JPEG"), 0)).mode == "RGB"


def test_a_document_has_pages_as_wide_as_the_preview() -> None:
    content = document(3)
    found = preview("a.pdf", content)
    assert (found.count, len(found.pages), found.pages[0]) == (3, 3, (1200, 1600))
    assert opened(draw(content, 2)).size == (1200, 1600)
    with pytest.raises(NoPreview):
        draw(content, 3)


def test_of_a_long_document_the_first_pages_are_shown() -> None:
    found = preview("a.pdf", document(renderer.MOST_PAGES + 2, (30, 40)))
    assert (found.count, len(found.pages)) == (renderer.MOST_PAGES + 2, renderer.MOST_PAGES)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b""),
        ("a.png", b"<script>alert(1)</script>"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.png", picture()[:60]),
        ("a.jpg", b"MZ" + bytes(500)),
        ("a.pdf", b"%PDF-1.7\nnothing of a document"),
        ("a.pdf", document()[:200]),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.html", b"<p>hello</p>"),
        ("a.exe", b"MZ"),
        ("a", b"text"),
        ("a.txt", b"\x00\x01\x02"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_what_to_do(name: str, content: bytes) -> None:
    with pytest.raises(NoPreview, match="Download the file to open it"):
        preview(name, content)


def test_a_picture_that_claims_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    header = picture(size=(1, 1))
    claimed = header[:16] + (9000).to_bytes(4, "big") + (9000).to_bytes(4, "big") + header[24:]
    with pytest.raises(NoPreview):
        preview("a.png", claimed)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"plain", "plain"),
        ("Grüße".encode(), "Grüße"),
        ("\ufeffGrüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        ("Grüße".encode("utf-16"), "Grüße"),
        (b"", ""),
    ],
)
def test_a_text_is_read_in_the_usual_encodings(content: bytes, text: str) -> None:
    assert preview("a.log", content).text == text


def test_of_a_long_text_the_beginning_is_shown() -> None:
    found = preview("a.txt", "ü".encode() * (5 * rendering.MOST_TEXT))
    assert len(found.text) == rendering.MOST_TEXT
    assert found.is_cut
    assert set(found.text) == {"ü"}


def test_a_long_text_in_an_older_encoding_keeps_its_letters() -> None:
    assert set(preview("a.txt", "ü".encode("cp1252") * (5 * rendering.MOST_TEXT)).text) == {"ü"}


def test_grey_of_16_bits_is_not_white() -> None:
    out = io.BytesIO()
    Image.new("I;16", (4, 4), 20_000).save(out, "PNG")
    low, high = opened(draw(out.getvalue(), 0)).convert("L").getextrema()
    assert 60 < low <= high < 100


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "endless.py"
    script.write_text("while True: pass")
    monkeypatch.setattr(rendering, "_RENDERER", script)
    monkeypatch.setattr(rendering, "SECONDS", 0.5)
    with pytest.raises(NoPreview, match="took too long"):
        draw(picture(), 0)


def test_too_many_at_once_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_free", threading.BoundedSemaphore(1))
    monkeypatch.setattr(rendering, "LONGEST_WAIT", 0.01)
    with rendering._free, pytest.raises(Busy):
        draw(picture(), 0)
    assert draw(picture(), 0)


@pytest.mark.parametrize(
    "attempt",
    [
        "bytearray(2 * renderer.MEMORY)",
        "file = open('made-by-a-file', 'wb', 0); file.write(b'x')",
        "print(1 / (len(os.environ) > 1))",
    ],
)
def test_the_process_may_neither_grow_nor_write_nor_know(attempt: str, tmp_path: Path) -> None:
    code = (
        f"import os, runpy, sys; sys.path.insert(0, {str(Path(renderer.__file__).parent)!r});"
        f"import renderer; renderer.limit(); {attempt}"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], env={}, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "made-by-a-file").exists() or (tmp_path / "made-by-a-file").stat().st_size == 0


def test_names_say_what_may_have_a_preview() -> None:
    assert [is_offered(name) for name in ("a.PNG", "a.pdf", "a.log", "a.svg", "a.html", "a.png.exe", "")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip
