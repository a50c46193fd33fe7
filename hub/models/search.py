"""The search index: what tickets are found by. It can be deleted and made anew at any time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.utils.translation import gettext_lazy as _

from .leg import Leg
from .message import Attachment, Message
from .ticket import Ticket

_MATCHING = "(SELECT rowid FROM hub_searchentry_tokens WHERE hub_searchentry_tokens MATCH %s)"


class TokensField(models.TextField):  # type: ignore[type-arg]
    """Tokens with a space between them; see `hub.search.analysis`."""


@TokensField.register_lookup
class Having(models.Lookup):
    """Whether the tokens satisfy a `hub.search.matching.Condition`: by GIN on PostgreSQL, by FTS5 on SQLite."""

    lookup_name = "having"
    prepare_rhs = False

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Sequence[Any]]:
        column, parameters = self.process_lhs(compiler, connection)
        # As part of the statement and not as its parameter: a plan for any words, as for a prepared statement, would
        # walk through all entries for a rare word.
        query = self.rhs.tsquery.replace("'", "''").replace("%", "%%")
        return f"array_to_tsvector(string_to_array({column}, ' ')) @@ '{query}'::tsquery", parameters

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        table = connection.ops.quote_name(self.lhs.alias)
        return f"{table}.id IN {_MATCHING}", [self.rhs.fts5]


class SearchEntry(models.Model):
    """One text by which a ticket is found, with whoever may read it."""

    class Kind(models.TextChoices):
        TICKET = "ticket", _("ticket")
        REQUESTER = "requester", _("requester")
        ADDRESS = "address", _("e-mail address of the requester")
        MESSAGE = "message", _("message")
        NUMBER = "number", _("vendor's number")
        ATTACHMENT = "attachment", _("attachment")

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="search_entries")
    kind = models.CharField(max_length=10, choices=Kind)
    message = models.ForeignKey(Message, models.CASCADE, null=True, related_name="search_entries")
    attachment = models.OneToOneField(Attachment, models.CASCADE, null=True, related_name="search_entry")
    leg = models.ForeignKey(Leg, models.CASCADE, null=True, related_name="search_entries")
    at = models.DateTimeField()
    """When the text was written. Search results are in this order, newest first."""
    tokens = TokensField()
    """Of the text; and, marked, those of the ticket's title, so that words of both can be searched for together."""

    class Meta:
        verbose_name = _("search entry")
        verbose_name_plural = _("search entries")
        indexes = [models.Index(fields=["-at", "-id"], name="search_entry_by_time")]
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "kind"],
                condition=models.Q(kind__in=["ticket", "requester", "address"]),
                name="search_entry_once_per_ticket",
            ),
            models.UniqueConstraint(
                fields=["message"], condition=models.Q(kind="message"), name="search_entry_once_per_message"
            ),
            models.UniqueConstraint(
                fields=["leg"], condition=models.Q(kind="number"), name="search_entry_once_per_leg"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ticket}: {self.get_kind_display()}"


class SearchWord(models.Model):
    """A word that occurs in some text, for queries with a typing error."""

    word = models.CharField(max_length=24, primary_key=True)

    class Meta:
        verbose_name = _("search word")
        verbose_name_plural = _("search words")

    def __str__(self) -> str:
        return self.word
