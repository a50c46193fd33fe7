"""The state of one ticket at an instant, folded from its events; the basis of ledger and clocks.

Nothing here reads the database or the current time. Organisations are given by their public ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

from hub.models.event import EventKind
from hub.models.leg import ENGAGED_STAGES, OPEN_STAGES, Stage, WaitsOn
from hub.models.workflow import Phase
from hub.sla.ledger import Charge


class Ball(NamedTuple):
    """Who has to act next, to whom the time is charged, and why (rules: docs/ledger.md)."""

    holder: str
    charge: Charge
    charged_to: str
    reason: str


@dataclass
class LegFacts:
    """The state of one engagement."""

    organisation: str
    given_by: str
    stage: Stage = Stage.OFFERED
    is_delivered: bool = False
    is_unreached: bool = False
    is_held: bool = False
    """What was done can still be undone, so nothing has been sent yet."""
    waits_on: str = ""
    waits_on_organisation: str = ""
    is_asked: bool = False
    """The requester can see a question of this organisation and has not answered since."""

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN_STAGES


@dataclass
class TicketFacts:
    """The state of the ticket at one instant; `apply` advances it by one event."""

    owner: str = ""
    requester_organisation: str = ""
    phase: str = Phase.NEW
    ticket_waits_on: str = ""
    is_asked: bool = False
    priority: str = ""
    lead: str = ""
    legs: dict[str, LegFacts] = field(default_factory=dict)
    is_contested: bool = False
    """Joint triage is open."""
    recorded: Ball | None = None
    """The holder of imported history, as its rows record it; no rule applies."""

    def saved(self) -> dict[str, Any]:
        """The state as plain JSON, from which `continued` goes on. Raises ValueError for imported history."""
        if self.recorded is not None:
            raise ValueError("Imported history is folded as a whole.")
        return asdict(self) | {"legs": [[key, asdict(leg)] for key, leg in self.legs.items()]}  # JSON keeps their order

    @classmethod
    def continued(cls, saved: Mapping[str, Any]) -> Self:
        """The state as it was saved."""
        legs = {key: LegFacts(**(leg | {"stage": Stage(leg["stage"])})) for key, leg in saved["legs"]}
        return cls(**({**saved, "legs": legs}))

    def apply(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Advance the state by one event."""
        if kind.startswith("leg."):
            self._apply_leg(kind, payload)
        elif kind == EventKind.TICKET_OPENED:
            self.owner = payload["owner"]
            self.requester_organisation = payload.get("requester_organisation", "")
            self.priority = payload["priority"]
        elif kind == EventKind.TICKET_MOVED:
            self.phase = payload["after"]
            self.ticket_waits_on = payload.get("waits_on", "") if self.phase == Phase.WAITING else ""
            self.is_contested = self.is_contested and self.is_open
        elif kind == EventKind.TRIAGE_STARTED:
            self.is_contested = self.is_open  # an event may reach us after the ticket has ended
        elif kind == EventKind.TRIAGE_DECIDED:
            self.is_contested = False
        elif kind == EventKind.PRIORITY_CHANGED:
            self.priority = payload["after"]
        elif kind == EventKind.MESSAGE_ADDED:
            self._apply_message(payload)
        elif kind == EventKind.HISTORY_ROW:
            self._apply_row(payload)
        elif kind == EventKind.ACTION_SENT:
            for key in payload["legs"]:
                if leg := self.legs.get(key):
                    leg.is_held = False

    def _apply_leg(self, kind: str, payload: Mapping[str, Any]) -> None:
        key = payload["leg"]
        if kind in (EventKind.LEG_OFFERED, EventKind.LEG_BORN):
            born = kind == EventKind.LEG_BORN
            self.legs[key] = LegFacts(
                organisation=payload["organisation"],
                given_by=payload.get("given_by") or self.owner,
                stage=Stage.WORKING if born else Stage.OFFERED,
                is_delivered=born,
                is_held=bool(payload.get("is_held")),
            )
            if payload.get("is_lead"):
                self.lead = key
            return
        leg = self.legs.get(key)
        if leg is None:
            return
        if kind == EventKind.LEG_DELIVERED:
            leg.is_delivered = True
            leg.is_held = False
        elif kind == EventKind.LEG_REACHED:
            leg.is_unreached = False
        elif kind == EventKind.LEG_LEADS:
            self.lead = key
        elif kind == EventKind.LEG_WAITING:
            leg.stage = Stage.WAITING
            leg.waits_on = payload["waits_on"]
            leg.waits_on_organisation = payload.get("waits_on_organisation", "")
        else:
            leg.stage = _STAGE_AFTER[EventKind(kind)]
            leg.waits_on = leg.waits_on_organisation = ""
            leg.is_unreached = bool(payload.get("is_unreached"))
            leg.is_held = bool(payload.get("is_held"))

    def _apply_message(self, payload: Mapping[str, Any]) -> None:
        if payload["author_kind"] == "requester":
            self.is_asked = False
            for leg in self.legs.values():
                leg.is_asked = False
        elif payload.get("is_for_requester"):
            self.is_asked = True
            for leg in self.legs.values():
                leg.is_asked = leg.is_asked or leg.organisation == payload["organisation"]

    def _apply_row(self, payload: Mapping[str, Any]) -> None:
        self.priority = payload.get("priority", "")
        charge = _CHARGE_OF_CLASS.get(payload["class"], Charge.HOLDER)
        holder = payload["organisation"]
        self.recorded = Ball(holder, charge, holder if charge is Charge.HOLDER else "", payload["class"])

    @property
    def waits_on_requester(self) -> bool:
        """Whether the ticket waits for the requester, after a question the requester can see."""
        lead = self.legs.get(self.lead)
        if lead and lead.stage == Stage.WAITING and lead.waits_on == WaitsOn.REQUESTER:
            return lead.is_asked or (self.phase == Phase.WAITING and self.is_asked)
        return self.phase == Phase.WAITING and self.ticket_waits_on == WaitsOn.REQUESTER and self.is_asked

    def ball(self) -> Ball:
        """Who has to act next, by the first rule that applies."""
        if self.recorded is not None:
            return self.recorded
        if self.is_contested:
            return Ball(self.owner, Charge.CONTESTED, "", "contested")
        if not self.is_open:
            return Ball(self.owner, Charge.NOBODY, "", self.phase)
        if self.waits_on_requester:
            return Ball(self.requester_organisation or self.owner, Charge.REQUESTER, "", "waiting_requester")
        lead = self.legs.get(self.lead)
        if lead is None:
            return _with(self.owner, "to_assign")
        if not lead.is_open:
            return self._after(lead)
        if lead.stage == Stage.OFFERED:
            if not lead.is_delivered:
                return self._on_its_way(lead, lead.given_by)
            return _with(lead.organisation, "to_accept")
        if lead.is_unreached:
            return self._on_its_way(lead, self.owner)
        if lead.stage == Stage.WAITING:
            return self._passed_on(lead)
        return _with(lead.organisation, "working")

    @staticmethod
    def _on_its_way(leg: LegFacts, sender: str) -> Ball:
        """Charged to the sender as long as the sender can still undo it, then to transport."""
        return _with(sender, "to_send") if leg.is_held else Ball(sender, Charge.HUB, "", "transport")

    def _after(self, lead: LegFacts) -> Ball:
        if lead.stage == Stage.DONE:
            return _with(self.owner, "to_verify")
        return _with(lead.given_by or self.owner, "to_assign")

    def _passed_on(self, leg: LegFacts) -> Ball:
        """Who has to act while this engagement waits; a circle of waits ends at the owner."""
        seen = {leg.organisation}
        while True:
            if leg.waits_on == WaitsOn.REQUESTER:
                # No question has been asked yet: the waiting organisation has to ask it.
                return _with(leg.organisation, "waiting_unasked")
            if leg.waits_on == WaitsOn.US:
                return _with(self.owner, "waiting_us")
            if leg.waits_on == WaitsOn.OWN:
                return _with(leg.organisation, "waiting_own")
            awaited = leg.waits_on_organisation
            if awaited in seen:
                return _with(self.owner, "waiting_circle")
            following = self._open_leg_of(awaited)
            if following is None or following.stage != Stage.WAITING:
                return _with(awaited, "awaited")
            seen.add(awaited)
            leg = following

    def _open_leg_of(self, organisation: str) -> LegFacts | None:
        legs = [leg for leg in self.legs.values() if leg.organisation == organisation and leg.is_open]
        return legs[-1] if legs else None

    def holders(self) -> frozenset[str]:
        """Organisations whose engagement is in progress: their UC clocks may run."""
        if self.recorded is not None:
            return frozenset([self.recorded.holder])
        return frozenset(
            leg.organisation
            for leg in self.legs.values()
            if leg.stage in ENGAGED_STAGES or (leg.stage == Stage.OFFERED and leg.is_delivered)
        )

    @property
    def is_open(self) -> bool:
        return self.phase not in (Phase.RESOLVED, Phase.CLOSED, Phase.CANCELLED)

    def status_for(self, organisation: str, *, minds_disputes: bool = False) -> str:
        """The status for a clock of this organisation ("" for the ticket): ``open``, ``waiting_…`` or ``contested``.

        ``contested`` only with `minds_disputes`: the contract pauses during joint triage.
        """
        if minds_disputes and self.is_contested:
            return "contested"
        if self.waits_on_requester:
            return "waiting_requester"
        if not organisation and self.phase == Phase.WAITING and self.ticket_waits_on not in ("", WaitsOn.REQUESTER):
            return f"waiting_{self.ticket_waits_on}"
        leg = self._open_leg_of(organisation) if organisation else None
        if leg and leg.stage == Stage.WAITING:
            return f"waiting_{leg.waits_on}"
        return "open"


_STAGE_AFTER = {
    EventKind.LEG_ACCEPTED: Stage.ACCEPTED,
    EventKind.LEG_STARTED: Stage.WORKING,
    EventKind.LEG_RESUMED: Stage.WORKING,
    EventKind.LEG_REOPENED: Stage.WORKING,
    EventKind.LEG_DONE: Stage.DONE,
    EventKind.LEG_DECLINED: Stage.DECLINED,
    EventKind.LEG_EXPIRED: Stage.EXPIRED,
    EventKind.LEG_RECALLED: Stage.RECALLED,
    EventKind.LEG_RETURNED: Stage.RETURNED,
}

_CHARGE_OF_CLASS = {
    "waiting_requester": Charge.REQUESTER,
    "resolved": Charge.NOBODY,
    "closed": Charge.NOBODY,
}


def _with(organisation: str, reason: str) -> Ball:
    return Ball(organisation, Charge.HOLDER, organisation, reason)
