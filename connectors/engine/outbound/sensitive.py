"""Passwords, keys and personal numbers in what is sent to a vendor: the rule of the connection, and warnings.

The rule is enforced where a change is composed, so it holds for everything that is sent, whoever caused it. Pages warn
before that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from connectors.kit.errors import Refused
from connectors.models import Connection
from hub.core.sensitive_data import LONGEST, Kind, find, masked
from hub.core.sentences import sentence
from hub.models import Organisation

Rule = Connection.SensitiveData
FIELDS = frozenset({"title", "description"})
"""The fields of a ticket that people write freely."""
LABELS: Mapping[Kind, str | Promise] = {
    Kind.PASSWORD: _("a password"),
    Kind.KEY: _("a key or token"),
    Kind.IBAN: _("a bank account number"),
    Kind.CARD: _("a card number"),
    Kind.IDENTITY: _("an ID number"),
}


@dataclass(frozen=True, kw_only=True)
class SensitiveDataWarning:
    """What a text or a file for one organisation seems to contain, and what the rule of its connection does."""

    organisation: str
    where: str
    """The name of the file; empty for the text."""
    what: tuple[str | Promise, ...]
    rule: str

    @property
    def is_refused(self) -> bool:
        """Whether it will not be sent as it stands. A file cannot be masked."""
        return self.rule == Rule.REFUSE or (self.rule == Rule.MASK and bool(self.where))

    @property
    def is_masked(self) -> bool:
        return self.rule == Rule.MASK and not self.where


def shareable(connection: Connection, text: str) -> str:
    """The text as it may be sent on this connection; Refused if the rule forbids sending what it seems to contain."""
    if connection.sensitive_data == Rule.MASK:
        return masked(text)
    if connection.sensitive_data == Rule.REFUSE and find(text):
        raise Refused(
            sentence(
                "The text seems to contain a password, a key, or an account, card or ID number, which is not sent on "
                "this connection. Edit the text, or change the rule of the connection."
            )
        )
    return text


def masked_if_ruled(connection: Connection, text: str) -> str:
    """A text that only accompanies what is sent, such as a subject: masked unless the rule is to warn."""
    return text if connection.sensitive_data == Rule.WARN else masked(text)


def check_file(connection: Connection, name: str, content: bytes) -> None:
    """Refused if the rule forbids sending what a text file seems to contain."""
    if connection.sensitive_data != Rule.WARN and find(_as_text(content)):
        raise Refused(
            sentence(
                "“%(name)s” seems to contain a password, a key, or an account, card or ID number, which this "
                "connection does not send.",
                name=name,
            )
        )


def warnings(
    organisations: Iterable[Organisation], text: str, files: Iterable[tuple[str, bytes]] = ()
) -> list[SensitiveDataWarning]:
    """What people should know before the text and the files go to these organisations. At most one query."""
    named = [("", find(text)), *((name, find(_as_text(content))) for name, content in files)]
    found = [(where, list(dict.fromkeys(each.kind for each in parts))) for where, parts in named if parts]
    receivers = [each for each in organisations if not each.is_us]
    if not found or not receivers:
        return []
    rules = rules_of(receivers)
    return [
        SensitiveDataWarning(
            organisation=each.name,
            where=where,
            what=tuple(LABELS[kind] for kind in kinds),
            rule=rules.get(each.pk, Rule.WARN),
        )
        for each in receivers
        for where, kinds in found
    ]


def rules_of(organisations: Iterable[Organisation]) -> dict[int, str]:
    """The rules of the connections over which tickets go to the organisations, by their primary keys."""
    rows = Connection.objects.filter(
        organisation__in=[each.pk for each in organisations],
        purpose=Connection.Purpose.TICKETS,
        state__in=[Connection.State.ACTIVE, Connection.State.LOCKED_OUT],
    ).order_by("-pk")
    return dict(rows.values_list("organisation_id", "sensitive_data"))


def as_sent(rule: str, text: str) -> str:
    """The text as an organisation receives it by this rule, for showing it; what is refused is shown as it stands."""
    return masked(text) if rule == Rule.MASK else text


def _as_text(content: bytes) -> str:
    """A file as text; empty if it is not text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "ignore")
    return "" if b"\0" in content[:LONGEST] else content.decode("utf-8", "ignore")
