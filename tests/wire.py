"""The vendors' wire contracts: every call a simulator gets, and every answer it gives, is held against them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from connectors.kit.simulating import Answer, Request, Simulator

SHARED = Path(os.environ.get("TICKETHUB_SHARED") or Path(__file__).resolve().parents[2] / "shared")
"""The folder with reference material beside the project."""
HOST = "https://vendor.test"
NOT_DESCRIBED = ("/DeletedTicketLogs/", "/login/companyinfo/", "/callbackkey/")
"""Calls that exist but that the reference documents leave out."""


class Contract:
    """One vendor's document, as a judge of calls and answers."""

    def __init__(self, name: str, *, prefix: str, path: str) -> None:
        document = json.loads((SHARED / "specs" / name).read_text())
        document["servers"] = [{"url": f"{HOST}{path}"}]
        document.pop("security", None)
        self.document, self.prefix, self.path = document, prefix, path
        self.api = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))

    def judge(self, request: Request, answer: Answer) -> None:
        """Raises where the call, or the answer to it, is not as the document says."""
        path = request.path
        if path.startswith("/_people") or any(part in path for part in NOT_DESCRIBED) or self.prefix not in path:
            return
        asked = MockRequest(
            host_url=HOST,
            method=request.method.lower(),
            path=self.path + path.partition(self.prefix)[2],
            args=dict(parse_qsl("&".join(f"{k}={v}" for k, v in request.query.items()))) and dict(request.query),
            headers=dict(request.headers),
            data=request.body,
            content_type=request.headers.get("content-type", "application/json"),
        )
        self.api.validate_request(asked)
        self._judge_parts(request, asked.path)
        if answer.status == 204:
            return
        told = MockResponse(
            data=answer.content(),
            status_code=answer.status,
            headers=dict(answer.headers),
            content_type=answer.kind,
        )
        self.api.validate_response(asked, told)

    def _judge_parts(self, request: Request, path: str) -> None:
        """A form's fields have to be named in the document: its schema alone would let any pass."""
        kind = request.headers.get("content-type", "")
        if not kind.startswith("multipart/"):
            return
        body = self.document["paths"][path.removeprefix(self.path)][request.method.lower()]["requestBody"]
        known = body["content"]["multipart/form-data"]["schema"]["properties"]
        form = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + request.body, policy=policy.HTTP)
        names = {str(part.get_param("name", header="content-disposition")) for part in form.iter_parts()}
        if unknown := names - known.keys():
            raise ValueError(f"form fields that are not described: {sorted(unknown)}")


@cache
def autotask() -> Contract | None:
    if not (SHARED / "specs").is_dir():
        return None
    return Contract("autotask-wire-oas3.json", prefix="/ATServicesRest", path="/ATServicesRest")


@cache
def connectwise() -> Contract | None:
    if not (SHARED / "specs").is_dir():
        return None
    return Contract("connectwise-trimmed.json", prefix="/apis/3.0", path="/v4_6_release/apis/3.0")


def watched(simulator: Simulator[Any], contract: Contract | None) -> list[str]:
    """What was wrong, filled while the simulator is used."""
    wrong: list[str] = []
    if contract is not None:
        simulator.watchers.append(_watcher(contract, wrong))
    return wrong


ANY_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ANY_MARK = re.compile(rb"[0-9A-HJKMNP-TV-Z]{26}(:[0-9a-f]{12})?")


def _watcher(contract: Contract, wrong: list[str]) -> Callable[[Request, Answer], None]:
    def watch(request: Request, answer: Answer) -> None:
        alike = _shape(contract, request, answer)
        if alike in _FOUND_RIGHT:
            return
        try:
            contract.judge(request, answer)
        except Exception as error:
            wrong.append(f"{request.method} {request.path} -> {answer.status}: {error!r} {error.__cause__!r}"[:600])
        else:
            _FOUND_RIGHT.add(alike)

    return watch


_FOUND_RIGHT: set[bytes] = set()
"""Digests of what was judged: the same call again, at another time and with another mark, is as right."""


def _shape(contract: Contract, request: Request, answer: Answer) -> bytes:
    headers = sorted((name, value) for name, value in request.headers.items() if name != "content-length")
    whole = repr((contract.path, request.method, request.path, sorted(request.query.items()), headers, answer.status))
    content = b"\0".join((whole.encode(), request.body, answer.content()))
    return hashlib.sha256(ANY_MARK.sub(b"mark", ANY_TIME.sub(b"time", content))).digest()
