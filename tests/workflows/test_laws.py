"""No sequence of admin edits and vendor events breaks a law: whatever an admin builds, the record stays whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.domain.policies import NotPublishable
from hub.models import OPEN_STAGES, Event, Leg, Phase, Ticket, WorkflowVersion
from tests import factories
from tests.workflows.building import AT, STATES, act, document, guard
from workflows.authoring import publishing, serialization
from workflows.handoffs import engagements, returns, vendor_status
from workflows.handoffs import transitions as handoff_transitions
from workflows.handoffs.verbs import STATUSES
from workflows.incidents import triage_decisions
from workflows.lifecycle import transitions, triage
from workflows.models import Pending, Transition, Triage, VendorSwitch
from workflows.rules import execution, runner
from workflows.vendor_change import switch as vendor_switch

pytestmark = pytest.mark.django_db

SLUGS = [state["slug"] for state in STATES]
VENDORS = ("Alpha", "Beta", "Gamma")
ALLOWED = set(transitions.LAW)
WHO = ("vendor", "timer", "event", "person")


def _trigger(kind: str) -> dict[str, Any]:
    return {
        "person": {},
        "timer": {"minutes": 5},
        "event": {"kinds": ["message.added"]},
        "vendor": {"did": ["accepted", "done", "returned", "expired"]},
    }[kind]


def _rules() -> st.SearchStrategy[dict[str, Any]]:
    """A rule as an admin could write it, sensible or not."""
    guards = st.sampled_from(
        [
            guard("all_legs_done"),
            guard("nobody_engaged", is_negated=True),
            guard("bounce_count", operator="at_most", number=1),
            guard("priority_in", priorities=["P1", "P3"]),
            guard("expression", expression="ticket.bounces < 3"),
        ]
    )
    deeds = st.sampled_from(
        [
            ("comment", {"text": "{ticket.label}"}),
            ("recall_legs", {}),
            ("raise_priority", {"steps": 1}),
            ("offer_next", {"organisations": list(VENDORS)}),
            ("hand_over", {"organisation": "Beta"}),
            ("offer", {"organisation": "Gamma"}),
            ("start_triage", {}),
            ("resume_legs", {}),
            ("set_major", {}),
            ("move", {"verb": "solve"}),
            ("move", {"verb": "shut"}),
            ("schedule", {"verb": "drop", "minutes": 3}),
        ]
    )
    return st.fixed_dictionaries(
        {
            "sources": st.lists(st.sampled_from(SLUGS), max_size=3, unique=True),
            "target": st.sampled_from([*SLUGS, ""]),
            "trigger": st.sampled_from(WHO),
            "guards": st.lists(guards, max_size=2),
            "actions": st.lists(deeds, max_size=3),
        }
    )


STEPS = st.one_of(
    st.tuples(st.just("publish"), st.lists(_rules(), max_size=4)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("move_tickets"), st.just(0)),
    st.tuples(st.just("verb"), st.sampled_from(["begin", "ask", "solve", "shut", "again", "drop", "odd0", "odd1"])),
    st.tuples(st.just("offer"), st.sampled_from(VENDORS)),
    st.tuples(
        st.just("vendor"),
        st.tuples(st.integers(0, 5), st.sampled_from([*STATUSES, "expire"]), st.sampled_from([0, 0, 3])),
    ),
    st.tuples(st.just("pass"), st.integers(1, 10)),
    st.tuples(st.just("switch"), st.sampled_from([("Alpha", "Beta"), ("Beta", "Gamma")])),
    st.tuples(st.just("decide"), st.sampled_from([*VENDORS, "us", ""])),
    st.tuples(st.just("lead"), st.integers(0, 5)),
)
REFUSALS = (
    transitions.MoveRefused,
    handoff_transitions.HandoffRefused,
    triage.TriageRefused,
    tickets.NotEditable,
    NotPublishable,
    serialization.BadDocument,
)


class World:
    """One ticket, three vendors, and an admin who changes the rules under them."""

    def __init__(self) -> None:
        self.us = factories.UsFactory()
        user = factories.member("agent", self.us)
        self.agent = Actor.person(user, self.us)
        self.vendors = {name: factories.OrganisationFactory(name=name) for name in VENDORS}
        self.minutes = 0
        self.publish([])
        made = tickets.open_ticket(title="x", actor=self.agent, at=AT)
        self.pk = made.pk

    @property
    def at(self) -> Any:
        return AT + timedelta(minutes=self.minutes)

    @property
    def ticket(self) -> Ticket:
        return Ticket.objects.select_related("status").get(pk=self.pk)

    def publish(self, rules: list[dict[str, Any]]) -> None:
        rows = [
            {
                "slug": f"odd{number}",
                "name": f"Odd {number}",
                **each,
                "trigger_params": _trigger(each["trigger"]),
                "actions": [act(kind, **self._params(params)) for kind, params in each["actions"]],
            }
            for number, each in enumerate(rules)
        ]
        version = serialization.taken_in(document(*rows, bounce_budget=2))
        publishing.publish(version, user=None, why="again", at=self.at)

    def _params(self, params: dict[str, Any]) -> dict[str, Any]:
        found = dict(params)
        if "organisation" in found:
            found["organisation"] = self.vendors[found["organisation"]].public_id
        if "organisations" in found:
            found["organisations"] = [self.vendors[name].public_id for name in found["organisations"]]
        return found

    def delete(self, number: int) -> None:
        """An admin works on a draft; what is published is not touched by it."""
        draft = publishing.new_draft(WorkflowVersion.objects.get(status="published"))
        rows = list(Transition.objects.filter(version=draft).order_by("pk"))
        rows[number % len(rows)].delete()
        publishing.publish(draft, user=None, why="less", at=self.at)

    def move_tickets(self, _nothing: int) -> None:
        to = WorkflowVersion.objects.get(status="published")
        for version in WorkflowVersion.objects.filter(status="fading"):
            publishing.move_tickets(version, to, chosen={}, user=None, why="all", at=self.at)

    def verb(self, slug: str) -> None:
        execution.fire(ticket=self.ticket, verb=slug, actor=self.agent, at=self.at)

    def offer(self, name: str) -> None:
        engagements.offer(ticket=self.ticket, organisation=self.vendors[name], actor=self.agent, at=self.at)

    def vendor(self, what: tuple[int, str, int]) -> None:
        """What a vendor did, perhaps some minutes before we learn of it."""
        number, verb, late = what
        legs = list(Leg.objects.filter(ticket=self.pk).order_by("number"))
        if not legs:
            return
        leg = legs[number % len(legs)]
        if verb == "expire":
            returns.expire(leg=leg, actor=Actor.timer("acceptance deadline"), at=self.at)
        else:
            vendor_status.follow(
                leg=leg,
                verb=verb,
                waits_on="requester",
                actor=Actor.vendor(leg.organisation),
                at=self.at,
                occurred_at=max(AT, self.at - timedelta(minutes=late)),
            )

    def switch(self, names: tuple[str, str]) -> None:
        made = VendorSwitch.objects.create(
            leaves=self.vendors[names[0]], comes=self.vendors[names[1]], effective_at=self.at, reason="x"
        )
        vendor_switch.run(switch_id=made.pk, at=self.at)

    def decide(self, name: str) -> None:
        to = self.us if name == "us" else self.vendors.get(name)
        for row in Triage.objects.filter(ticket=self.pk, decided_at=None):
            triage_decisions.decide(found=row, organisation=to, decision="so", actor=self.agent, at=self.at)

    def lead(self, number: int) -> None:
        for leg in Leg.objects.filter(ticket=self.pk, number=number):
            engagements.give_lead(leg=leg, actor=self.agent, at=self.at)

    def work(self) -> None:
        """Everything that is due by now runs; a rule that never rests is stopped by its own depth."""
        for _ in range(40):
            row = Pending.objects.filter(state="waiting", due_at__lte=self.at).order_by("due_at", "pk").first()
            if row is None:
                return
            runner.run(pending_id=row.pk, at=self.at)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(steps=[("move_tickets", 0), ("offer", "Alpha"), ("vendor", (0, "done", 3))])
@given(steps=st.lists(STEPS, min_size=3, max_size=10))
def test_no_sequence_of_edits_and_events_breaks_a_law(steps: list[tuple[str, Any]]) -> None:
    from django.db import transaction

    with transaction.atomic():
        world = World()
        for name, what in steps:
            world.minutes += what if name == "pass" else 1
            try:
                if name != "pass":
                    with transaction.atomic():
                        getattr(world, name)(what)
            except REFUSALS:
                pass
            world.work()
            _holds(world)
        transaction.set_rollback(True)


def _holds(world: World) -> None:
    ticket = world.ticket
    open_legs = list(Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES))
    assert ticket.status.phase == ticket.phase
    assert Leg.objects.filter(ticket=ticket, is_lead=True).count() <= 1
    assert len({leg.organisation_id for leg in open_legs}) == len(open_legs)
    if ticket.phase in (Phase.RESOLVED, Phase.CLOSED):
        assert not [leg for leg in open_legs if leg.is_blocking]
    is_disputed = Triage.objects.filter(ticket=ticket, decided_at=None).exists()
    assert (ticket.hold_reason == "contested") == is_disputed
    lead = next((leg for leg in open_legs if leg.is_lead), None)
    if ticket.hold_reason in ("to_accept", "working"):
        assert lead is not None
        assert lead.organisation_id == ticket.holder_id
    assert history.verify(ticket) is None
    assert ledger.verify(ticket) == []
    assert WorkflowVersion.objects.filter(status="published").count() == 1
    before = ""
    for event in Event.objects.filter(ticket=ticket, kind="ticket.moved").order_by("seq"):
        step = (event.payload["before"], event.payload["after"])
        assert before in ("", step[0])
        assert step in ALLOWED, f"the law has no way from {step[0]} to {step[1]}"
        before = step[1]
