"""What a connector says of itself in the quality.toml beside it: where its evidence is, and what it cannot do."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from .contract import Connector


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A connector's own page of claims."""

    slug: str
    evidence: str
    """The pytest class that shows them, as ``path::Class``."""
    suite: bool = True
    """Whether the kit's suite fits it; where not, `also` names all that is claimed."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Behaviours by name that this vendor has no way to show, and why."""
    also: Mapping[str, str] = field(default_factory=dict)
    """What it can do beyond the kit's behaviours -> the test that shows it, as ``path::test``."""


def of(kind: type[Connector]) -> Quality:
    """The claims of one connector; a third party's package carries its own file."""
    package = kind.__module__.rpartition(".")[0] or kind.__module__
    said = tomllib.loads((files(package) / "quality.toml").read_text(encoding="utf-8"))
    return Quality(
        slug=said["slug"],
        evidence=said["evidence"],
        suite=said.get("suite", True),
        cannot=said.get("cannot", {}),
        also=said.get("also", {}),
    )
