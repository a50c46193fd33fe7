"""The people of a ConnectWise system, which calls them members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.connectwise.api import MOST_IN_LIST, Api
from connectors.connectwise.conditions import quoted
from connectors.connectwise.values import Json
from connectors.kit.contract import readable
from connectors.kit.errors import Refused
from hub.core.sentences import sentence


class Members:
    """Names by member ID, kept in the connection's memory, because records contain only the member ID."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def own(self) -> Json:
        """The record of the API member."""
        conditions = f"identifier={quoted(self.api.values['member'])}"
        found = self.api.http().get("system/members", conditions=conditions)
        if not found:
            raise Refused(
                sentence("There is no member with this ID, or the keys give no access to it."), field="member"
            )
        return dict(found[0])

    def is_own(self, identifier: Any) -> bool:
        """Whether this is the API member, ignoring case."""
        return isinstance(identifier, str) and identifier.lower() == self.api.values["member"].lower()

    def name(self, identifier: Any) -> str:
        """The name of a member; the ID if it was never looked up."""
        return self.api.ports.memory.get(f"member.{identifier}".lower(), str(identifier or ""))

    def learn(self, identifiers: Iterable[Any]) -> None:
        """Look up the members that are not in memory yet, all in one query."""
        memory = self.api.ports.memory
        unknown = sorted({str(each) for each in identifiers if each and f"member.{each}".lower() not in memory})
        if not unknown:
            return
        names = ",".join(quoted(each) for each in unknown[:MOST_IN_LIST])

        def keep(member: Json) -> None:
            name = f"{member.get('firstName') or ''} {member.get('lastName') or ''}".strip()
            memory[f"member.{member['identifier']}".lower()] = name or str(member["identifier"])

        readable(self.api.listed("system/members", conditions=f"identifier in ({names})"), keep)
        for each in unknown[:MOST_IN_LIST]:
            memory.setdefault(f"member.{each}".lower(), each)
