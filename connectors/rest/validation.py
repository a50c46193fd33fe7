"""Reads a profile and checks what no single value shows, such as parts that need each other."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from connectors.rest.schema import BadProfile, Mistake, Place, read_row
from connectors.rest.values import FUNCTIONS
from hub.core.sentences import sentence

from . import names
from .placeholders import unset, with_defaults
from .profile import LONGEST, Defaults, Paging, PicklistRow, Profile, Step
from .times import zone
from .vocabulary import KNOWN_OPERATIONS, LACKS

Wrong = Callable[[str, str], None]
ASKS_WITH = {"page": "page", "offset": "offset", "time": "offset", "keyset": "after", "cursor": "cursor"}
COUNTED = ("page", "offset", "time", "keyset")
"""Styles of paging that tell by a page's length whether there are more."""
_FORM = re.compile(r"%[aAbBcdfGHIjmMpSuUVwWxXyYzZ%]")


def read(document: str) -> Profile:
    """The profile in a TOML text; BadProfile lists every mistake with its place."""
    return _read(document)


@lru_cache(maxsize=64)
def _read(document: str) -> Profile:
    if len(document) > LONGEST:
        raise BadProfile([Mistake("profile", sentence("It is longer than %(most)s characters.", most=f"{LONGEST:,}"))])
    try:
        raw = tomllib.loads(document)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        why = sentence("This is not valid TOML: %(reason)s", reason=str(error))
        raise BadProfile([Mistake("profile", why)]) from error
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
    """Add every mistake in how the parts of a profile fit together."""

    def wrong(where: str, what: str) -> None:
        mistakes.append(Mistake(where, what))

    for name in profile.lacks.keys() - LACKS.keys():
        wrong(f"lacks.{name}", sentence("This name is not known. Known names: %(names)s.", names=", ".join(LACKS)))
    for name in ("notes", "files"):
        if name in profile.lacks and getattr(profile, name):
            wrong(f"lacks.{name}", sentence("There is a [[%(name)s]] as well. Remove one of them.", name=name))
    _settings(profile, wrong)
    _operations(profile, wrong)
    _records(profile, wrong)
    _times(profile, wrong)
    _hooks(profile, wrong)
    names.check(profile, wrong)
    for where, name, there in unset(profile):
        wrong(
            where,
            sentence(
                "“%(name)s” has no value in this request, so it would be left out. Available here: %(names)s.",
                name=name,
                names=there,
            ),
        )


def _settings(profile: Profile, wrong: Wrong) -> None:
    names = [row.name for row in profile.settings]
    if len(set(names)) != len(names):
        wrong("settings", sentence("Two settings have the same name."))
    for row in profile.settings:
        if row.picklist and row.picklist not in profile.picklists:
            wrong(f"settings.{row.name}.picklist", _no_table(f"[picklists.{row.picklist}]"))
    if profile.connect.wrong and profile.connect.wrong not in names:
        wrong("connect.wrong", sentence("There is no setting “%(name)s”.", name=profile.connect.wrong))
    if profile.limits is not None and bool(profile.limits.requests) != bool(profile.limits.seconds):
        wrong("limits", sentence("Enter both requests and seconds, or neither."))
    if "discovered" in profile.connect.base.names and profile.connect.discover is None:
        wrong("connect.base", sentence("{discovered} needs a [connect.discover]."))
    for field in (*profile.insert_only, *profile.lengths):
        if field not in profile.ticket.fields:
            place = "insert_only" if field in profile.insert_only else f"lengths.{field}"
            wrong(place, sentence("There is no “%(name)s” in [ticket.fields].", name=field))


def _no_table(name: str) -> str:
    return sentence("There is no %(table)s.", table=name)


def _operations(profile: Profile, wrong: Wrong) -> None:
    _missing_operations(profile, wrong)
    own = _own_operations(profile)
    for name in sorted(own - profile.operations.keys()):
        wrong("operations", sentence("There is no operation “%(name)s”, but another table uses it.", name=name))
    for name, steps in profile.operations.items():
        if name not in KNOWN_OPERATIONS and name not in own:
            wrong(f"operations.{name}", sentence("No table uses this operation. Check its name."))
        for number, step in enumerate(steps):
            _step(step, f"operations.{name}" if len(steps) == 1 else f"operations.{name}.{number}", wrong)
    _answers_used(profile, wrong)
    _values_sent(profile, wrong)


