"""Reads a profile's text, and judges what no single value of it shows: things that need each other, names that have to
be there."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from connectors.rest.schema import BadProfile, Filled, Mistake, Place, read_row
from connectors.rest.values import FUNCTIONS
from hub.expressions import Expression
from hub.expressions.texts import Text, Tree

from .given import unset, with_defaults
from .profile import LONGEST, Defaults, Paging, PicklistRow, Profile, Step
from .times import zone
from .vocabulary import KNOWN_OPERATIONS, LACKS

Wrong = Callable[[str, str], None]
CHANGE = {
    "id",
    "kind",
    "key",
    "reference",
    "ticket",
    "visibility",
    "text",
    "marked",
    "mark",
    "name",
    "content",
    "size",
    "type",
}
ASKS_WITH = {"page": "page", "offset": "offset", "time": "offset", "keyset": "after", "cursor": "cursor"}
COUNTED = ("page", "offset", "time", "keyset")
"""Styles of paging that see by a page's length whether there is more."""
_TEXTS = re.compile(
    r"(?<![\w.])(me|key|since|reference|prefix|cursor|after|page|offset|limit)\.([A-Za-z_]\w*)(?!\w*\s*\()"
)
_BARE = re.compile(r"(?:fields|change|settings|secrets|steps|heads)\.\w[\w.]*")
_FORM = re.compile(r"%[aAbBcdfGHIjmMpSuUVwWxXyYzZ%]")
_NAMED = re.compile(r"(?<![\w.])(settings|secrets|fields|change|steps|heads)\.([A-Za-z_]\w*)")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")


def read(document: str) -> Profile:
    """The profile of a TOML text; BadProfile names every mistake and its place."""
    return _read(document)


@lru_cache(maxsize=64)
def _read(document: str) -> Profile:
    if len(document) > LONGEST:
        raise BadProfile([Mistake("profile", f"It is longer than {LONGEST} characters.")])
    try:
        raw = tomllib.loads(document)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadProfile([Mistake("profile", f"This is no TOML: {error}.")]) from error
    mistakes: list[Mistake] = []
    functions: Mapping[str, Callable[..., Any]] = FUNCTIONS
    defaults = raw.get("defaults")
    if defaults is not None:
        read_row(Defaults, Place("defaults", mistakes, functions=functions), defaults)
        raw = with_defaults(raw)
    raw["digest"] = hashlib.sha256(document.encode()).hexdigest()[:16]
    found = read_row(Profile, Place("", mistakes, functions=functions), raw)
    if found is not None and not mistakes:
        judge(found, mistakes)
    if mistakes or found is None:
        raise BadProfile(mistakes)
    return found


def judge(profile: Profile, mistakes: list[Mistake]) -> None:
    def wrong(where: str, what: str) -> None:
        mistakes.append(Mistake(where, what))

    for name in profile.lacks.keys() - LACKS.keys():
        wrong(f"lacks.{name}", f"There is no such lack; there are: {', '.join(LACKS)}.")
    for name in ("notes", "files"):
        if name in profile.lacks and getattr(profile, name):
            wrong(f"lacks.{name}", f"There is a [[{name}]] as well: leave out one of the two.")
    _settings(profile, wrong)
    _operations(profile, wrong)
    _records(profile, wrong)
    _times(profile, wrong)
    _hooks(profile, wrong)
    _names(profile, wrong)
    for where, name, there in unset(profile):
        wrong(where, f"“{name}” is never set in this request, so it would vanish from it. Set here: {there}.")


def _settings(profile: Profile, wrong: Wrong) -> None:
    names = [row.name for row in profile.settings]
    if len(set(names)) != len(names):
        wrong("settings", "Two settings have the same name.")
    for row in profile.settings:
        if row.picklist and row.picklist not in profile.picklists:
            wrong(f"settings.{row.name}.picklist", f"There is no [picklists.{row.picklist}].")
    if profile.connect.wrong and profile.connect.wrong not in names:
        wrong("connect.wrong", f"There is no setting “{profile.connect.wrong}”.")
    if profile.limits is not None and bool(profile.limits.requests) != bool(profile.limits.seconds):
        wrong("limits", "Say how many requests within how many seconds: both, or neither.")
    if "discovered" in profile.connect.base.names and profile.connect.discover is None:
        wrong("connect.base", "{discovered} needs a [connect.discover].")
    for field in (*profile.insert_only, *profile.lengths):
        if field not in profile.ticket.fields:
            place = "insert_only" if field in profile.insert_only else f"lengths.{field}"
            wrong(place, f"There is no “{field}” in [ticket.fields].")


