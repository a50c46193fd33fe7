"""Webhook calls from the vendor's system."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.rest.schema import expr, may, number, text, word
from hub.core.sentences import sentence
from hub.expressions import Expression
from hub.expressions.texts import Text


@dataclass(frozen=True)
class HookRow:
    """How webhook calls are signed and read (16)."""

    check: str = may(word("secret_path", "hmac", "header", "basic"), "secret_path")
    header: str = may(word(), "")
    prefix: str = may(word(), "")
    algorithm: str = may(word("sha1", "sha256", "sha384", "sha512"), "sha256")
    encoding: str = may(word("hex", "base64"), "hex")
    secret: Text = may(text("settings", "secrets"))
    key_form: str = may(word("raw", "sha256", "base64"), "raw")
    content: Text = may(
        text("body", "headers", "settings"), help=sentence("The signed content, if it is not the body alone.")
    )
    timestamp: Expression = may(expr("headers", "answer"))
    tolerance_seconds: float = may(number(10, 86400), 300)
    key: Expression = may(expr("answer", "headers", "settings"))
    keys: Expression = may(
        expr("answer", "headers", "settings"), help=sentence("For a batch: the keys of all its records.")
    )
    delivery: Expression = may(expr("answer", "headers"))
    url: Expression = may(expr("item"))
    id: Expression = may(expr("item"))
    is_active: Expression = may(expr("item"))

    @property
    def signature_headers(self) -> tuple[str, ...]:
        """The header of every signed call."""
        if self.check == "secret_path":
            return ()
        return ("authorization",) if self.check == "basic" else (self.header.lower(),)
