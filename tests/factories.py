"""Rows for tests, made as the product makes them wherever it matters."""

from __future__ import annotations

from typing import Any

import factory
from factory.django import DjangoModelFactory

from connectors.models import Connection, FieldRule, Mapping, NoteRule, StatusRule, ValueRule
from hub.models import Calendar, Contract, Membership, Organisation, Person, Publication, Service, Target, User

ALL_WEEK = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
OFFICE = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


RESOLVED = {"resolution": "Replaced the cable.", "resolution_code": "solved"}
"""What our people enter when they resolve a ticket."""


class OrganisationFactory(DjangoModelFactory[Organisation]):
    class Meta:
        model = Organisation

    name = factory.Sequence(lambda n: f"Vendor {n}")
    kind = Organisation.Kind.VENDOR


class UsFactory(OrganisationFactory):
    class Meta:
        django_get_or_create = ("is_us",)

    name = "Northwind IT"
    kind = Organisation.Kind.US
    is_us = True


class CustomerFactory(OrganisationFactory):
    name = factory.Sequence(lambda n: f"Customer {n}")
    kind = Organisation.Kind.CUSTOMER


class PersonFactory(DjangoModelFactory[Person]):
    class Meta:
        model = Person

    organisation = factory.SubFactory(CustomerFactory)
    name = factory.Sequence(lambda n: f"Person {n}")


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"user{n}@example.test")
    name = factory.Sequence(lambda n: f"User {n}")


def member(role: str, organisation: Organisation, **fields: Any) -> User:
    """A user with one role at one organisation."""
    user: User = UserFactory(**fields)
    Membership.objects.create(user=user, organisation=organisation, role=role)
    return user


class ServiceFactory(DjangoModelFactory[Service]):
    class Meta:
        model = Service

    name = factory.Sequence(lambda n: f"Service {n}")


class CalendarFactory(DjangoModelFactory[Calendar]):
    class Meta:
        model = Calendar

    name = factory.Sequence(lambda n: f"Calendar {n}")
    status = Publication.PUBLISHED
    weekly = factory.LazyFunction(lambda: ALL_WEEK)


def contract(
    organisation: Organisation, *, kind: str = "sla", goals: dict[str, dict[str, int | None]], **fields: Any
) -> Contract:
    """A published contract: goals as {target: {priority: seconds}}."""
    pauses = ["waiting_requester"] if kind == "sla" else ["waiting_requester", "waiting_us"]
    made = Contract.objects.create(
        name=fields.pop("name", f"{kind} of {organisation}"),
        status=Publication.PUBLISHED,
        kind=kind,
        organisation=organisation,
        calendar=fields.pop("calendar", None) or CalendarFactory(),
        **({"pause_reasons": pauses} | fields),
    )
    for target, by_priority in goals.items():
        for priority, seconds in by_priority.items():
            Target.objects.create(contract=made, kind=target, priority=priority, goal_seconds=seconds)
    return made


def mapping(connection: Connection) -> Mapping:
    """The usual mapping to the statuses that the Autotask simulator begins with."""
    made = Mapping.objects.create(connection=connection, status=Publication.PUBLISHED)
    FieldRule.objects.bulk_create(
        [
            FieldRule(mapping=made, field="title", direction="out", authority="ours"),
            FieldRule(mapping=made, field="description", direction="out", authority="ours", sync_when="insert"),
            FieldRule(mapping=made, field="priority", direction="out", authority="ours"),
            FieldRule(mapping=made, field="status", direction="both", authority="theirs"),
        ]
    )
    ValueRule.objects.bulk_create(
        ValueRule(mapping=made, field="priority", ours=ours, theirs=theirs, label=label)
        for ours, theirs, label in (
            ("P1", "4", "Critical"),
            ("P2", "1", "High"),
            ("P3", "2", "Medium"),
            ("P4", "3", "Low"),
        )
    )
    StatusRule.objects.bulk_create(
        [
            StatusRule(mapping=made, theirs="1", label="New", verb="acknowledge", says="offered"),
            StatusRule(mapping=made, theirs="8", label="In Progress", verb="work", says="working"),
            StatusRule(mapping=made, theirs="7", label="Waiting Customer", verb="wait", waits_on="requester"),
            StatusRule(mapping=made, theirs="12", label="Waiting Vendor", verb="wait", waits_on="us"),
            StatusRule(mapping=made, theirs="5", label="Complete", verb="done", says="closed"),
            StatusRule(mapping=made, theirs="15", label="Returned", verb="return", says="recalled"),
        ]
    )
    NoteRule.objects.bulk_create(
        [
            NoteRule(mapping=made, theirs="1", label="All", audience="requester", is_written=True),
            NoteRule(mapping=made, theirs="2", label="Internal", audience="us"),
            NoteRule(mapping=made, theirs="4", label="Co-managed", audience="legs", is_written=True),
        ]
    )
    return made
