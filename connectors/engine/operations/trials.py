"""Trials of a profile: requested on a page, run by a worker in the background, and stopped by a person if need be."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from connectors.engine import connection_profiles, registry, texts
from connectors.engine.operations.capability_check import Bench
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import TicketConnector
from connectors.kit.errors import ConnectorError
from connectors.models import Connection, Profile, Trial
from hub.core.sentences import packed, sentence

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
"""Renewed before each capability, which takes a few calls at most, each with a time limit."""
KEPT = 10
"""How many trials of a profile are kept."""
State = Trial.State


class NotTried(Exception):
    """The trial cannot be started; the message says why and what to do."""


class _Stopped(Exception):
    """A person stopped the trial, or its lease has expired."""


def ask(*, profile: Profile, connection: Connection, writes: bool, by: str) -> Trial:
    """Queue a trial.

    NotTried if the profile sends credentials differently from the one in use, or if the connection is being tried
    already.
    """
    if not connection_profiles.sends_alike(connection, profile):
        raise NotTried(
            sentence(
                "This version sends credentials differently from the one that %(connection)s uses, so it cannot be "
                "tried with them. Create a separate connection for it.",
                connection=connection,
            )
        )
    try:
        with transaction.atomic():
            made = Trial.objects.create(
                profile=profile, connection=connection, writes=writes, asked_by=by[:150], asked_at=timezone.now()
            )
    except IntegrityError as error:
        raise NotTried(
            sentence(
                "%(connection)s is already being tried. Wait until that trial has ended, or stop it.",
                connection=connection,
            )
        ) from error
    kept = Trial.objects.filter(profile=profile).order_by("-pk").values_list("pk", flat=True)[:KEPT]
    Trial.objects.filter(profile=profile).exclude(pk__in=list(kept)).delete()
    return made


def stop(trial: Trial, *, by: str) -> None:
    """Stop a trial before its next capability."""
    rows = Trial.objects.filter(pk=trial.pk, state__in=[State.QUEUED, State.RUNNING])
    rows.update(
        state=State.STOPPED, why=sentence("Stopped by %(person)s.", person=by), current="", ended_at=timezone.now()
    )


def due(*, at: datetime, limit: int = 10) -> list[int]:
    """Primary keys of trials that wait for a worker, and of those whose worker was lost."""
    return list(waiting(at=at).order_by("pk").values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[Trial]:
    """Trials that wait for a worker, and those whose worker was lost."""
    return Trial.objects.filter(Q(state=State.QUEUED) | Q(state=State.RUNNING, lease_until__lte=at))


def run(*, trial_id: int) -> None:
    """Try every capability, saving each result at once. A trial whose worker was lost is ended, not started again."""
    at = timezone.now()
    lost = Trial.objects.filter(pk=trial_id, state=State.RUNNING, lease_until__lte=at)
    if lost.update(
        state=State.STOPPED,
        current="",
        ended_at=at,
        why=sentence("The worker stopped before the trial had finished. Try again."),
    ):
        return
    if not Trial.objects.filter(pk=trial_id, state=State.QUEUED).update(state=State.RUNNING, lease_until=at + LEASE):
        return
    trial = Trial.objects.select_related("connection", "profile").get(pk=trial_id)
    try:
        _try(trial)
    except _Stopped:
        return
    except (CannotUnseal, ConnectorError, registry.UnknownConnector) as error:
        _end(trial, State.STOPPED, why=texts.storable(str(error)))
    except Exception as error:  # a draft may fail in any way, and its author needs the reason
        log.exception("Trial %s failed", trial.pk)
        _end(trial, State.STOPPED, why=texts.storable(f"{type(error).__name__}: {error}"))
    else:
        _end(trial, State.DONE)


def _try(trial: Trial) -> None:
    connection, profile = trial.connection, trial.profile
    if not connection_profiles.sends_alike(connection, profile):
        _end(
            trial,
            State.STOPPED,
            why=sentence("%(connection)s now sends credentials differently.", connection=connection),
        )
        raise _Stopped
    connection.profile, connection.memory = profile, {}
    with registry.ready(connection, TicketConnector) as connector:
        bench = Bench(connector, of=connection.public_id, begins=lambda what: _begins(trial, what))
        for tried in bench.tries(writes=trial.writes):
            trial.steps.append(asdict(tried) | {"told": texts.storable(tried.told)})
            _write(trial, steps=trial.steps)


def _end(trial: Trial, state: Trial.State, **changes: object) -> None:
    """End a running trial; one that a person has just stopped stays stopped."""
    rows = Trial.objects.filter(pk=trial.pk, state=State.RUNNING)
    rows.update(state=state, current="", ended_at=timezone.now(), **changes)


def _begins(trial: Trial, what: str) -> None:
    _write(trial, current=packed(texts.storable(what))[:200], lease_until=timezone.now() + LEASE)


def _write(trial: Trial, **changes: object) -> None:
    """Save changes of a running trial; _Stopped if it is no longer running."""
    if not Trial.objects.filter(pk=trial.pk, state=State.RUNNING).update(**changes):
        raise _Stopped
