"""The forms mail is written in: parts in their order, charsets, broken lines, signatures, reports of several kinds."""

from __future__ import annotations

import base64
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options, PKCS7SignatureBuilder

from connectors.email.bounces import Fate
from connectors.email.parser import Action, Kind, Mail, Reader
from connectors.email.replies import MARKER
from connectors.email.threads import Keys, reply_address

KEYS = Keys((b"k" * 32,))
HEAD = (
    b"From: Pavan Print <desk@printfleet.test>\r\nTo: hub@northwind.test\r\nSubject: Spooler\r\n"
    b"Date: Mon, 16 Mar 2026 09:00:00 +0000\r\nMessage-ID: <x1@printfleet.test>\r\nMIME-Version: 1.0\r\n"
)


def read(raw: bytes) -> Mail:
    return Reader(keys=KEYS, own_addresses={"hub@northwind.test"}, hub="HUBHUBHU").read(raw)


def mail(body: str | bytes, kind: str = "text/plain; charset=utf-8", *, encoding: str = "8bit", more: str = "") -> Mail:
    raw = body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode()
    return read(HEAD + f"{more}Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + raw)


def parted(kind: str, *parts: tuple[str, str], boundary: str = "bnd") -> str:
    told = "".join(f"--{boundary}\nContent-Type: {name}\n\n{text}\n" for name, text in parts)
    return f"Content-Type: {kind}; boundary={boundary}\n\n{told}--{boundary}--\n"


def whole(text: str) -> Mail:
    return read(HEAD + text.replace("\n", "\r\n").encode())


# -- parts in their order, each in its best form


def test_a_gateways_plain_footer_does_not_replace_the_mail() -> None:
    found = whole(parted("multipart/mixed", ("text/html", "<p>The spooler died.</p>"), ("text/plain", "Confidential.")))
    assert found.text == "The spooler died.\nConfidential."


def test_what_lies_in_a_related_part_comes_before_the_footer_of_a_list() -> None:
    inner = parted("multipart/related", ("text/html", "<p>It died.</p>"), ("image/png; name=a.png", "x"), boundary="in")
    head, _, body = inner.partition("\n\n")
    found = whole(parted("multipart/mixed", (head.removeprefix("Content-Type: "), body), ("text/plain", "A list.")))
    assert found.text == "It died.\nA list."
    assert [each.name for each in found.attachments] == ["a.png"]


def test_of_two_forms_of_the_same_the_plain_one_is_read_and_what_follows_too() -> None:
    inner = parted("multipart/alternative", ("text/plain", "It died."), ("text/html", "<p>It died!</p>"), boundary="in")
    head, _, body = inner.partition("\n\n")
    parts = [(head.removeprefix("Content-Type: "), body), ("text/html", "<p>And a list.</p>")]
    assert whole(parted("multipart/mixed", *parts)).text == "It died.\nAnd a list."


def test_a_plain_form_with_nothing_in_it_is_not_the_best_one() -> None:
    found = whole(parted("multipart/alternative", ("text/plain", "  "), ("text/html", "<p>It died.</p>")))
    assert found.text == "It died."


# -- charsets

SAID = "プリンタが動きません。すぐに来てください。"


@pytest.mark.parametrize(
    ("codec", "charset"),
    [
        ("iso2022_jp", ""),
        ("iso2022_jp", "us-ascii"),
        ("iso2022_jp", "utf-8"),
        ("iso2022_jp", "shift_jis"),
        ("cp932", ""),
        ("cp932", "iso-8859-1"),
        ("cp932", "utf-8"),
        ("cp932", "iso-2022-jp"),
        ("cp932", "euc-jp"),
        ("euc_jp", ""),
        ("euc_jp", "us-ascii"),
        ("euc_jp", "shift_jis"),
        ("utf-8", "iso-2022-jp"),
        ("utf-8", "shift_jis"),
        ("utf-8", ""),
    ],
)
def test_japanese_is_read_whatever_charset_is_named(codec: str, charset: str) -> None:
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    assert mail(SAID.encode(codec), kind).text == SAID


@pytest.mark.parametrize("codec", ["iso2022_jp", "cp932", "euc_jp"])
def test_a_japanese_subject_without_encoded_words_is_read(codec: str) -> None:
    raw = HEAD.replace(b"Spooler", SAID.encode(codec)) + b"Content-Type: text/plain\r\n\r\nx"
    assert read(raw).subject == SAID


@pytest.mark.parametrize(
    ("text", "codec", "charset"),
    [
        ("Größe: 5 €, Überlauf, müßig", "cp1252", ""),
        ("Größe: 5 €, Überlauf, müßig", "cp1252", "iso-8859-1"),
        ("Où est l'imprimante à côté ?", "cp1252", "utf-8"),
        ("Принтер не печатает", "koi8-r", "koi8-r"),
        ("打印机坏了", "gb18030", "gb2312"),
        ("프린터가 고장났습니다", "cp949", "euc-kr"),
    ],
)
def test_other_languages_are_not_taken_for_japanese(text: str, codec: str, charset: str) -> None:
    assert mail(text.encode(codec), f"text/plain; charset={charset}" if charset else "text/plain").text == text


# -- quotations, and lines broken only to be sent


def test_in_a_mail_that_answers_nothing_nothing_is_a_quotation() -> None:
    text = "The log says:\n\n> spooler: out of paper\n> spooler: halted\n\nFrom: x\nSent: y\nTo: z\nSubject: q"
    assert mail(text).text == text
    assert mail(text).quoted == ""
    answer = mail(text, more="In-Reply-To: <y@printfleet.test>\r\n")
    assert answer.text == "The log says:"


def test_lines_broken_to_be_sent_are_whole_again() -> None:
    text = "The printer on \nfloor 2 is \nout of toner.\n\n  indented\n-- \nPavan"
    kind = "text/plain; charset=utf-8; format=flowed"
    assert mail(text, kind).text == "The printer on floor 2 is out of toner.\n\n indented\n-- \nPavan"
    assert mail("プリン \nタ", f"{kind}; DelSp=yes").text == "プリンタ"
    assert mail(text).text == text


def test_a_flowed_answer_keeps_its_quotation_apart() -> None:
    text = "We come \ntomorrow.\n\nOn Mon, 16 Mar 2026, hub wrote:\n> When do \n> you come?\n>> Toner"
    found = mail(text, "text/plain; format=flowed", more="In-Reply-To: <y@printfleet.test>\r\n")
    assert found.text == "We come tomorrow."
    assert "> When do you come?\n>> Toner" in found.quoted


# -- S/MIME and winmail.dat


def signer() -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "desk@printfleet.test")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=365))
    return made.sign(key, hashes.SHA256()), key


