"""For tests of a connector: connects it to a WSGI simulator of the vendor without a socket."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from hub.egress import Policy

from .contract import Connector, Ports
from .http import TOTAL_SECONDS, Explain, Http, Throttle

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Kind = TypeVar("Kind", bound=Connector)
Watcher = Callable[[requests.PreparedRequest], object]


class WsgiAdapter(BaseAdapter):
    """Sends every request to a WSGI application; `watch` sees each before it is sent."""

    def __init__(self, application: Application, watch: Watcher | None = None) -> None:
        super().__init__()
        self.application, self.watch = application, watch

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        if self.watch is not None:
            self.watch(request)
        began: list[Any] = []
        body = request.body or b""
        content = body if isinstance(body, bytes) else str(body).encode()
        parts = urlsplit(request.url or "")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            "HTTP_HOST": parts.netloc,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()},
        }
        chunks = self.application(environ, lambda status, headers: began.extend([status, headers]))
        answer = requests.Response()
        answer.status_code = int(began[0].split(" ")[0])
        answer.headers.update(dict(began[1]))
        answer.raw = io.BytesIO(b"".join(chunks))
        answer.url, answer.request = request.url or "", request
        return answer

    def close(self) -> None:
        """Nothing to close."""


def wired(
    kind: type[Kind],
    values: Mapping[str, str],
    application: Application,
    *,
    now: Callable[[], datetime],
    watch: Watcher | None = None,
    throttle: Throttle | None = None,
) -> Kind:
    """A connector whose requests all go to the application."""
    session = requests.Session()
    adapter = WsgiAdapter(application, watch)
    session.mount("http://", adapter)
    session.mount("https://", adapter)

    def open_http(
        *,
        base: str,
        headers: Mapping[str, str],
        explain: Explain | None = None,
        seconds: float = TOTAL_SECONDS,
        **_tls: str,
    ) -> Http:
        return Http(
            policy=Policy(),
            base=base,
            headers=headers,
            explain=explain,
            session=session,
            throttle=throttle,
            seconds=seconds,
        )

    return kind(values, Ports(open_http=open_http, now=now, memory={}))
