"""Separates what somebody wrote from what they quoted.

Quotations are recognised by their structure rather than by words alone: lines with ">", a line above them that says who
wrote when, the block of headers that Outlook copies, a line of dashes around a few words. The quotation is kept. If
nothing else would be left, the whole text counts as written.

Our own line takes precedence: the text below it never counts as the sender's, however their program quotes, because it
is our own message, with the URL of the vendor's guest page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

MOST_LINES = 20_000
MARKER = "-- please write above this line --"
"""Our own line: everything below it counts as quoted, however a program quotes."""

_OURS = re.compile(r"please[\s>|]{1,40}write[\s>|]{1,40}above[\s>|]{1,40}this[\s>|]{1,40}line", re.IGNORECASE)
"""The marker as programs return it: wrapped, quoted, with longer dashes or none."""

_QUOTE = re.compile(r"[ \t]{0,3}>")
_PROMPT = re.compile(r"[ \t]{0,3}>>>")
_DASHES = re.compile(r"\s*[-–—_*]{2,20}\s*(?P<words>\w[\w\s'’.,/-]{2,60}?)\s*[-–—_*]{2,20}\s*", re.UNICODE)
_BEGINS = re.compile(
    r"\s*(begin forwarded message|anfang der weitergeleiteten (nachricht|e-mail)|"
    r"début du message (transféré|réexpédié)|"
    r"inicio del mensaje reenviado|inizio messaggio inoltrato|begin doorgestuurd bericht)\s*:\s*",
    re.IGNORECASE,
)
_WROTE_IN_DASHES = re.compile(r"\s*-{2,20}\s*(?P<words>\S.{1,120}?)\s*-{2,20}\s*")
_GLUED = re.compile(r"(?P<reply>\S.*?)[ \t]+(?P<who>On \w{3,9},? [^:]{4,60}\d[^\n]{0,160} wrote:)\s*")
"""A reply and the sentence that introduces the quotation in one line, as some programs write them."""
_RULE = re.compile(r"\s*(_{5,}|-{8,}|={8,}|\*{8,})\s*")
_FORWARDED = re.compile(
    r"original (message|appointment)|forwarded|weitergeleitete|ursprüngliche nachricht|originalnachricht|"
    r"message (d'origine|original|transféré)|mail original|mensaje (original|reenviado)|"
    r"mensagem (original|encaminhada)|messaggio (originale|inoltrato)|oorspronkelijk bericht|doorgestuurd|"
    r"ursprungligt meddelande|vidarebefordra|"
    r"opprinnelig melding|oprindelig meddelelse|videresendt|исходное сообщение|пересылаем|oryginalna wiadomość|"
    r"wiadomość (oryginalna|przekaz)|původní zpráva|eredeti üzenet|alkuperäinen viesti|özgün ileti",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"[>\s|*_]{0,6}(?P<label>[^\W\d_][^\n:：]{0,24}?)[ \t\xa0*_]{0,3}[:：][ \t\xa0*_]{0,3}(?P<value>.*)"
)
_FROM = {
    "from",
    "von",
    "de",
    "da",
    "van",
    "från",
    "fra",
    "od",
    "от",
    "lähettäjä",
    "kimden",
    "gönderen",
    "发件人",
    "寄件者",
    "差出人",
    "보낸 사람",
    "feladó",
    "odesílatel",
    "expéditeur",
    "mittente",
    "remitente",
    "от кого",
    "від",
}
_OTHERS = {
    "sent",
    "date",
    "to",
    "subject",
    "cc",
    "reply-to",
    "gesendet",
    "datum",
    "an",
    "betreff",
    "envoyé",
    "à",
    "objet",
    "enviado",
    "enviado el",
    "enviada em",
    "para",
    "asunto",
    "assunto",
    "inviato",
    "data",
    "a",
    "oggetto",
    "verzonden",
    "aan",
    "onderwerp",
    "skickat",
    "till",
    "ämne",
    "sendt",
    "til",
    "emne",
    "wysłano",
    "do",
    "temat",
    "отправлено",
    "дата",
    "кому",
    "тема",
    "lähetetty",
    "vastaanottaja",
    "aihe",
    "gönderme zamanı",
    "kime",
    "konu",
    "发送时间",
    "收件人",
    "主题",
    "寄件日期",
    "收件者",
    "主旨",
    "送信日時",
    "宛先",
    "件名",
    "보낸 날짜",
    "받는 사람",
    "제목",
    "elküldve",
    "címzett",
    "tárgy",
    "odesláno",
    "komu",
    "předmět",
    "importance",
    "organization",
    "organisation",
}
_WROTE = re.compile(
    r"\b(wrote|writes|schrieb|schrieben|a écrit|écrit|escribió|ha scritto|scrive|schreef|skrev|napisał\(?a?\)?|pisze|"
    r"escreveu|kirjoitti|yazdı|написала?|писала?|пишет|napsala?|írta|έγραψε|написав|пише|geschreven|va escriure|"
    r"a scris|napisao|napisal|napísala?|написа|đã viết|menulis)\b|写道|寫道|書きました|님이 작성|كتب|כתב",
    re.IGNORECASE,
)
_WHEN_OR_WHO = re.compile(r"@|\d{1,2}[:.h]\d\d|\d{4}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_DATE_AND_ADDRESS = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b[^\n]{0,80}<[^<>\s]{1,200}@[^<>\s]{1,200}>")
_ENDS = re.compile(r"[:：]\s*$")
_FORWARD_SUBJECT = re.compile(
    r"\s*(fwd?|wg|tr|rv|enc|doorst|vs|vl|vb|i|pd|пересл|továbbítás|转发|轉寄)\s*[:：]", re.IGNORECASE
)
MOST_JOINED = 5
LONGEST_ATTRIBUTION = 500


def is_forward(subject: str) -> bool:
    """Whether the subject marks a forwarded message, which then counts as a whole."""
    return _FORWARD_SUBJECT.match(subject) is not None


def separated(text: str) -> tuple[str, str]:
    r"""The written text and the quoted text.

    >>> separated("Hello\n\nOn Mon, 2 Apr 2012, Bob <b@x.test> wrote:\n> Hi\n")
    ('Hello', 'On Mon, 2 Apr 2012, Bob <b@x.test> wrote:\n> Hi')
    >>> separated("On 04/02/2012 06:26 PM, Megan wrote:\n> Hi\nHello, below")[0]
    'Hello, below'
    >>> separated("> all of it\n> is quoted")[0]
    '> all of it\n> is quoted'
    """
    above, ours = apart_from_ours(text)
    if ours:
        return above, ours
    lines = _unglued(text.split("\n"))
    head, rest = lines[:MOST_LINES], lines[MOST_LINES:]
    marks = _marks(head)
    written = _text(line for line, is_quoted in zip(head, marks, strict=True) if not is_quoted)
    if not written.strip():
        return text.strip(), ""
    quoted = _text(line for line, is_quoted in zip(head, marks, strict=True) if is_quoted)
    return written, _text([quoted, *rest]) if rest else quoted


def apart_from_ours(text: str) -> tuple[str, str]:
    r"""The text above our own line, without what introduces the quotation, and everything else.

    The second text is empty if our line is missing; the first may be empty too.

    >>> apart_from_ours("Done.\n\nOn Mon, 2 Apr 2012, Bob wrote:\n> -- please write above\n> this line --\n> Hi")[0]
    'Done.'
    >>> apart_from_ours("Lähettäjä: Hub\nAihe: Toner\n\n— please write above this line —\nToner")[0]
    ''
    >>> apart_from_ours("Hello")
    ('Hello', '')
    """
    found = _OURS.search(text)
    if found is None:
        return text.strip(), ""
    start = text.rfind("\n", 0, found.start()) + 1
    lines = _unglued([*text[:start].split("\n")[:-1], f"> {MARKER}"])[-MOST_LINES:]
    marks = _marks(lines)
    del marks[_introduced(lines, marks) :]
    written = _text(line for line, is_quoted in zip(lines, marks, strict=False) if not is_quoted)
    quoted = _text(
        [
            *(line for line, is_quoted in zip(lines, marks, strict=False) if is_quoted),
            *lines[len(marks) : -1],
            text[start:],
        ]
    )
    return written, quoted


def _introduced(lines: Sequence[str], marks: Sequence[bool]) -> int:
    """Where the introduction of our message begins: quoted or empty lines, a sentence with a colon, or headers."""
    at, labels = len(marks), list[str]()
    while at and (marks[at - 1] or _is_bare(lines[at - 1]) or _is_attribution(lines[at - 1])):
        at -= 1
    start = at
    while start and (label := _label(lines[start - 1])) in _FROM | _OTHERS:
        labels.append(label)
        start -= 1
    # A single line like "Date: Monday" is a person's answer; a sender or several such lines are headers of a message.
    is_header = any(label in _FROM for label in labels) or len(labels) > 1
    return start if is_header else at


def _is_bare(line: str) -> bool:
    return not line.strip(" \t\xa0>|*_-–—=")


def _is_attribution(line: str) -> bool:
    return len(line) < LONGEST_ATTRIBUTION and bool(_ENDS.search(line)) and bool(_WHEN_OR_WHO.search(line))


def below_ours(quoted: str) -> tuple[str, str]:
    r"""What was written below our own line if lines are quoted with ">": between those lines, and after the last one.

    Both texts are empty if the sender's text cannot be separated from ours.

    >>> below_ours("> -- please write above this line --\n> When?\nTomorrow.\n> Where?\nHere.")
    ('Tomorrow.', 'Here.')
    >>> below_ours("-- please write above this line --\nHi")
    ('', '')
    """
    found = _OURS.search(quoted)
    if found is None or _QUOTE.match(quoted, quoted.rfind("\n", 0, found.start()) + 1) is None:
        return "", ""
    lines = quoted[found.end() :].split("\n")[1:MOST_LINES]
    last = max((at for at, line in enumerate(lines) if _QUOTE.match(line)), default=0)
    after = list(takewhile(lambda line: _SIGNATURE.fullmatch(line) is None, lines[last + 1 :]))
    between = [line for line in lines[:last] if _QUOTE.match(line) is None]
    return _text(filter(str.strip, between)), _text(filter(str.strip, after))


_SIGNATURE = re.compile(r"-- ?|_{5,}|-{8,}\s*")


def _unglued(lines: list[str]) -> list[str]:
    """The lines, with a reply and the sentence that introduces a quotation on separate lines."""
    found: list[str] = []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        glued = _GLUED.fullmatch(line) if len(line) < LONGEST_ATTRIBUTION and _QUOTE.match(after) else None
        found += [glued["reply"].rstrip("- "), glued["who"]] if glued else [line]
    return found


def _text(lines: object) -> str:
    return "\n".join(lines).strip("\n \t\xa0")  # type: ignore[arg-type]


def _marks(lines: Sequence[str]) -> list[bool]:
    """Whether each line is quoted."""
    marks = [_QUOTE.match(line) is not None for line in lines]
    if all(_PROMPT.match(line) for line, is_quoted in zip(lines, marks, strict=True) if is_quoted):
        # Third-level quotations never occur alone: these are prompts or decoration.
        marks = [False] * len(lines)
    at = 0
    while at < len(lines):
        line = lines[at]
        if not marks[at] and line.strip():
            if _cuts(lines, at):
                marks[at:] = [True] * (len(lines) - at)
                break
            length = _attribution(lines, marks, at)
            if length:
                follows = _next_written(lines, at + length)
                marks[at : at + length] = [True] * length
                if follows is None or not marks[follows]:
                    # Quoted without ">": its end cannot be recognised.
                    marks[at:] = [True] * (len(lines) - at)
                    break
                at += length - 1
        at += 1
    return marks


_FRAME = frozenset("-–—_*")


def _cuts(lines: Sequence[str], at: int) -> bool:
    """Whether another message begins here."""
    line = lines[at]
    if len(line) > 200:
        return False
    bare = line.strip()
    is_framed = bare[:1] in _FRAME and bare[-1:] in _FRAME
    dashes = _DASHES.fullmatch(line) if is_framed else None
    if dashes and (_FORWARDED.search(dashes["words"]) or _is_header_block(lines, at + 1)):
        return True
    said = _WROTE_IN_DASHES.fullmatch(line) if is_framed else None
    if said and _WROTE.search(said["words"]) and (_WHEN_OR_WHO.search(said["words"]) or said["words"].count(" ") < 5):
        return True
    if _RULE.fullmatch(line) or _BEGINS.fullmatch(line):
        return _is_header_block(lines, at + 1)
    return _label(line) in _FROM | _OTHERS and _is_header_block(lines, at)


def _label(line: str) -> str:
    found = _LABEL.match(line)
    return found["label"].strip().lower() if found else ""


def _is_header_block(lines: Sequence[str], at: int) -> bool:
    """Whether the next lines are headers of a message: the sender and two more."""
    labels: list[str] = []
    seen = 0
    for line in lines[at : at + 14]:
        if not line.strip():
            if labels and seen:
                break
            continue
        seen += 1
        label = _label(line)
        if label in _FROM or label in _OTHERS:
            labels.append(label)
        elif not labels:
            return False
    return any(label in _FROM for label in labels) and len(set(labels)) >= 3


def _next_written(lines: Sequence[str], at: int) -> int | None:
    """The next line that is not empty, at most three lines further."""
    return next((number for number in range(at, min(at + 4, len(lines))) if lines[number].strip()), None)


def _attribution(lines: Sequence[str], marks: Sequence[bool], at: int) -> int:
    """The number of lines from here that say who wrote when; 0 if they do not."""
    joined = ""
    for length in range(1, MOST_JOINED + 1):
        number = at + length - 1
        if number >= len(lines) or marks[number] or not lines[number].strip():
            return 0
        joined = f"{joined} {lines[number].strip()}".strip()
        if len(joined) > LONGEST_ATTRIBUTION:
            return 0
        if length == 1 and (_DATE_AND_ADDRESS.fullmatch(joined) or _BEGINS.fullmatch(joined)):
            follows = _next_written(lines, at + length)
            return length if follows is not None and marks[follows] else 0
        if _ENDS.search(joined):
            if not _WHEN_OR_WHO.search(joined):
                return 0
            follows = _next_written(lines, at + length)
            is_above_quote = follows is not None and marks[follows] and _starts_like_one(lines[at])
            return length if is_above_quote or (_WROTE.search(joined) and _starts_like_one(lines[at])) else 0
    return 0


_STARTS = re.compile(
    r"[\s\-–—<(*_]{0,8}(on|at|am|le|el|il|op|den|em|w dniu|v|dne|в|у|il giorno|a|\d|[\w.+'’\"-]{1,60}\s*[<(\[@]|"
    r"[^\W\d_][\w.'’-]+( [\w.'’-]+){0,4},? ?(wrote|schrieb|a écrit|\d))",
    re.IGNORECASE,
)


def _starts_like_one(line: str) -> bool:
    """Whether such a sentence can begin like this: with a preposition, a date, or a name with an address."""
    return _STARTS.match(line) is not None or (_WROTE.search(line) is not None) or _WHEN_OR_WHO.search(line) is not None
