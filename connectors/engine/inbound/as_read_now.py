"""What came in and waits for a person, as it would be read now: shown, and nothing is taken in."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from connectors.engine import registry
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import NOT_UNDERSTOOD, Alert, AlertConnector, MailConnector, ParsedMail
from connectors.kit.errors import ConnectorError
from connectors.models import Inbound
from hub.models import Leg, Ticket
from workflows.handoffs import guest_links


@dataclass
class AsReadNow:
    """Facts with their names, in the order they are shown; what is said, and what stands below it."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    below: str = ""
    """Of mail: the quotation, without addresses that let anybody in as the vendor."""
    ticket: Ticket | None = None
    why_not: str = ""
    """Why it cannot be read, or is held; empty where it would be taken in."""


def as_read_now(row: Inbound) -> AsReadNow:
    """Read it once more, with the settings of this moment. Never fails: what goes wrong is what is shown."""
    try:
        with registry.ready(row.connection) as connector:
            if isinstance(connector, MailConnector) and row.kind == Inbound.Kind.MAIL:
                return _letter(connector.parse_mail(bytes(row.body)))
            if isinstance(connector, AlertConnector):
                return _alerts(connector.read_alerts(bytes(row.body)))
    except (ConnectorError, CannotUnseal, registry.UnknownConnector, *NOT_UNDERSTOOD) as error:
        return AsReadNow(why_not=str(error))
    facts = [(str(_("Record")), row.remote_key)] if row.remote_key else []
    return AsReadNow(facts=facts, why_not=row.error)


def ticket_of(row: Inbound) -> Ticket | None:
    """The ticket that a mail names by a tag of ours, as it was known when the mail was read last."""
    leg = row.headers.get("leg")
    found = Leg.objects.filter(public_id=leg).select_related("ticket").first() if leg else None
    return found.ticket if found is not None else None


def _letter(letter: ParsedMail) -> AsReadNow:
    leg = Leg.objects.filter(public_id=letter.leg).select_related("ticket").first() if letter.leg else None
    facts = [
        (str(_("From")), f"{letter.author} <{letter.sender}>" if letter.author != letter.sender else letter.sender),
        (str(_("Subject")), guest_links.concealed(letter.subject)),
        (str(_("Sent")), f"{letter.sent_at:%Y-%m-%d %H:%M} UTC" if letter.sent_at else ""),
        (str(_("Status")), letter.status),
        (str(_("Files")), ", ".join(name for name, _content in letter.files)),
    ]
    doubt = "" if letter.is_theirs else letter.doubt
    return AsReadNow(
        facts=[fact for fact in facts if fact[1]],
        text=guest_links.concealed(letter.text),
        below=guest_links.concealed(letter.quoted),
        ticket=leg.ticket if leg is not None else None,
        why_not=letter.why if letter.action in ("hold", "ignore") else doubt,
    )


def _alerts(alerts: object) -> AsReadNow:
    assert isinstance(alerts, list | tuple)
    facts = [(_state(alert), " · ".join(part for part in (alert.title, alert.severity) if part)) for alert in alerts]
    return AsReadNow(facts=facts, why_not="" if alerts else str(_("Its list of alerts is empty.")))


def _state(alert: Alert) -> str:
    if alert.is_firing is None:
        return str(_("is no alert: %s") % alert.state)
    return str(_("fires") if alert.is_firing else _("has ended"))