def _operations(profile: Profile, wrong: Wrong) -> None:
    _missing_operations(profile, wrong)
    own = _own_operations(profile)
    for name in sorted(own - profile.operations.keys()):
        wrong("operations", f"There is no operation “{name}”, though a table above asks for it.")
    for name, steps in profile.operations.items():
        if name not in KNOWN_OPERATIONS and name not in own:
            wrong(f"operations.{name}", "Nothing uses this operation. Is its name right?")
        for number, step in enumerate(steps):
            _step(step, f"operations.{name}" if len(steps) == 1 else f"operations.{name}.{number}", wrong)
    _answers_used(profile, wrong)
    _values_sent(profile, wrong)


def _own_operations(profile: Profile) -> set[str]:
    """The operations that tables of this profile name."""
    own = {row.operation for row in profile.notes} | {row.operation for row in profile.files}
    own |= {row.operation for row in profile.picklists.values()} | {row.detail for row in profile.notes}
    own |= {row.detail for row in profile.files}
    return own - {""}


def _missing_operations(profile: Profile, wrong: Wrong) -> None:
    lacks, there = profile.lacks, profile.operations
    needed = {"list", "get", "create", "update"} | {name for name in ("who", "find") if name not in lacks}
    needed |= set() if "notes" in lacks else {"note"}
    needed |= set() if "files" in lacks else {"file", "download"}
    for name in sorted(needed - there.keys()):
        lack = f", or a line in [lacks] that says why not: {name} = “…”" if name in LACKS else ""
        wrong(f"operations.{name}", f"This operation is missing{lack}.")
    for name in ("who", "find"):
        if name in lacks and name in there:
            wrong(f"lacks.{name}", f"There is an [operations.{name}] as well: leave out one of the two.")
    for row in profile.errors:
        if row.operation and row.operation not in there:
            wrong("errors.operation", f"There is no [operations.{row.operation}].")
    for name, is_used, where in (
        ("quota", profile.limits is not None and profile.limits.left is not None, "limits.left"),
        ("person", profile.people is not None, "people"),
    ):
        if is_used and name not in there:
            wrong(where, f"There is no [operations.{name}] to ask.")
        if name in there and not is_used:
            wrong(f"operations.{name}", f"Nothing says what its answer means: see [{where}].")


def _answers_used(profile: Profile, wrong: Wrong) -> None:
    """Where a list is in its answer, and the new id in that of `create`."""
    there = profile.operations
    for name in ("list", "find", "notes", "files"):
        if there.get(name) and there[name][-1].items is None:
            wrong(f"operations.{name}.items", "This is missing: where in the answer is the list?")
    creates = there.get("create", ())
    if creates and all(each.key is None and each.item is None for each in creates):
        wrong("operations.create.key", "This is missing: where in the answer is the new id?")


def _values_sent(profile: Profile, wrong: Wrong) -> None:
    """Our reference, our mark, the visibility and the time: each has to be part of a request."""
    there = profile.operations
    creates, notes = there.get("create", ()), there.get("note", ())
    if creates and not _mentions(creates, "change.reference"):
        wrong("operations.create", "Nothing writes {change.reference}: without it a ticket could be made twice.")
    if notes and not _mentions(notes, "change.mark"):
        wrong("operations.note", "Nothing writes {change.marked}: without our mark a note could be said twice.")
    many = len(profile.picklists["visibility"].values) > 1 if "visibility" in profile.picklists else False
    if notes and many and not _mentions(notes, "change.visibility"):
        wrong("operations.note", "Nothing uses {change.visibility}: every note would be seen by the same people.")
    if "changed_since" not in profile.lacks and there.get("list") and not _mentions(there["list"], "since", "cursor"):
        wrong("operations.list", "It does not use {since}; if they cannot tell what changed, say so in [lacks].")


def _step(step: Step, where: str, wrong: Wrong) -> None:
    if sum(x is not None and x is not False for x in (step.body, step.form, step.multipart, step.raw)) > 1:
        wrong(where, "A request has one of body, form, multipart and raw.")
    if step.paging is not None:
        _paging(step, step.paging, where, wrong)


