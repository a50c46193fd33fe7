"""How a system is reached: what an admin enters, the address, credentials, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.rest.schema import expr, flag, may, must, named, number, numbers, table, text, texts, tree, word
from hub.core.sentences import sentence
from hub.expressions import Expression
from hub.expressions.texts import Text, Tree

from .names import ANSWER, REQUEST


@dataclass(frozen=True)
class SettingRow:
    """One setting that an admin enters."""

    name: str = must(word())
    label: str = must(word())
    help: str = may(word(), "")
    secret: bool = may(flag, False)
    required: bool = may(flag, True)
    default: str = may(word(), "")
    picklist: str = may(word(), "")
    long: bool = may(flag, False, help=sentence("Whether the value has several lines, such as a certificate."))
    choices: Mapping[str, str] = may(named(word()), {})


@dataclass(frozen=True)
class Token:
    """OAuth 2: how a token is requested (RFC 6749, sections 4.4 and 6: https://www.rfc-editor.org/rfc/rfc6749)."""

    grant: str = may(
        word("client_credentials", "refresh_token", "none"),
        "client_credentials",
        help=sentence("“none” is a proprietary login: method, headers, form and body define the request."),
    )
    method: str = may(word("GET", "POST"), "POST")
    headers: Mapping[str, Text] = may(texts("settings", "secrets"), {})
    body: Tree = may(tree("settings", "secrets"))
    header: str = may(word(), "Authorization", help=sentence("The header that contains the token."))
    url: Text = must(text(*REQUEST))
    form: Mapping[str, Text] = may(texts(*REQUEST), {})
    query: Mapping[str, Text] = may(texts(*REQUEST), {})
    client_id: Text = may(text(*REQUEST))
    client_secret: Text = may(text(*REQUEST))
    client: str = may(word("body", "basic"), "body")
    refresh: str = may(
        word(), "", help=sentence("The secret setting that holds the refresh token; a new refresh token replaces it.")
    )
    pick: Expression = may(expr("answer"))
    expires: Expression = may(expr("answer"))
    skew_seconds: float = may(number(0, 3600), 60)
    prefix: str = may(word(), "Bearer ")


@dataclass(frozen=True)
class Signed:
    """Requests signed with HMAC."""

    header: str = must(word())
    key: Text = must(text(*REQUEST))
    content: Text = must(text(*REQUEST, "method", "path", "query", "body", "headers", "host"))
    algorithm: str = may(word("sha1", "sha256", "sha384", "sha512"), "sha256")
    encoding: str = may(word("hex", "base64"), "hex")
    prefix: Text = may(text(*REQUEST, "headers"))


@dataclass(frozen=True)
class Discover:
    """How the address is discovered (1)."""

    url: Text = must(text("settings", "secrets"))
    pick: Expression = must(expr("answer", "settings"))
    keep_seconds: float = may(number(60, 30 * 86400), 86400)
    again_on: tuple[int, ...] = may(numbers, ())


@dataclass(frozen=True)
class Connect:
    """The address and the authentication (1, 2, 3)."""

    base: Text = must(text("settings", "discovered"))
    headers: Mapping[str, Text] = may(texts(*REQUEST), {})
    query: Mapping[str, Text] = may(texts(*REQUEST), {})
    user: Text = may(text("settings", "secrets"))
    password: Text = may(text("settings", "secrets"))
    bearer: Text = may(text("settings", "secrets"))
    token: Token = may(table(Token))
    signed: Signed = may(table(Signed))
    discover: Discover = may(table(Discover))
    certificate: Text = may(
        text("settings", "secrets"), help=sentence("Our certificate with its key, in PEM, for mutual TLS.")
    )
    authority: Text = may(
        text("settings", "secrets"),
        help=sentence("The certificate authority of the server, in PEM, unless it is a public one."),
    )
    wrong: str = may(word(), "", help=sentence("The setting that is probably wrong when access is denied."))


@dataclass(frozen=True)
class LimitsRow:
    """The rate limit of one integration (19)."""

    requests: float = may(number(1, 1e7), 0)
    seconds: float = may(number(1, 86400), 0)
    share: float = may(number(0.01, 1), 0.5)
    threads: int = may(number(1, 100))
    remaining: str = may(word(), "", help=sentence("The header with the number of requests left."))
    floor: float = may(number(0, 1e6), 5)
    reset: str = may(word(), "", help=sentence("The header with the seconds to wait, or a Unix timestamp."))
    left: Expression = may(
        expr(*ANSWER),
        help=sentence(
            "The number of requests left, from the response to operations.quota, if there is an endpoint for it."
        ),
    )
    again_in: Expression = may(
        expr(*ANSWER),
        help=sentence("The seconds until more requests are allowed, or a Unix timestamp, from the same response."),
    )