INSIDE = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe fuser was replaced.\r\n"
SMIME = 'application/pkcs7-mime; smime-type={}; name="smime.p7m"'


def indefinite(der: bytes) -> bytes:
    """The outermost structures with the lengths that programs write which sign while they read."""

    def header(at: int) -> int:
        return 2 + (der[at + 1] & 0x7F if der[at + 1] & 0x80 else 0)

    start = header(0)
    oid_end = start + header(start) + der[start + 1]
    return b"\x30\x80" + der[start:oid_end] + b"\xa0\x80" + der[oid_end + header(oid_end) :] + b"\0\0\0\0"


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_opaque_signed_mail_is_read(is_streamed: bool) -> None:
    certificate, key = signer()
    made = PKCS7SignatureBuilder().set_data(INSIDE).add_signer(certificate, key, hashes.SHA256())
    der = made.sign(Encoding.DER, [PKCS7Options.Binary])
    found = mail(
        base64.encodebytes(indefinite(der) if is_streamed else der), SMIME.format("signed-data"), encoding="base64"
    )
    assert (found.text, found.attachments) == ("The fuser was replaced.", ())
    assert found.action == Action.OPEN_TICKET


def test_an_encrypted_mail_still_waits_for_a_person() -> None:
    certificate, _key = signer()
    der = PKCS7EnvelopeBuilder().set_data(INSIDE).add_recipient(certificate).encrypt(Encoding.DER, [])
    found = mail(base64.encodebytes(der), SMIME.format("enveloped-data"), encoding="base64")
    assert found.action == Action.HOLD
    assert "encrypted" in found.why


def test_what_is_encrypted_within_a_signature_waits_for_a_person() -> None:
    certificate, key = signer()
    sealed = PKCS7EnvelopeBuilder().set_data(INSIDE).add_recipient(certificate).encrypt(Encoding.DER, [])
    head = f"Content-Type: {SMIME.format('enveloped-data')}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    made = (
        PKCS7SignatureBuilder()
        .set_data(head + base64.encodebytes(sealed))
        .add_signer(certificate, key, hashes.SHA256())
    )
    der = made.sign(Encoding.DER, [PKCS7Options.Binary])
    assert mail(base64.encodebytes(der), SMIME.format("signed-data"), encoding="base64").action == Action.HOLD


def test_an_answer_with_winmail_dat_alone_is_taken_with_its_file() -> None:
    said = f"{MARKER}\nToner is out".replace("\n", "\n> ")
    parts = [("text/plain", f"On Monday, hub wrote at 9:00:\n> {said}"), ("application/ms-tnef; name=winmail.dat", "x")]
    found = whole(f"In-Reply-To: <y@printfleet.test>\n{parted('multipart/mixed', *parts)}")
    assert found.action == Action.OPEN_TICKET
    assert found.text.startswith("[Outlook packed")