def _paging(step: Step, paging: Paging, where: str, wrong: Wrong) -> None:
    if paging.style in ("cursor", "next_url") and paging.next is None:
        wrong(f"{where}.paging.next", f"This is missing: with “{paging.style}” the answer has to say what is next.")
    if paging.style == "keyset" and paging.key is None:
        wrong(f"{where}.paging.key", "This is missing: what in a record is counted up?")
    if paging.style in COUNTED and step.items is not None and ".filter(" in step.items.source:
        wrong(f"{where}.items", "How many there are tells where the pages end: take all, and leave out with “only”.")
    asks = ASKS_WITH.get(paging.style)
    if asks and not _mentions((step,), asks):
        wrong(f"{where}.paging.style", f"Nothing in the request uses {{{asks}}}: every page would be the first.")


def _records(profile: Profile, wrong: Wrong) -> None:
    for name in ("created_at", "changed_at"):
        if (getattr(profile.ticket, name) is None) != (name in profile.lacks):
            wrong(f"ticket.{name}", f"Say where it stands, or in [lacks] that they do not tell it ({name}), not both.")
    for name in ("status", "priority"):
        if name in profile.ticket.fields and name not in profile.picklists:
            wrong(f"picklists.{name}", "This is missing: which values can it have?")
    if not profile.notes and "notes" not in profile.lacks:
        wrong("notes", "This is missing: where are notes found? If there are none, say so in [lacks].")
    if profile.notes and "visibility" not in profile.picklists:
        wrong("picklists.visibility", "This is missing: who can a note be for? Visibility is never guessed.")
    for number, note in enumerate(profile.notes):
        if note.items is None and not note.operation:
            wrong(f"notes.{number}", "Say where the notes are: items in the ticket's answer, or an operation.")
        used = [each for each in (note.text, note.visibility, note.only, note.key, note.author) if each is not None]
        if not note.detail and any("detail" in each.names for each in used):
            wrong(f"notes.{number}.detail", "This is missing: which operation reads the detail that is looked at?")
        if note.key is None and "note_key" not in profile.lacks:
            wrong(f"notes.{number}.key", "This is missing; if notes have no ids, say so in [lacks] (note_key).")
    for number, file in enumerate(profile.files):
        picked = [each for each in (file.name, file.size, file.only, file.created_at, file.mark) if each is not None]
        if not file.detail and any("detail" in each.names for each in picked):
            wrong(f"files.{number}.detail", "This is missing: which operation reads the detail that is looked at?")
        if file.items is None and not file.operation:
            wrong(f"files.{number}", "Say where the files are: items in the ticket's answer, or an operation.")
    paging = profile.operations["list"][-1].paging if profile.operations.get("list") else None
    if paging is not None and paging.style == "time" and profile.ticket.changed_at is None:
        wrong("operations.list.paging.style", "“time” goes on from the newest change, which these records do not tell.")
    if profile.ticket.reference is None:
        wrong("ticket.reference", "This is missing: where is our reference read back? It may stand in the description.")
    for name, row in profile.picklists.items():
        if not row.values and (not row.operation or row.value is None):
            wrong(f"picklists.{name}", "Give values, or an operation with value and label.")
        _parts(profile, name, row, wrong)


def _parts(profile: Profile, name: str, row: PicklistRow, wrong: Wrong) -> None:
    """Values that are a part of one of theirs, by a condition."""
    whole = {each.value for each in row.values if not each.of}
    for number, each in enumerate(row.values):
        place = f"picklists.{name}.values.{number}"
        if bool(each.of) != (each.when is not None):
            wrong(place, "“of” names their own value, “when” says of which records this part is: give both, or none.")
        elif each.of and name not in profile.ticket.fields:
            wrong(place, f"Only a field of [ticket.fields] can have parts, and “{name}” is none.")
        elif each.of and not row.operation and each.of not in whole:
            wrong(place, f"There is no value “{each.of}” that this one could be a part of.")


def _times(profile: Profile, wrong: Wrong) -> None:
    for form in profile.times.read:
        if form not in ("iso", "http", "rfc2822") and not _is_form(form):
            wrong("times.read", f"“{form}” is neither iso, http nor a form like %d.%m.%Y %H:%M.")
    if profile.since.write not in ("epoch", "epoch_ms") and not _is_form(profile.since.write):
        wrong("since.write", f"“{profile.since.write}” is neither epoch, epoch_ms nor a form like %Y-%m-%d %H:%M:%S.")
    for place, text in (("times.zone", profile.times.zone), ("since.zone", profile.since.zone)):
        if text is None or text.names:
            continue
        try:
            zone(text.text({}))
        except ValueError as error:
            wrong(place, str(error))


