"""One request to the system of a profile: its address, authentication, parts, and the rate limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.kit.contract import Ports
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused
from connectors.kit.http import File, Http, Reply
from connectors.rest import auth, responses
from connectors.rest.schema import Filled
from hub.core.sentences import sentence
from hub.expressions import Failed, text
from hub.expressions.texts import Unsaid

from .profile import Profile, Step

Values = dict[str, Any]


class Requester:
    """Makes single requests as a profile describes them."""

    date: str = ""
    """The Date header of the last response (https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1)."""

    def __init__(self, profile: Profile, values: Mapping[str, str], ports: Ports) -> None:
        self.profile, self.ports = profile, ports
        secrets = {row.name for row in profile.settings if row.secret}
        plain = {row.name: values.get(row.name) or row.default or Unsaid() for row in profile.settings}
        self.known: Values = {
            "settings": {name: value for name, value in plain.items() if name not in secrets},
            "secrets": {name: value for name, value in plain.items() if name in secrets},
            "memory": ports.memory,
            "me": ports.memory.get("me", ""),
        }
        connect = profile.connect
        self.tokens = auth.Tokens(connect.token, self.known, ports, connect.wrong) if connect.token else None
        self._http: Http | None = None

    def http(self) -> Http:
        if self._http is None:
            self.known["discovered"] = auth.discovered(self.profile.connect, self.known, self.ports)
            base = self.profile.connect.base.text(self.known)
            if not base.startswith(("https://", "http://")):
                raise Refused(
                    sentence(
                        "The address has to start with https://. http:// is allowed only for hosts in your own network "
                        "that TICKETHUB_EGRESS_ALLOW lists."
                    ),
                    field=self.field_of_base(),
                )
            try:
                self._http = self.ports.open_http(base=base, headers={"Accept": "application/json"}, **self._tls())
            except ValueError as error:
                raise Refused(str(error), field=self._field_of_certificate()) from error
        return self._http

    def _tls(self) -> dict[str, str]:
        """Our certificate and the trusted authority, if the profile has them."""
        connect = self.profile.connect
        given = {"certificate": connect.certificate, "authority": connect.authority}
        found = {name: each.text(self.known) for name, each in given.items() if each is not None}
        return {name: pem for name, pem in found.items() if pem.strip()}

    def _field_of_certificate(self) -> str:
        asked = self.profile.connect.certificate or self.profile.connect.authority
        names = [
            str(part.steps[1])
            for part in (asked.parts if asked else ())
            if not isinstance(part, str) and len(part.steps) == 2
        ]
        return names[0] if names else ""

    def field_of_base(self) -> str:
        names = [
            str(part.steps[1])
            for part in self.profile.connect.base.parts
            if not isinstance(part, str) and len(part.steps) == 2
        ]
        return names[0] if names else ""

    def _headers(self) -> dict[str, str]:
        connect = self.profile.connect
        found = {name: value.text(self.known) for name, value in connect.headers.items()}
        if connect.user is not None:
            password = connect.password.text(self.known) if connect.password else ""
            found["Authorization"] = auth.basic(connect.user.text(self.known), password)
        elif connect.bearer is not None:
            found["Authorization"] = f"Bearer {connect.bearer.text(self.known)}"
        elif self.tokens is not None:
            found |= self.tokens.header()
        return found

    def _told(self, reply: Reply, values: Mapping[str, Any]) -> Values:
        headers = {name.lower(): value for name, value in reply.headers.items()}
        about = {"settings": self.known["settings"], "me": self.known["me"], "steps": values.get("steps", {})}
        return {**about, "answer": reply.body, "status": reply.status, "headers": headers}

    def _twice(self, step: Step, values: Values, writes: bool) -> Reply:
        """The response; repeats the request once if a token has expired or the address has changed."""
        try:
            return self._call(step, values, writes)
        except (LockedOut, Forbidden, Missing) as error:
            row = self.profile.connect.discover
            # Some gateways return 403 for an expired token.
            is_token = self.tokens is not None and isinstance(error, LockedOut | Forbidden)
            wants = row is not None and (
                (401 in row.again_on and isinstance(error, LockedOut))
                or (404 in row.again_on and isinstance(error, Missing))
            )
            if not is_token and not (wants and auth.forget_discovered(self.ports)):
                raise
            if self.tokens is not None:
                self.tokens.forget()
            if wants:
                self._http = None
            return self._call(step, values, writes)

    def _call(self, step: Step, values: Values, writes: bool) -> Reply:
        http = self.http()
        try:
            path = step.path.path(values)
            query = [*self._parts(self.profile.connect.query, values), *self._parts(step.query, values)]
            body = step.body.value(values) if step.body is not None else None
            data, form = self._data(step, values)
            headers = self._headers() | {name: value.text(values) for name, value in step.headers.items()}
        except (Failed, ValueError) as error:
            raise self._not_possible(error) from error
        params: Any = merged(query)
        if self.profile.connect.signed is not None:
            sent = {
                "method": step.method,
                "path": urlsplit(path).path,
                "query": urlencode(query),
                "headers": headers,
                "body": auth.body_text(body, data),
                "host": http.host,
            }
            headers |= auth.signature(self.profile.connect.signed, values, sent)
        reply = http.exchange(
            step.method,
            path,
            is_write=writes,
            params=params,
            body=body,
            data=data,
            form=form,
            file_field=step.file_field,
            headers={name: value for name, value in headers.items() if value},
            may_be_empty=step.empty,
            judge=lambda reply: self._judged(step, reply, values, writes=writes),
        )
        self.date = reply.headers.get("Date", "")
        self._mind_the_limit(reply, writes)
        return reply

    def _not_possible(self, error: Exception) -> Refused:
        named = {"system": self.profile.name, "reason": str(error)}
        return Refused(sentence("This request to %(system)s cannot be made: %(reason)s", **named))

    def _parts(self, table: Mapping[str, Any], values: Values) -> list[tuple[str, str]]:
        """Names and values of a query, without those that have no value."""
        found = [(name, each.value(values)) for name, each in table.items()]
        return [
            (name.text.text(values) if isinstance(name, Filled) else name, text(each))
            for name, value in found
            for each in (value if isinstance(value, list) else [value])
            if each is not None
        ]

    def _data(
        self, step: Step, values: Values
    ) -> tuple[tuple[str, bytes] | None, tuple[Mapping[str, str], File] | None]:
        change = values.get("change") or {}
        if step.form is not None:
            return ("application/x-www-form-urlencoded", urlencode(self._parts(step.form, values)).encode()), None
        if step.multipart is not None:
            name = step.file_name.text(values) if step.file_name is not None else change.get("name", "")
            kind = step.content_type or change["type"]
            return None, (dict(self._parts(step.multipart, values)), (name, change["content"], kind))
        if step.raw:
            return (step.content_type or "application/octet-stream", change["content"]), None
        if step.content_type and step.body is not None:
            return (step.content_type, auth.body_text(step.body.value(values), None).encode()), None
        return None, None

    def _judged(self, step: Step, reply: Reply, values: Values, *, writes: bool) -> ConnectorError | None:
        told = self._told(reply, values)
        return responses.judged(self.profile, step, reply, told, writes=writes, at=self.ports.now())

    def _mind_the_limit(self, reply: Reply, writes: bool) -> None:
        """Pause polling before the limit is reached, so that requests people wait for can still be made."""
        row = self.profile.limits
        left = reply.headers.get(row.remaining, "") if row is not None and row.remaining else ""
        if row is None or writes or not left.strip().isdecimal() or int(left) > row.floor:
            return
        self._rest(reply.headers.get(row.reset, "") if row.reset else "")

    def _rest(self, told: str) -> None:
        """Pause for this many seconds or until this Unix timestamp; for a minute if none is given."""
        wait = float(told) if told.replace(".", "", 1).isdecimal() else 60.0
        wait = wait - self.ports.now().timestamp() if wait > 10_000_000 else wait
        self.ports.memory["rest_until"] = str(self.ports.now().timestamp() + min(max(wait, 1.0), 3600.0))


def merged(query: list[tuple[str, str]]) -> dict[str, str | list[str]]:
    """A query as a table; a name that occurs twice keeps both values."""
    found: dict[str, str | list[str]] = {}
    for name, value in query:
        if name in found:
            before = found[name]
            found[name] = [*([before] if isinstance(before, str) else before), value]
        else:
            found[name] = value
    return found