def _own_operations(profile: Profile) -> set[str]:
    """The operations that tables of this profile use."""
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
        why = sentence("This operation is missing.")
        if name in LACKS:
            why = sentence(
                "This operation is missing. If the system has none, give the reason in [lacks]: %(name)s = “…”",
                name=name,
            )
        wrong(f"operations.{name}", why)
    for name in ("who", "find"):
        if name in lacks and name in there:
            wrong(
                f"lacks.{name}", sentence("There is an [operations.%(name)s] as well. Remove one of them.", name=name)
            )
    for row in profile.errors:
        if row.operation and row.operation not in there:
            wrong("errors.operation", _no_table(f"[operations.{row.operation}]"))
    for name, is_used, where in (
        ("quota", profile.limits is not None and profile.limits.left is not None, "limits.left"),
        ("person", profile.people is not None, "people"),
    ):
        if is_used and name not in there:
            wrong(where, _no_table(f"[operations.{name}]"))
        if name in there and not is_used:
            wrong(f"operations.{name}", sentence("Its response is not used. Add [%(table)s].", table=where))


def _answers_used(profile: Profile, wrong: Wrong) -> None:
    """Where the list is in its response, and the new ID in that of `create`."""
    there = profile.operations
    for name in ("list", "find", "notes", "files"):
        if there.get(name) and there[name][-1].items is None:
            wrong(f"operations.{name}.items", sentence("This is missing: where is the list in the response?"))
    creates = there.get("create", ())
    if creates and all(each.key is None and each.item is None for each in creates):
        wrong("operations.create.key", sentence("This is missing: where is the new ID in the response?"))


def _values_sent(profile: Profile, wrong: Wrong) -> None:
    """Our reference, our mark, the visibility and the time: each has to be part of a request."""
    there = profile.operations
    creates, notes = there.get("create", ()), there.get("note", ())
    if creates and not names.mentions(creates, "change.reference"):
        wrong(
            "operations.create",
            sentence("No request writes {change.reference}. Without it, a ticket could be created twice."),
        )
    if notes and not names.mentions(notes, "change.mark"):
        wrong("operations.note", sentence("No request writes {change.marked}. Without it, a note could be sent twice."))
    many = len(profile.picklists["visibility"].values) > 1 if "visibility" in profile.picklists else False
    if notes and many and not names.mentions(notes, "change.visibility"):
        wrong(
            "operations.note",
            sentence("No request uses {change.visibility}. All notes would be visible to the same people."),
        )
    if (
        "changed_since" not in profile.lacks
        and there.get("list")
        and not names.mentions(there["list"], "since", "cursor")
    ):
        wrong(
            "operations.list",
            sentence("It does not use {since}. If the system cannot list changes, add changed_since to [lacks]."),
        )


def _step(step: Step, where: str, wrong: Wrong) -> None:
    if sum(x is not None and x is not False for x in (step.body, step.form, step.multipart, step.raw)) > 1:
        wrong(where, sentence("A request can have only one of body, form, multipart and raw."))
    if step.paging is not None:
        _paging(step, step.paging, where, wrong)


def _paging(step: Step, paging: Paging, where: str, wrong: Wrong) -> None:
    if paging.style in ("cursor", "next_url") and paging.next is None:
        wrong(
            f"{where}.paging.next",
            sentence("This is missing: with “%(style)s” the response has to name the next page.", style=paging.style),
        )
    if paging.style == "keyset" and paging.key is None:
        wrong(f"{where}.paging.key", sentence("This is missing: which value of a record increases?"))
    if paging.style in COUNTED and step.items is not None and ".filter(" in step.items.source:
        wrong(
            f"{where}.items",
            sentence("Do not filter here: the number of records shows where the list ends. Filter with “only”."),
        )
    asks = ASKS_WITH.get(paging.style)
    if asks and not names.mentions((step,), asks):
        wrong(
            f"{where}.paging.style",
            sentence("The request does not use %(name)s. Every page would be the first one.", name=f"{{{asks}}}"),
        )