def _is_form(form: str) -> bool:
    """Whether it is written as strftime's are, and each % in it means something."""
    return "%" in form and "%" not in _FORM.sub("", form)


def _hooks(profile: Profile, wrong: Wrong) -> None:
    hook = profile.hook
    if hook is None:
        return
    if hook.key is None and hook.keys is None:
        wrong("hook.key", "This is missing: which record is the call about?")
    if hook.check in ("hmac", "header", "basic") and hook.secret is None:
        wrong("hook.secret", f"This is missing: “{hook.check}” needs a secret.")
    if hook.check in ("hmac", "header") and not hook.header:
        wrong("hook.header", "This is missing: in which header does it stand?")


# -- names


def _names(profile: Profile, wrong: Wrong) -> None:
    """Every setting, field and step that is named has to be there."""
    plain = {row.name for row in profile.settings if not row.secret}
    secret = {row.name for row in profile.settings if row.secret}
    steps = {name: {step.name for step in group if step.name} for name, group in profile.operations.items()}
    known: Mapping[str, set[str]] = {
        "settings": plain,
        "secrets": secret,
        "change": CHANGE,
        "fields": set(profile.ticket.fields) | {f"{name}_of" for name in profile.picklists if profile.parts_of(name)},
    }
    for place, told in _fixed(profile.operations, "operations"):
        wrong(place, f"This is sent as it stands. Is {{{told}}} meant?")
    for place, source in _sources(profile, ""):
        for what, name in _TEXTS.findall(_QUOTED.sub("''", source)):
            if not re.search(rf"\(\s*{what}\s*,", source):  # not the name a macro gives each entry
                wrong(place, f"“{what}” is a text; there is no “{name}” in it.")
        for what, name in _NAMED.findall(_QUOTED.sub("''", source)):
            group = steps.get(place.split(".")[1], set()) if place.startswith("operations.") else None
            there = known.get(what, group)
            if there is None or name in there:
                continue
            if what == "settings" and name in secret:
                wrong(place, f"“{name}” is a secret: write {{secrets.{name}}}, in requests only.")
            elif what == "secrets" and name in plain:
                wrong(place, f"“{name}” is no secret: write {{settings.{name}}}.")
            else:
                wrong(place, f"There is no “{what}.{name}”; there are: {', '.join(sorted(there)) or 'none'}.")


def _fixed(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text of a request that has no {expression} and looks like one."""
    if isinstance(node, Text):
        told = "".join(part for part in node.parts if isinstance(part, str))
        if not node.expressions and _BARE.fullmatch(told):
            yield path, told
    elif isinstance(node, Tree):
        yield from _fixed(node.root, path)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _fixed(getattr(node, each.name), f"{path}.{each.name.rstrip('_')}")
    elif isinstance(node, Mapping):
        for key, inner in node.items():
            yield from _fixed(inner, f"{path}.{key}")
    elif isinstance(node, list | tuple):
        for number, inner in enumerate(node):
            yield from _fixed(inner, path if len(node) == 1 else f"{path}.{number}")


def _sources(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every expression of a profile with its place."""
    if isinstance(node, Expression):
        yield path, node.source
    elif isinstance(node, Text):
        yield from ((path, part.source) for part in node.parts if isinstance(part, Expression))
    elif isinstance(node, Tree):
        yield from _sources(node.root, path)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _sources(getattr(node, each.name), f"{path}.{each.name.rstrip('_')}".strip("."))
    elif isinstance(node, Mapping):
        for key, inner in node.items():
            name = (
                "".join(part if isinstance(part, str) else f"{{{part.source}}}" for part in key.parts)
                if (isinstance(key, Text))
                else key
            )
            if isinstance(key, Filled | Text):
                yield from _sources(key.text if isinstance(key, Filled) else key, f"{path}.{name}".strip("."))
            yield from _sources(inner, f"{path}.{name}".strip("."))
    elif isinstance(node, list | tuple):
        for number, inner in enumerate(node):
            yield from _sources(inner, path if len(node) == 1 else f"{path}.{number}")


def _mentions(steps: tuple[Step, ...], *what: str) -> bool:
    """Whether a request of these uses one of these names."""
    found = " ".join(source for step in steps for _place, source in _sources(step, ""))
    return any(re.search(rf"\b{re.escape(each)}", found) for each in what)
