"""The people of an Autotask database, which calls them resources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.autotask.api import Api
from connectors.autotask.queries import eq
from connectors.autotask.values import Json, id_of, text_of
from connectors.kit.contract import readable
from connectors.kit.errors import Refused
from hub.core.sentences import sentence


class People:
    """Names by resource ID, kept in the connection's memory, because records contain only IDs."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def name(self, key: Any) -> str:
        """The name of a resource; empty if it was never looked up."""
        return self.api.ports.memory.get(f"resource.{key}", "") if key is not None else ""

    def learn(self, tickets: Iterable[Json], notes: Iterable[Json]) -> None:
        """Look up the resources that are not in memory yet, all in one query."""
        memory = self.api.ports.memory
        seen = {text_of(t.get(name)) for t in tickets for name in ("assignedResourceID", "lastActivityResourceID")}
        seen |= {text_of(note.get("creatorResourceID") or note.get("resourceID")) for note in notes}
        unknown = {key for key in seen if key.isdecimal() and len(key) < 20 and f"resource.{key}" not in memory}

        def keep(person: Json) -> None:
            name = f"{person.get('firstName', '')} {person.get('lastName', '')}".strip()
            memory[f"resource.{id_of(person['id'])}"] = name or str(person.get("userName", ""))

        readable(self.api.by_ids("Resources", unknown), keep)

    def own_user(self) -> str:
        """The resource ID of the API user, by which the hub's own writes are recognised."""
        memory = self.api.ports.memory
        if "own_user" not in memory:
            found = list(self.api.query("Resources", [eq("userName", self.api.values["user_name"])]))
            if not found:
                raise Refused(sentence("The API user is not among the resources it can read."), field="user_name")
            memory["own_user"] = str(found[0]["id"])
        return memory["own_user"]

    def is_known(self, key: str) -> bool:
        """Whether there is a resource with this ID that the API user may see."""
        return bool(list(self.api.by_ids("Resources", [key])))
