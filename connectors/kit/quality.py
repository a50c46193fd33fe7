"""What a connector declares in its quality.toml: the tests that prove its capabilities, and what it cannot do."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from .contract import Connector


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The claims of one connector."""

    slug: str
    evidence: str
    """The pytest class that proves them, as ``path::Class``."""
    suite: bool = True
    """Whether the kit's suite applies; if not, `also` lists everything that is claimed."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Behaviours that the vendor's system cannot show, each with the reason."""
    also: Mapping[str, str] = field(default_factory=dict)
    """Capabilities beyond the kit's behaviours, each with the test that proves it, as ``path::test``."""


def of(kind: type[Connector]) -> Quality:
    """The claims of one connector; a third party's package contains its own quality.toml."""
    package = kind.__module__.rpartition(".")[0] or kind.__module__
    said = tomllib.loads((files(package) / "quality.toml").read_text(encoding="utf-8"))
    return Quality(
        slug=said["slug"],
        evidence=said["evidence"],
        suite=said.get("suite", True),
        cannot=said.get("cannot", {}),
        also=said.get("also", {}),
    )
