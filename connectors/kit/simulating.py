"""The base of all vendor simulators: a stateful WSGI application that refuses, fails on demand and sends webhooks.

A simulator keeps records per tenant. People of a tenant act through `act`, or through /_people/ from another process,
and webhooks are really sent. State survives a restart if a path is given.
"""

from __future__ import annotations

import json
import socketserver
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from wsgiref.simple_server import WSGIServer

Json = dict[str, Any]
Now = Callable[[], datetime]
Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request to a simulator; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def parts(self) -> list[str]:
        return [part for part in self.path.split("/") if part]


@dataclass(kw_only=True)
class Answer:
    """A simulator's response: a JSON body, or raw bytes of another media type."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    kind: str = "application/json"
    headers: Headers = ()

    def content(self) -> bytes:
        return self.raw if self.raw is not None else b"" if self.status == 204 else json.dumps(self.body).encode()


class Fault(Exception):
    """A response other than 2xx."""

    def __init__(self, status: int, body: Any = None, *, headers: Headers = ()) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, tuple(headers)


@dataclass
class Injected:
    """A fault for the next requests that match."""

    method: str
    path: str
    """Part of the path; empty matches every path."""
    status: int = 500
    times: int = 1
    loses_answer: bool = False
    """Whether the request takes effect although this fault is returned."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: int | None = None
    """Cut the real response off after this many bytes."""


class TenantState(Protocol):
    """What the base needs of a tenant: a dataclass of plain values with a unique domain."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def domain(self) -> str: ...


T = TypeVar("T", bound=TenantState)


class Simulator(Generic[T]):
    """The WSGI application; `base` is its URL."""

    kind: type[T]

    def __init__(self, tenants: Iterable[T], *, base: str, now: Now, path: Path | None = None) -> None:
        self.tenants: dict[str, T] = {tenant.domain: tenant for tenant in tenants}
        self.base, self.now, self.path = base.rstrip("/"), now, path
        self.lock = threading.RLock()
        self.faults: list[Injected] = []
        self.seen: list[tuple[str, str]] = []
        self.watchers: list[Callable[[Request, Answer], object]] = []
        """Called with every request and its response, before a fault is applied."""
        self._load()

    # -- defined by each vendor

    def respond(self, request: Request) -> Answer:
        """The response to an API request; Fault for what the real service refuses."""
        raise NotImplementedError

    def people(self) -> Mapping[str, Callable[..., Json]]:
        """What people of a tenant can do in the user interface: verb to function of the tenant."""
        raise NotImplementedError

    def refusal(self, status: int) -> Any:
        """The vendor's body for an error status without details."""
        return None

    # -- WSGI

    def __call__(self, environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _read(environ)
        self.seen.append((request.method, request.path))
        answer = self._answer(request)
        content = answer.content()
        reason = HTTPStatus(answer.status).phrase if answer.status in _KNOWN else "Unknown"
        start_response(
            f"{answer.status} {reason}",
            [("Content-Type", answer.kind), ("Content-Length", str(len(content))), *answer.headers],
        )
        return [content]

    def _answer(self, request: Request) -> Answer:
        fault = self._fault(request.method, request.path)
        if fault and not fault.loses_answer and fault.cut is None:
            return Answer(status=fault.status, raw=fault.body, headers=fault.headers)
        try:
            with self.lock:
                answer = self._people(request) if request.parts[:1] == ["_people"] else self.respond(request)
                if request.method != "GET":
                    self._save()
        except Fault as error:
            body = error.body if error.body is not None else self.refusal(error.status)
            answer = Answer(status=error.status, body=body, headers=error.headers)
            if body is None:
                answer.raw = b""
        for watch in self.watchers:
            watch(request, answer)
        if fault and fault.cut is not None:
            return Answer(status=answer.status, raw=answer.content()[: fault.cut], headers=answer.headers)
        if fault:
            return Answer(status=fault.status, raw=fault.body, headers=fault.headers)
        return answer

    def _fault(self, method: str, path: str) -> Injected | None:
        for fault in self.faults:
            if fault.times and fault.method in (method, "*") and fault.path in path:
                fault.times -= 1
                return fault
        return None

    # -- people of a tenant

    def act(self, domain: str, verb: str, **what: Any) -> Json:
        """Do something as a person of the tenant; webhooks are really sent."""
        with self.lock:
            done = self.people()[verb](self.tenants[domain], **what)
            self._save()
        return done

    def _people(self, request: Request) -> Answer:
        parts = request.parts[1:]
        if parts[:1] == ["state"]:
            return Answer(body={domain: asdict(tenant) for domain, tenant in self.tenants.items()})
        return Answer(body=self.act(parts[0], parts[1], **json.loads(request.body or b"{}")))

    def stamp(self) -> str:
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # -- webhooks

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float) -> int:
        """Deliver a webhook; returns the status of the response, or 0 if there was none."""
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def in_background(self, work: Callable[[], object]) -> None:
        threading.Thread(target=work, daemon=True).start()

    # -- state

    def _save(self) -> None:
        if self.path is None:
            return
        state = {domain: asdict(tenant) for domain, tenant in self.tenants.items()}
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(self.path)

    def _load(self) -> None:
        if self.path is None or not self.path.exists():
            return
        for domain, state in json.loads(self.path.read_text()).items():
            if domain in self.tenants:
                self.tenants[domain] = self.kind(**state)


_KNOWN = frozenset(int(status) for status in HTTPStatus)


def _read(environ: Json) -> Request:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    headers.setdefault("content-type", environ.get("CONTENT_TYPE", ""))
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=headers,
        body=environ["wsgi.input"].read(length) if length else b"",
    )


@dataclass
class Courier:
    """Delivers the webhooks of one registration in order, with the vendor's own retry schedule."""

    pauses: tuple[float, ...]
    """Seconds before each retry."""
    seconds: float
    retries: Callable[[int], bool] = field(default=lambda status: not 200 <= status < 300)

    def deliver(self, post: Callable[[], int]) -> bool:
        """Try until the call is accepted or the attempts are used up; returns whether it was accepted."""
        pause = threading.Event()
        for wait in (0.0, *self.pauses):
            pause.wait(wait)
            status = post()
            if 200 <= status < 300:
                return True
            if not self.retries(status):
                return False
        return False


class QuietServer(WSGIServer):
    """A threading loopback server for simulators."""

    daemon_threads = True
    request_queue_size = 64

    def process_request(self, request: Any, client_address: Any) -> None:
        threading.Thread(target=self._one, args=(request, client_address), daemon=True).start()

    def _one(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)

    def server_bind(self) -> None:
        # The stock server looks up its own host name, which can take seconds on a closed network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()
