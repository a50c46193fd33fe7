"""Shows how an inbound item that waits for a person would be read now. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from connectors.engine import registry
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import NOT_UNDERSTOOD, Alert, AlertConnector, MailConnector, ParsedMail
from connectors.kit.errors import ConnectorError
from connectors.models import Inbound
from hub.models import Leg, Ticket
from hub.translation import localized
from workflows.handoffs import guest_links


@dataclass
class AsReadNow:
    """An inbound item as it would be read now, in the active language."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    """Names and values, in the order in which they are shown."""
    text: str = ""
    below: str = ""
    """Of an e-mail: the quoted text, without guest links, which would let anybody act as the vendor."""
    ticket: Ticket | None = None
    why_not: str = ""
    """Why it cannot be read, or is held; empty if it would be processed."""


def as_read_now(row: Inbound) -> AsReadNow:
    """Read the item again with the current settings. It never fails: an error becomes `why_not`."""
    try:
        with registry.ready(row.connection) as connector:
            if isinstance(connector, MailConnector) and row.kind == Inbound.Kind.MAIL:
                return _letter(connector.parse_mail(bytes(row.body)))
            if isinstance(connector, AlertConnector):
                return _alerts(connector.read_alerts(bytes(row.body)))
    except (ConnectorError, CannotUnseal, registry.UnknownConnector, *NOT_UNDERSTOOD) as error:
        return AsReadNow(why_not=localized(str(error)))
    facts = [(_("Record"), row.remote_key)] if row.remote_key else []
    return AsReadNow(facts=facts, why_not=row.error)


def ticket_of(row: Inbound) -> Ticket | None:
    """The ticket that an e-mail names by one of our reference tags, as found when the e-mail was last read."""
    leg = row.headers.get("leg")
    found = Leg.objects.filter(public_id=leg).select_related("ticket").first() if leg else None
    return found.ticket if found is not None else None


def _letter(letter: ParsedMail) -> AsReadNow:
    leg = Leg.objects.filter(public_id=letter.leg).select_related("ticket").first() if letter.leg else None
    facts = [
        (
            pgettext("sender of an e-mail", "From"),
            f"{letter.author} <{letter.sender}>" if letter.author != letter.sender else letter.sender,
        ),
        (_("Subject"), guest_links.concealed(letter.subject)),
        (_("Sent"), f"{letter.sent_at:%Y-%m-%d %H:%M} UTC" if letter.sent_at else ""),
        (_("Status"), letter.status),
        (_("Files"), ", ".join(name for name, _content in letter.files)),
    ]
    doubt = "" if letter.is_theirs else letter.doubt
    return AsReadNow(
        facts=[fact for fact in facts if fact[1]],
        text=guest_links.concealed(letter.text),
        below=guest_links.concealed(letter.quoted),
        ticket=leg.ticket if leg is not None else None,
        why_not=localized(letter.why if letter.action in ("hold", "ignore") else doubt),
    )


def _alerts(alerts: object) -> AsReadNow:
    assert isinstance(alerts, list | tuple)
    facts = [(_state(alert), " · ".join(part for part in (alert.title, alert.severity) if part)) for alert in alerts]
    return AsReadNow(facts=facts, why_not="" if alerts else _("The call contains no alerts."))


def _state(alert: Alert) -> str:
    if alert.is_firing is None:
        return _("not an alert: %s") % alert.state
    return _("active") if alert.is_firing else _("ended")
