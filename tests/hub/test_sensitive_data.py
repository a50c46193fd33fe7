"""What looks like a password, a key or a personal number in a text."""

from __future__ import annotations

import pytest

from hub.core.sensitive_data import MASK, Kind, find, masked

PEM = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("Login: ada, Password: Sommer2026!", Kind.PASSWORD, "Sommer2026!"),
        ("Das Kennwort lautet „wolke7“.", Kind.PASSWORD, "wolke7"),
        ("https://x.example/?token=abcd1234", Kind.PASSWORD, "abcd1234"),
        ("PIN: 4711", Kind.PASSWORD, "4711"),
        ('{"password": "hunter2"}', Kind.PASSWORD, "hunter2"),
        ("DB_PASSWORD=a,b;c!d", Kind.PASSWORD, "a,b;c!d"),
        ("password: " + "x1" * 300, Kind.PASSWORD, "x1" * 300),
        ("iban de89370400440532013000", Kind.IBAN, "de89370400440532013000"),
        (PEM, Kind.KEY, PEM),
        ("AKIA" + "Z" * 16, Kind.KEY, "AKIA" + "Z" * 16),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", Kind.KEY, "-----BEGIN OPENSSH PRIVATE KEY-----"),
        ("pay to DE89 3704 0044 0532 0130 00 today", Kind.IBAN, "DE89 3704 0044 0532 0130 00"),
        ("card 4111 1111 1111 1111", Kind.CARD, "4111 1111 1111 1111"),
        ("IdNr 86 095 742 719", Kind.IDENTITY, "86 095 742 719"),
    ],
)
def test_what_is_found(text: str, kind: Kind, what: str) -> None:
    [found] = find(text)
    assert (found.kind, text[found.start : found.end]) == (kind, what)
    assert what not in masked(text)
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "T20261128.0012, INC0012345, KB5034441, 0x80070005, 192.168.0.12, fe80::1",
        "DE88 3704 0044 0532 0130 00 and 4111 1111 1111 1112 have wrong check digits",
        "The password was reset. Password: expired",
        "Please call +49 30 1234567 or 030/123456789",
        "password: ••• and pin: ****",
        "order 100482310457, serial 7Q2K-88XX, 2026-11-30 09:15:00",
        "",
    ],
)
def test_what_tickets_are_full_of_is_not_found(text: str) -> None:
    assert find(text) == []


def test_a_key_without_its_end_and_the_end_of_a_long_text_are_found() -> None:
    assert masked("-----BEGIN PGP PRIVATE KEY BLOCK-----\nxcFGBF") == MASK
    assert find("x " * 150_000 + "password: hunter2")