@pytest.mark.parametrize("raw", [b"", b"0\x80", b"0" * 500, b"\x30\x82\xff\xff" * 60])
def test_a_damaged_signature_is_no_mail_to_read(raw: bytes) -> None:
    found = mail(base64.encodebytes(raw), SMIME.format("signed-data"), encoding="base64")
    assert found.action == Action.HOLD


def test_winmail_dat_is_kept_with_a_word_about_what_it_is() -> None:
    parts = [("text/plain", "See the file."), ("application/ms-tnef; name=winmail.dat", "x")]
    found = whole(parted("multipart/mixed", *parts))
    assert [each.name for each in found.attachments] == ["winmail.dat"]
    assert found.text.startswith("See the file.\n\n[Outlook packed this e-mail into winmail.dat")


# -- reports

STATUS = "Reporting-MTA: dns; mx.printfleet.test\n\nFinal-Recipient: {}\nAction: failed\nStatus: 5.1.1\n"


@pytest.mark.parametrize(
    ("recipient", "address"),
    [
        ("utf-8; jürgen@müller.test", "jürgen@müller.test"),
        ("utf-8; j\\x{FC}rgen@printfleet.test", "jürgen@printfleet.test"),
        ("rfc822; desk@printfleet.test", "desk@printfleet.test"),
    ],
)
@pytest.mark.parametrize("is_encoded", [False, True])
def test_a_bounce_of_internationalised_mail_is_a_bounce(recipient: str, address: str, is_encoded: bool) -> None:
    status = STATUS.format(recipient)
    kind = "message/global-delivery-status"
    if is_encoded:
        kind += "\nContent-Transfer-Encoding: base64"
        status = base64.encodebytes(status.encode()).decode()
    report = parted("multipart/report; report-type=global-delivery-status", ("text/plain", "Sorry."), (kind, status))
    found = whole(report.replace("\n\n--bnd", "\n--bnd"))
    assert found.kind == Kind.BOUNCE
    assert found.failing == (address,)
    assert found.report is not None
    assert (found.report.fate, found.report.status) == (Fate.FAILED, "5.1.1")


def test_a_complaint_opens_nothing_and_waits_for_an_admin() -> None:
    told = "Feedback-Type: abuse\nUser-Agent: Example/1.0\nVersion: 1\nOriginal-Rcpt-To: desk@printfleet.test\n"
    tag = reply_address(KEYS, leg="01JZZZZZZZZZZZZZZZZZZZZZZ1", mailbox="h@n.test")
    original = f"To: desk@printfleet.test\nReply-To: {tag}\nSubject: Toner\n\nx"
    report = parted(
        "multipart/report; report-type=feedback-report",
        ("text/plain", "This is an abuse report."),
        ("message/feedback-report", told),
        ("message/rfc822", original),
    )
    found = whole(report)
    assert (found.kind, found.action) == (Kind.COMPLAINT, Action.HOLD)
    assert "complaint (abuse)" in found.why
    assert "desk@printfleet.test" in found.why


@pytest.mark.parametrize("subject", ["Delivery failed: mail to our supplier", "Undeliverable mail", "Returned mail?"])
@pytest.mark.parametrize("first", ["Hello", "Sorry to bother you", "The following happens", "This is new to me"])
def test_a_person_who_pastes_a_bounce_wrote_a_message(subject: str, first: str) -> None:
    pasted = (
        f"{first},\n\nwhen I write to our supplier I get this. Please look into it.\n\n"
        "This is the mail system at host mx.test.\nI'm sorry to have to inform you that your message could not be "
        "delivered.\n\n<orders@supplier.test>: host mx.supplier.test said: 550 5.1.1 User unknown\n"
    )
    raw = HEAD.replace(b"Spooler", subject.encode()) + b"Content-Type: text/plain\r\n\r\n" + pasted.encode()
    found = read(raw)
    assert (found.kind, found.action, found.failing) == (Kind.TICKET, Action.OPEN_TICKET, ())
    assert found.text.startswith(f"{first},")


@pytest.mark.parametrize("local", ["hub", "h" * 16, "h" * 20, "h" * 21, "h" * 40, "h" * 64])
def test_a_reply_address_has_at_most_64_characters_before_the_at(local: str) -> None:
    found = reply_address(KEYS, leg="01JZZZZZZZZZZZZZZZZZZZZZZ1", mailbox=f"{local}@northwind.test")
    assert len(found.partition("@")[0]) <= 64
    assert ("+" in found) == (len(local) <= 20)
