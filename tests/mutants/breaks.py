"""The breaks: how the code is changed to break a rule, and the tests that must fail then.

Each break is one replacement in one file. If two checks enforce the same rule, each has its own break.
"""

from __future__ import annotations

from typing import NamedTuple


class Break(NamedTuple):
    """One broken rule."""

    name: str
    file: str
    old: str
    """The text to replace, which occurs in the file exactly once."""
    new: str
    tests: tuple[str, ...]
    """The tests of which one must fail: files, or single tests of a slow file."""


VISIBILITY = "tests/hub/test_visibility.py"
LANES = "tests/connectors/test_lanes.py"
ENGINE = "tests/connectors/test_engine.py"
HISTORY = "tests/hub/test_history.py"
LEDGER = "tests/hub/test_ledger.py"
RUNNING = "tests/workflows/test_running.py"
EGRESS = "tests/hub/test_egress.py"
FRONT = "tests/test_front.py"
SEARCH = "tests/search/test_finding.py"
UNDO = "tests/console/test_undo.py"
HELD = "tests/console/test_held.py"

BREAKS = (
    # -- who reads what
    Break(
        "a vendor with an engagement reads what was said to another vendor",
        "hub/queries/permissions.py",
        "return Q(legs__organisation__in=organisations) | Q(author_organisation__in=organisations)",
        "return Q(ticket__legs__organisation__in=organisations)",
        (VISIBILITY,),
    ),
    Break(
        "a successor reads later messages",
        "hub/queries/permissions.py",
        "FOR_LATER & Exists(shared)",
        "FOR_LATER",
        (VISIBILITY,),
    ),
    Break(
        "a successor reads later events",
        "hub/queries/timeline.py",
        "events.filter(kind__in=OF_THE_PAST, recorded_at__lte=until)",
        "events.filter(kind__in=OF_THE_PAST)",
        (VISIBILITY,),
    ),
    Break(
        "the actions of rules appear on a vendor's timeline",
        "hub/queries/timeline.py",
        "        EventKind.RULE_ACTED,\n",
        "",
        (VISIBILITY,),
    ),
    # -- lanes
    Break(
        "a stopped lane stops the others",
        "connectors/engine/outbound/due_items.py",
        "next((row for row in rows if row.lane == lane), None)",
        "next(iter(rows), None)",
        (LANES,),
    ),
    Break(
        "a parked item is overtaken",
        "connectors/engine/outbound/due_items.py",
        "open_states = [Outbound.State.READY, Outbound.State.UNCLEAR, Outbound.State.PARKED]",
        "open_states = [Outbound.State.READY, Outbound.State.UNCLEAR]",
        (LANES,),
    ),
    Break(
        "a parked item is sent automatically",
        "connectors/engine/outbound/due_items.py",
        "return item if item.state != Outbound.State.PARKED and is_due(item, timezone.now()) else None",
        "return item if is_due(item, timezone.now()) else None",
        (LANES,),
    ),
    Break(
        "no settle wait",
        "connectors/engine/outbound/sender.py",
        "if timezone.now() < settled_at:",
        "if not settled_at:",
        (LANES,),
    ),
    Break(
        "the deadline W is removed",
        "connectors/engine/outbound/sender.py",
        "if time.monotonic() - intended > SEND_WITHIN.total_seconds():",
        "if intended < 0:",
        (LANES,),
    ),
    Break(
        "an unfenced write of an item",
        "connectors/engine/outbound/item_writes.py",
        "link__in=Link.objects.filter(pk=link_id, epoch=epoch)",
        "link=link_id",
        (LANES,),
    ),
    Break(
        "an unfenced write of a result",
        "connectors/engine/outbound/sender.py",
        "held = leases.hold(self.link, with_ticket=not is_text)",
        "held = self.link",
        (LANES,),
    ),
    Break(
        "leases.hold ignores the epoch",
        "connectors/engine/leases.py",
        'select_for_update(of=("self",)).filter(pk=link_id, epoch=epoch)',
        'select_for_update(of=("self",)).filter(pk=link_id)',
        (LANES,),
    ),
    Break(
        "an edit made while a change is sent is forgotten",
        "connectors/engine/outbound/sender.py",
        "            if not is_text:\n                self.agreement.queue_what_is_left(held)",
        "",
        ("tests/worker/test_calls.py",),
    ),
    Break(
        "a system that hangs takes every thread",
        "worker/dispatcher.py",
        "if in_flight[lane] >= call.most:",
        "if False:",
        ("tests/worker/test_calls.py",),
    ),
    Break(
        "a call is let in with the secrets of an older revision",
        "connectors/engine/hook_calls.py",
        "found.connection.revision == revision",
        "revision >= 0",
        ("tests/connectors/test_intake.py",),
    ),
    # -- what comes in
    Break(
        "an old snapshot is applied over a newer one",
        "connectors/engine/inbound/reconcile.py",
        "if link.heard_at is None or remote.changed_at >= link.heard_at:",
        "if remote:",
        (ENGINE,),
    ),
    Break(
        "a pending write is not recognised as an echo",
        "connectors/engine/inbound/fields.py",
        "if pending.get(field) == theirs:",
        "if pending is theirs:",
        (LANES,),
    ),
    # -- the ledger
    Break(
        "undelivered time is charged to the vendor before acceptance",
        "hub/domain/ticket_state.py",
        "if not lead.is_delivered:",
        "if not lead:",
        (LEDGER,),
    ),
    Break(
        "undelivered time is charged to the vendor after acceptance",
        "hub/domain/ticket_state.py",
        "if lead.is_unreached:",
        "if not lead:",
        (LEDGER,),
    ),
    Break(
        "verify_ledger does not fold",
        "hub/domain/ledger.py",
        "if found != fold(ticket, events):",
        "if events is found:",
        (LEDGER,),
    ),
    # -- workflow
    Break(
        "an automatic move uses the newest version's state for an open ticket",
        "hub/domain/tickets.py",
        "State.objects.filter(version__states=status_id, phase=phase, is_default=True)",
        'State.objects.filter(version__status="published", phase=phase, is_default=True)',
        ("tests/workflows/test_publishing.py",),
    ),
    Break(
        "the stage of an engagement is unprotected",
        "hub/models/leg.py",
        "default=Stage.OFFERED, protected=True)",
        "default=Stage.OFFERED)",
        ("tests/hub/test_tickets.py",),
    ),
    Break(
        "a completed pending rule runs again",
        "workflows/rules/runner.py",
        "pk=pending_id, state=Pending.State.WAITING\n    ).update(",
        "pk=pending_id\n    ).update(",
        (RUNNING,),
    ),
    Break(
        "a leased pending rule runs a second time in parallel",
        "workflows/rules/runner.py",
        "Q(lease_until__isnull=True) | Q(lease_until__lte=now), pk=pending_id,",
        "pk=pending_id,",
        (RUNNING,),
    ),
    Break(
        "a pending rule runs twice after a freeze",
        "workflows/rules/runner.py",
        "select_for_update().filter(pk=row.pk, state=Pending.State.WAITING).exists()",
        "select_for_update().filter(pk=row.pk).exists()",
        (RUNNING,),
    ),
    # -- evidence
    *(
        Break(f"{name} is not hashed", "hub/domain/history.py", old, "", (HISTORY,))
        for name, old in (
            ("occurred_at", '        "occurred_at": _instant(event.occurred_at),\n'),
            ("the payload", '        "payload": plain(event.payload),\n'),
            ("the origin", '        "origin": event.origin,\n'),
            ("the actor's name", '        "actor_name": event.actor_name,\n'),
        )
    ),
    *(
        Break(
            f"{name} is not hashed",
            "hub/domain/history.py",
            '"actor": [str(event.actor_kind), event.actor_id, organisation.public_id if organisation else ""],',
            f'"actor": [{rest}],',
            (HISTORY,),
        )
        for name, rest in (
            ("the actor's kind", 'event.actor_id, organisation.public_id if organisation else ""'),
            ("the actor's id", 'str(event.actor_kind), organisation.public_id if organisation else ""'),
            ("the actor's organisation", "str(event.actor_kind), event.actor_id"),
        )
    ),
    Break(
        "the link to the previous event is not compared",
        "hub/domain/history.py",
        "if event.previous_hash != previous:",
        "if previous is None:",
        (HISTORY,),
    ),
    # -- outbound and inbound connections
    Break(
        "the session follows redirects",
        "hub/egress/session.py",
        "    def get_redirect_target(self, resp: requests.Response) -> None:\n        return None\n",
        "    pass\n",
        (EGRESS,),
    ),
    Break(
        "a connector's call follows redirects",
        "connectors/kit/http.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("tests/connectors/test_http.py",),
    ),
    Break(
        "a call to an endpoint follows redirects",
        "workflows/notifications/webhooks.py",
        "allow_redirects=False",
        "allow_redirects=True",
        ("tests/workflows/test_notifications.py",),
    ),
    Break(
        "only the first address of a name is checked",
        "hub/egress/sockets.py",
        "for _family, _type, _proto, _name, address in found:",
        "for _family, _type, _proto, _name, address in found[:1]:",
        (EGRESS,),
    ),
    Break(
        "only = is escaped in tables",
        "hub/csv_escaping.py",
        'BEGINNINGS = ("=", "+", "-", "@", "\\t", "\\r")',
        'BEGINNINGS = ("=",)',
        ("tests/hub/test_cells.py",),
    ),
    Break(
        "the limit of a body is not applied without a length",
        "hub/front.py",
        "if size > limit:",
        "if limit < 0:",
        (f"{FRONT}::test_a_body_that_grows_past_its_limit_is_413_whatever_was_stated",),
    ),
    Break(
        "the limit of a body is not applied to a stated length",
        "hub/front.py",
        "if _stated_length(scope) > limit:",
        "if limit < 0:",
        (f"{FRONT}::test_a_length_over_the_limit_is_413_before_anything_is_read",),
    ),
    Break(
        "a download that was cancelled is made to its end",
        "hub/front.py",
        "            if gone.done():\n",
        "            if not made:\n",
        ("tests/test_streamed.py::test_nothing_more_is_made_for_a_client_that_has_disconnected",),
    ),
    Break(
        "a download that broke off looks complete",
        "hub/streamed.py",
        "                    raise Unfinished\n",
        '                    return b""\n',
        ("tests/test_streamed.py::test_a_response_that_breaks_off_is_not_complete",),
    ),
    # -- what is found, listed and done to many
    Break(
        "a search finds what the reader may not read",
        "hub/search/finding.py",
        "rows = SearchEntry.objects.all() if self.sees_everything else readable_entries(self.user)",
        "rows = SearchEntry.objects.all()",
        (SEARCH,),
    ),
    Break(
        "a vendor finds its own words on a ticket it may not open",
        "hub/search/finding.py",
        "rows = rows.filter(ticket__in=list(keys))",
        "rows = rows.filter()",
        (SEARCH,),
    ),
    Break(
        "a withdrawn message stays in the index",
        "hub/search/indexing.py",
        'batch.old += entries.filter(is_past).values_list("pk", flat=True)',
        "batch.old += []",
        (SEARCH,),
    ),
    Break(
        "a change of a text does not reach the index",
        "hub/domain/history.py",
        "ticket.is_indexed = False",
        "pass",
        (SEARCH,),
    ),
    Break(
        "tickets with equal values are lost between two pages",
        "hub/queries/sorting.py",
        'Q(**{f"sort_value__{than}": place.value}) | tie)',
        'Q(**{f"sort_value__{than}": place.value}))',
        ("tests/hub/test_sorting.py",),
    ),
    Break(
        "a vendor filters by what concerns others",
        "hub/queries/filter_fields.py",
        "if reader.known is None or field.is_for_all}",
        "}",
        ("tests/hub/test_ticket_filters.py",),
    ),
    Break(
        "the preview of a bulk action changes tickets",
        "workflows/bulk/running.py",
        "transaction.set_rollback(True)",
        "pass",
        ("tests/workflows/test_bulk.py",),
    ),
    Break(
        "a bulk action is applied without its preview",
        "console/views/bulk.py",
        'constant_time_compare(asked.get("previewed", ""), shown["previewed"])',
        "True",
        ("tests/workflows/test_bulk.py",),
    ),
    Break(
        "what a job was in the way of waits for the whole sweep",
        "worker/dispatcher.py",
        "if self.is_short or kind.by_time:",
        "if kind.by_time:",
        ("tests/worker/test_waking.py",),
    ),
    Break(
        "a ticket is resolved without a word",
        "workflows/rules/verbs.py",
        "if not ticket.is_open or not roles & WORKING:",
        "if ticket.is_open or not roles & WORKING:",
        ("tests/workflows/test_resolution.py",),
    ),
    Break(
        "a resolution that was kept back reaches later organisations",
        "workflows/handoffs/briefing.py",
        'leg.resolution if leg.is_resolution_shared else ""',
        "leg.resolution",
        ("tests/workflows/test_resolution.py",),
    ),
    Break(
        "a password is sent although the connection masks it",
        "connectors/engine/outbound/composition.py",
        "text = sensitive.shareable(self.link.connection, message.body)",
        "text = message.body",
        ("tests/console/test_audiences.py",),
    ),
    Break(
        "a confirmation holds for another text",
        "console/views/before_sending.py",
        'request.POST.get("confirmed") != sealed',
        'not request.POST.get("confirmed")',
        ("tests/console/test_audiences.py",),
    ),
    Break(
        "a pass for polling never ends",
        "console/polling.py",
        "_signer.unsign(signed, max_age=PASS_AGE)",
        "_signer.unsign(signed)",
        ("tests/console/test_polling.py",),
    ),
    Break(
        "who has muted a ticket is told of everything",
        "workflows/notifications/following.py",
        "if assignee is not None and assignee not in muted and",
        "if assignee is not None and",
        ("tests/workflows/test_teamwork.py",),
    ),
    Break(
        "a colleague's change is replaced unseen",
        "console/views/ticket_edit.py",
        "if conflicts and seen != _seal(conflicts):",
        "if conflicts and not seen:",
        ("tests/console/test_fields.py",),
    ),
    # -- undo
    Break(
        "an action that was undone still counts",
        "hub/domain/event_loader.py",
        "        found[ticket_id] = [fact for fact in found[ticket_id] if fact.seq not in gone]\n",
        "        pass\n",
        (UNDO,),
    ),
    Break(
        "what others have built on is undone",
        "hub/domain/undo.py",
        "    _refuse_if_others_built_on_it(row, ticket, events)\n",
        "",
        (UNDO,),
    ),
    Break(
        "another session of the same person undoes",
        "hub/domain/undo.py",
        "action=action, user=user, session=session, until_at__gt",
        "action=action, user=user, until_at__gt",
        (UNDO,),
    ),
    Break(
        "what can be undone is sent at once",
        "connectors/engine/outbox.py",
        '"next_attempt_at": holding.not_before(at)',
        '"next_attempt_at": at',
        (HELD,),
    ),
    Break(
        "the time in which an offer can be undone is transport",
        "workflows/handoffs/engagements.py",
        '({"is_held": 1} if holding.holds_back(leg.ticket_id) else {})',
        "{}",
        (HELD,),
    ),
    Break(
        "a message that was taken back can be read by those it was for",
        "hub/domain/undo.py",
        "    Message.legs.through.objects.filter(message__in=rows).delete()\n",
        "",
        (UNDO,),
    ),
    Break(
        "what the sender queues ends the wait of an action that can be undone",
        "connectors/engine/outbox.py",
        "    elif window and is_change:\n",
        "    elif window:\n",
        (HELD,),
    ),
    Break(
        "a receiver that failed is called for what was undone",
        "hub/domain/undo.py",
        "    FailedReceiver.objects.filter(event__in=events, done_at=None)",
        "    FailedReceiver.objects.none()",
        (HELD,),
    ),
    Break(
        "a vendor reads when hidden things happened from the place of its timeline",
        "hub/queries/timeline.py",
        "    if not permissions.sees_everything(user):\n        return Story(lines=lines(user, ticket))\n",
        "",
        ("tests/console/test_story.py",),
    ),
    Break(
        "a workbook is opened after its person's roles have changed",
        "console/list_exports.py",
        "found if found is not None and found.rights == rights_of(user) else None",
        "found",
        ("tests/console/test_workbook.py",),
    ),
)
