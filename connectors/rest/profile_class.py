"""Makes the connector class of a profile."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from typing import Any, TypeVar

from connectors.kit.contract import Limits, Setting, TicketConnector
from hub.core.sentences import sentence

from . import validation
from .profile import Profile
from .webhooks import TakesCalls

Kind = TypeVar("Kind", bound=TicketConnector)


def made(base: type[Kind], document: str) -> type[Kind]:
    """The class for one profile, derived from `base`; ValueError lists every mistake in the document."""
    profile = validation.read(document)
    members: dict[str, Any] = {
        "__module__": base.__module__,
        "__doc__": profile.about,
        "slug": f"rest.{profile.slug}",
        "label": profile.name,
        "profile": profile,
        "settings": _settings(profile, addresses(document)),
        "fields": tuple(profile.ticket.fields),
        "insert_only": frozenset(profile.insert_only),
        "limits": _limits(profile),
        "dates_changes": "changed_at" not in profile.lacks,
        "lengths": {name: int(value) for name, value in profile.lengths.items()},
    }
    bases: tuple[type, ...] = (base,)
    if profile.hook is not None:
        bases = (TakesCalls, base)
        members |= {
            "signs_hooks": profile.hook.check != "secret_path",
            "signature_headers": profile.hook.signature_headers,
        }
    return type(f"Rest_{re.sub('[^A-Za-z0-9]', '_', profile.slug)}", bases, members)


def _limits(profile: Profile) -> Limits | None:
    row = profile.limits
    if row is None or not row.requests:
        return None
    return Limits(requests=int(row.requests), seconds=int(row.seconds), share=row.share, threads=row.threads)


def _settings(profile: Profile, where: frozenset[str]) -> tuple[Setting, ...]:
    """The settings of a profile. Labels and help texts are translated if the message catalogue contains them."""
    return tuple(
        Setting(
            name=row.name,
            label=sentence(row.label),
            help=sentence(row.help) if row.help else "",
            is_secret=row.secret,
            is_required=row.required,
            is_address=row.name in where,
            is_long=row.long,
            default=row.default,
            picklist=row.picklist,
            choices=tuple((value, sentence(label)) for value, label in row.choices.items()),
        )
        for row in profile.settings
    )


def addresses(document: str) -> frozenset[str]:
    """The names of the settings that decide where credentials are sent and which certificate authority is trusted."""
    connect = tomllib.loads(document).get("connect", {})
    told = [connect.get(name, "") for name in ("base", "discover", "token", "authority")]
    return frozenset(re.findall(r"settings\.(\w+)", json.dumps(told)))


def ways_in(document: str) -> str:
    """A digest of where and how credentials are sent: [connect], and the defaults of its settings."""
    told = tomllib.loads(document)
    defaults = {row["name"]: row.get("default", "") for row in told.get("settings", ())}
    text = json.dumps([told.get("connect", {}), defaults], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
