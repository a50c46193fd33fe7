"""Decodes bytes: by the charset of the message, or by what the bytes can be.

Charset names are read as in the WHATWG's encoding standard (https://encoding.spec.whatwg.org/#names-and-labels), which
mail programs and browsers follow. Much Japanese mail has no charset or a wrong one: escape sequences
(ISO-2022-JP, https://www.rfc-editor.org/rfc/rfc1468) and kana then show the encoding.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_NAMES = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "uft-8": "utf-8",
    "utf8": "utf-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "unicode-1-1-utf-7": "utf-7",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "iso-8859-8-i": "iso-8859-8",
    "x-mac-roman": "mac-roman",
    "windows-874": "cp874",
    "x-windows-949": "cp949",
}
"""Charset names in mail -> Python codecs, as in the WHATWG's encoding standard."""
_JAPANESE = frozenset({"cp932", "shift_jis", "euc_jp", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_ext"})
_DOUBTFUL = _JAPANESE | {"cp1252", "iso8859-15"}
"""Charsets that Japanese mail often names wrongly. They decode almost any bytes, so success proves nothing."""
_ESCAPES = re.compile(rb"\x1b(?:\$[@B]|\([JB]|\$\(D)")
"""The escape sequences of ISO-2022-JP (RFC 1468), which nothing else in mail contains."""
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]")


def decoded(raw: bytes, charset: str) -> str:
    """The text: by the given charset, else as UTF-8, else as Windows-1252. Never fails.

    >>> decoded("プリンタ".encode("iso2022_jp"), ""), decoded("プリンタが".encode("cp932"), "iso-8859-1")
    ('プリンタ', 'プリンタが')
    """
    said = _reads(charset.lower().strip("'\" "))
    if b"\x1b" in raw and _ESCAPES.search(raw) and not said.startswith(("iso2022", "utf-16")):
        return raw.decode("iso2022_jp_ext", "replace")
    text = _as_said(raw, said or "utf-8")
    if text is not None and (raw.isascii() or said not in _DOUBTFUL):
        return text
    if found := _japanese(raw, said):
        return found
    if text is None:
        text = _as_said(raw, "utf-8") or _nearly_utf_8(raw)
    return text or raw.decode("cp1252", "replace")


def _as_said(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except (UnicodeError, ValueError):
        return None


def _japanese(raw: bytes, said: str) -> str:
    """Japanese text with a wrong charset; empty if the bytes are not clearly Japanese."""
    as_utf_8 = _as_said(raw, "utf-8")
    if as_utf_8 is not None:
        # Bytes that are valid UTF-8 and contain kana cannot be anything else.
        return as_utf_8 if said in _JAPANESE and _KANA.search(as_utf_8) else ""
    for name in dict.fromkeys((said, "cp932", "euc_jp") if said in _JAPANESE else ("cp932", "euc_jp")):
        text = _as_said(raw, name)
        if text is None:
            continue
        foreign = sum(1 for letter in text if letter > "\x7f")
        half_wide = sum(1 for letter in text if "\uff61" <= letter <= "\uff9f")
        if len(_KANA.findall(text)) * 5 >= foreign > 1 and half_wide * 3 < foreign:
            return text
    return ""


def _nearly_utf_8(raw: bytes) -> str:
    """UTF-8 with a few broken characters, for example one that was cut off; empty for anything else."""
    text = raw.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - broken
    return text if good >= 4 * broken else ""


_NO_CHARSETS = frozenset({"punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "unicode-escape"})
"""Python codecs in which no mail is written; some take quadratic time."""


@lru_cache(maxsize=256)
def _reads(charset: str) -> str:
    """The codec for a charset name in mail; empty for an unknown one."""
    for name in (charset, _NAMES.get(charset, ""), charset.strip("_").partition("$")[0]):
        known = _NAMES.get(name, name)
        try:
            codec = codecs.lookup(known) if known else None
            if codec and codec._is_text_encoding and codec.name not in _NO_CHARSETS:
                return codec.name
        except (LookupError, ValueError):
            continue
    return ""