def _records(profile: Profile, wrong: Wrong) -> None:
    for name in ("created_at", "changed_at"):
        if (getattr(profile.ticket, name) is None) != (name in profile.lacks):
            wrong(
                f"ticket.{name}",
                sentence("Enter where it is, or add %(name)s to [lacks] if the system has none; not both.", name=name),
            )
    for name in ("status", "priority"):
        if name in profile.ticket.fields and name not in profile.picklists:
            wrong(f"picklists.{name}", sentence("This is missing: which values can it have?"))
    if not profile.notes and "notes" not in profile.lacks:
        wrong("notes", sentence("This is missing: where are the notes? If there are none, add notes to [lacks]."))
    if profile.notes and "visibility" not in profile.picklists:
        wrong("picklists.visibility", sentence("This is missing: who can see a note? The visibility is never guessed."))
    _notes(profile, wrong)
    _files(profile, wrong)
    paging = profile.operations["list"][-1].paging if profile.operations.get("list") else None
    if paging is not None and paging.style == "time" and profile.ticket.changed_at is None:
        wrong(
            "operations.list.paging.style",
            sentence("“time” continues from the newest change, but these records have no time of change."),
        )
    if profile.ticket.reference is None:
        wrong(
            "ticket.reference",
            sentence("This is missing: where is our reference read back? It can be part of the description."),
        )
    for name, row in profile.picklists.items():
        if not row.values and (not row.operation or row.value is None):
            wrong(f"picklists.{name}", sentence("Enter values, or an operation with value and label."))
        _parts(profile, name, row, wrong)


NO_DETAIL = sentence("This is missing: which operation reads the detail that is used here?")


def _notes(profile: Profile, wrong: Wrong) -> None:
    for number, note in enumerate(profile.notes):
        if note.items is None and not note.operation:
            wrong(
                f"notes.{number}",
                sentence("Enter where the notes are: items in the ticket's response, or an operation."),
            )
        used = [each for each in (note.text, note.visibility, note.only, note.key, note.author) if each is not None]
        if not note.detail and any("detail" in each.names for each in used):
            wrong(f"notes.{number}.detail", NO_DETAIL)
        if note.key is None and "note_key" not in profile.lacks:
            wrong(f"notes.{number}.key", sentence("This is missing. If notes have no IDs, add note_key to [lacks]."))


def _files(profile: Profile, wrong: Wrong) -> None:
    for number, file in enumerate(profile.files):
        picked = [each for each in (file.name, file.size, file.only, file.created_at, file.mark) if each is not None]
        if not file.detail and any("detail" in each.names for each in picked):
            wrong(f"files.{number}.detail", NO_DETAIL)
        if file.items is None and not file.operation:
            wrong(
                f"files.{number}",
                sentence("Enter where the files are: items in the ticket's response, or an operation."),
            )


def _parts(profile: Profile, name: str, row: PicklistRow, wrong: Wrong) -> None:
    """Values that are a part of one of the vendor's values, by a condition."""
    whole = {each.value for each in row.values if not each.of}
    for number, each in enumerate(row.values):
        place = f"picklists.{name}.values.{number}"
        if bool(each.of) != (each.when is not None):
            wrong(
                place,
                sentence(
                    "“of” is the vendor's value, and “when” selects the records of this part. Enter both, or neither."
                ),
            )
        elif each.of and name not in profile.ticket.fields:
            wrong(
                place,
                sentence("Only a field of [ticket.fields] can have parts, and “%(name)s” is not one.", name=name),
            )
        elif each.of and not row.operation and each.of not in whole:
            wrong(place, sentence("There is no value “%(value)s” of which this one could be a part.", value=each.of))


def _times(profile: Profile, wrong: Wrong) -> None:
    for form in profile.times.read:
        if form not in ("iso", "http", "rfc2822") and not _is_form(form):
            wrong("times.read", _not_a_format(form, "iso, http, rfc2822", "%d.%m.%Y %H:%M"))
    if profile.since.write not in ("epoch", "epoch_ms") and not _is_form(profile.since.write):
        wrong("since.write", _not_a_format(profile.since.write, "epoch, epoch_ms", "%Y-%m-%d %H:%M:%S"))
    for place, text in (("times.zone", profile.times.zone), ("since.zone", profile.since.zone)):
        if text is None or text.names:
            continue
        try:
            zone(text.text({}))
        except ValueError as error:
            wrong(place, str(error))


def _not_a_format(form: str, names: str, example: str) -> str:
    return sentence(
        "“%(form)s” is not a format. Use one of %(names)s, or a format such as %(example)s.",
        form=form,
        names=names,
        example=example,
    )


def _is_form(form: str) -> bool:
    """Whether it is a strftime format in which each % is valid."""
    return "%" in form and "%" not in _FORM.sub("", form)


def _hooks(profile: Profile, wrong: Wrong) -> None:
    hook = profile.hook
    if hook is None:
        return
    if hook.key is None and hook.keys is None:
        wrong("hook.key", sentence("This is missing: which record is the call about?"))
    if hook.check in ("hmac", "header", "basic") and hook.secret is None:
        wrong("hook.secret", sentence("This is missing: “%(check)s” needs a secret.", check=hook.check))
    if hook.check in ("hmac", "header") and not hook.header:
        wrong("hook.header", sentence("This is missing: which header contains it?"))
