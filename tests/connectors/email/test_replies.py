"""What was written, apart from what was quoted, in the shapes that mail programs give it."""

from __future__ import annotations

import pytest

from connectors.email.replies import MARKER, is_forward, separated
from connectors.kit.markup import cleaned, text_of

ANSWERS = {
    "outlook": "Done\n\nFrom: Hub <hub@x.test>\nSent: Monday, 2 March 2026 10:11\nTo: Ulf\nSubject: x\n\nold",
    "outlook in bold": "Done\n\n*From:* Hub\n*Sent:* Monday, 2 March 2026 10:11\n*To:* Ulf\n*Subject:* x\n\nold",
    "outlook german": "Done\n\nVon: Hub\nGesendet: Montag, 2. März 2026 10:11\nAn: Ulf\nBetreff: Drucker\n\nalt",
    "outlook russian": "Done\n\nОт: Hub <h@x.test>\nОтправлено: 2 марта 2026 г.\nКому: U\nТема: x\n\nстарое",
    "outlook on the web": f"Done\n{'_' * 32}\nFrom: Hub\nSent: Monday, March 2, 2026\nTo: Ulf\nSubject: x\n\nold",
    "old outlook": "Done\n\n-----Original Message-----\nFrom: Hub\nSent: Mon\nTo: Ulf\nSubject: x\n\nold",
    "zimbra french": 'Done\n\n----- Mail original -----\nDe: "a" <a@x.test>\nÀ: b\nEnvoyé: Lundi\nObjet: x\n\nold',
    "lotus notes": "Done\n\n\nFrom:   Hub/NW@NW\nTo:     Ulf\nDate:   02.03.2026 10:11\nSubject:        x\n\nold",
    "gmail": "Done\n\nOn Mon, Mar 2, 2026 at 10:11 AM Hub <hub@x.test> wrote:\n\n> old\n",
    "gmail in two lines": "Done\n\nOn Mon, Mar 2, 2026 at 10:11 AM A Long Name <\nhub@x.test> wrote:\n\n> old",
    "gmail french": "Done\n\nLe lun. 2 mars 2026 à 10:11, Hub <hub@x.test> a écrit :\n\n> old\n> older",
    "gmail dutch": "Done\n\nOp ma 2 mrt 2026 om 10:11 schreef Hub <hub@x.test>:\n\n> old",
    "gmail japanese": "Done\n\n2026年3月2日(月) 10:11 Hub <hub@x.test>:\n\n> old",
    "android russian": 'Done\n02.04.2012 14:20 пользователь "b@x.test" <\nb@x.test> написал:\n\n> old\n>',
    "yahoo": "Done\n\n--- On Wed, 4/4/12, x@y.test <x@y.test> wrote:\n\nFrom: x\nSubject: y\n\nold",
    "thunderbird, below": "On 04/02/2012 06:26 PM, Megan wrote:\n> old\nDone",
    "our own line": f"Done\n\n{MARKER.capitalize()}\nold",
    "dutch": "Done\n\nOp 3 mrt. 2026, om 13:18 heeft Jan <j@x.test> het volgende geschreven:\n\nIs het aan?",
    "header block that begins with the date": "Done\nDate: Tue, 3 Mar 2026 10:55:48 +0000\nFrom: a@x.test\n"
    "To: b@x.test\nSubject: Printer\n\nIs it on?",
    "who wrote, between dashes": "Done\n\n---- Jan Smith wrote ----\nIs it on?",
    "when and who, between dashes": "Done\n\n------On 3/3/2026 17:32, Jan Smith wrote-----\nIs it on?",
    "a date and an address": "Done\n2026/3/3 Jan <jan@x.test>\n\n> Is it on?",
    "in one line": "Done On Tue, Mar 3, 2026 at 3:59 PM, jan@x.test wrote:\n> Is it on?",
    "apple's forward": "Done\n\nBegin forwarded message:\n\n> From: a@x.test\n> Is it on?",
}


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_what_was_written_and_the_quotation_is_kept(text: str) -> None:
    written, quoted = separated(text)

    assert written == "Done"
    assert set(quoted.split()) | {"Done"} == set(text.split())


def test_answers_between_the_lines_are_all_kept() -> None:
    written, quoted = separated("On 2 Mar 2026, Bob wrote:\n> Is it on?\nYes.\n> Is it hot?\nNo.\n")

    assert (written, quoted) == ("Yes.\nNo.", "On 2 Mar 2026, Bob wrote:\n> Is it on?\n> Is it hot?")


@pytest.mark.parametrize(
    "text",
    [
        "Hello,\nThe steps at 10:30 were:\n1. restart\n2. wait\nThanks",
        "From: the second floor\nI see this:\nerror 0x11b",
        "These users wrote in at 10:30 today:\n\nbob\nalice",
        "Steps\n--- Original behaviour ---\nprints\n--- New behaviour ---\nfails",
        "Name | Date | To\n-----------------\nA: 1\nB: 2",
        "> all of it\n> is quoted",
        "It says\n>>> import os\n>>> os.listdir('/data')\nand then nothing",
        "Try this:\nSubject: to be chosen\nTo: whom you like",
        "",
    ],
)
def test_what_only_looks_a_little_like_it_stays(text: str) -> None:
    assert separated(text) == (text, "")


@pytest.mark.parametrize(
    ("subject", "is_one"), [("Fwd: Printer", True), ("WG: Drucker", True), ("Re: Fwd: x", False), ("Forwarding", False)]
)
def test_a_forward_says_so_in_its_subject(subject: str, is_one: bool) -> None:
    assert is_forward(subject) is is_one


def test_html_becomes_text_in_which_a_quotation_is_seen() -> None:
    html = (
        '<div>Done &amp; dusted</div><div><br></div><div class="gmail_quote">On Mon, Apr 2, 2012 at 6:26 PM, M &lt;'
        '<a href="mailto:m@x.test">m@x.test</a>&gt; wrote:<br><blockquote>Hi<style>p{}</style></blockquote></div>'
    )

    assert separated(text_of(html))[0] == "Done & dusted"
    assert (
        text_of('<ul><li>one<li>two</ul><a href="https://x.test/a">see</a>') == "* one\n* two\n\nsee <https://x.test/a>"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="java\tscript:alert(1)">x</a>',
        '<a href="data:text/html,x">x</a>',
        "<svg><script>1</script></svg>",
        "<form action=/x><input></form>",
        '<p style="background:url(http://spy.test)">x</p>',
        "<iframe src=http://spy.test></iframe>",
        "<base href=http://spy.test>",
        "<math><mtext><style><img src=x onerror=alert(1)></style>",
    ],
)
def test_nothing_in_shown_html_can_act_or_call_out(html: str) -> None:
    shown = cleaned(f"<p>before</p>{html}<p>after</p>")

    assert shown.startswith("<p>before</p>")
    for bad in ("script", "onerror", "javascript", "data:", "spy.test", "<form", "<svg", "<img", "style"):
        assert bad not in shown


def test_markup_ten_thousand_deep_is_read() -> None:
    assert text_of("<div>" * 10_000 + "deep" + "</div>" * 10_000) == "deep"
    assert "deep" in cleaned("<b>" * 3_000 + "deep")
