"""Workflows for tests, made as an import makes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hub.models import WorkflowVersion
from workflows.authoring import publishing, serialization

AT = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
STATES = [
    {"slug": slug, "name": slug.replace("-", " ").capitalize(), "phase": phase, "position": number, "is_default": True}
    for number, (slug, phase) in enumerate(
        [
            ("new", "new"),
            ("working", "active"),
            ("waiting", "waiting"),
            ("resolved", "resolved"),
            ("closed", "closed"),
            ("cancelled", "cancelled"),
        ]
    )
]


def rule(slug: str, sources: list[str] | None = None, target: str = "", **more: Any) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": slug.replace("_", " ").capitalize(),
        "sources": sources or [],
        "target": target,
        "guards": [],
        "actions": [],
        **more,
    }


def guard(kind: str, *, is_negated: bool = False, **params: Any) -> dict[str, Any]:
    return {"kind": kind, "params": params, "is_negated": is_negated}


def act(kind: str, **params: Any) -> dict[str, Any]:
    return {"kind": kind, "params": params}


def way_through() -> list[dict[str, Any]]:
    """Verbs that make a version whole: nothing in it is unreachable or a dead end."""
    return [
        rule("begin", ["new", "waiting"], "working"),
        rule("ask", ["new", "working"], "waiting"),
        rule("solve", ["new", "working", "waiting"], "resolved"),
        rule("shut", ["resolved"], "closed"),
        rule("again", ["resolved", "closed"], "working"),
        rule("drop", ["new", "working", "waiting"], "cancelled"),
    ]


def document(
    *rules: dict[str, Any], escalations: list[dict[str, Any]] | None = None, states: Any = None, **settings: Any
) -> dict[str, Any]:
    slugs = {each["slug"] for each in rules}
    return {
        "format": serialization.FORMAT,
        "workflow": "Standard",
        "settings": settings,
        "states": states or STATES,
        "transitions": [*rules, *(each for each in way_through() if each["slug"] not in slugs)],
        "escalations": escalations or [],
    }


def draft(*rules: dict[str, Any], **more: Any) -> WorkflowVersion:
    return serialization.taken_in(document(*rules, **more))


def published(*rules: dict[str, Any], **more: Any) -> WorkflowVersion:
    """The default workflow's next version, in force."""
    return publishing.publish(draft(*rules, **more), user=None, why="for a test", at=AT)
