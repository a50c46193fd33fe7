"""A real Redmine as the conformance suite wants a vendor: faults in front of it, people who act through its API."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from connectors.kit import simulating
from connectors.kit.simulating import Answer, Fault, Json, Request

HOME = Path(os.environ.get("LIVE_HOME") or Path(tempfile.gettempdir()) / "tickethub-peers")
PASSED_ON = ("content-type", "x-redmine-api-key", "accept")


def settings() -> dict[str, str]:
    """What the start script wrote of it; empty where none runs."""
    file = HOME / "redmine.env"
    lines = file.read_text().splitlines() if file.exists() else []
    found = dict(line.partition("=")[::2] for line in lines)
    try:
        requests.get(f"{found['REDMINE_URL']}/login", timeout=10)
    except (KeyError, requests.RequestException):
        return {}
    return found


class Puma:
    """A process of Redmine's own on a free port, over the database of the one that runs: it can be stopped and started
    again while others use the running one."""

    COMMAND = (
        "runuser",
        "-u",
        "www-data",
        "--",
        "env",
        "REDMINE_INSTANCE=live",
        "RAILS_ENV=production",
        "HOME=/tmp",
        "LANG=C.UTF-8",
        "puma",
        "-e",
        "production",
        "-w",
        "0",
        "-t",
        "2:2",
    )
    HERE = Path("/usr/share/redmine")

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start()

    @staticmethod
    def cannot() -> str:
        """Why there can be none here; empty where there can."""
        if os.geteuid() != 0:
            return "a Redmine process of its own is started as www-data: run the tests as root"
        return "" if shutil.which("puma") and Puma.HERE.is_dir() else "Redmine is not installed as Debian's package"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it takes calls: it says so itself."""
        command = [*self.COMMAND, "-b", f"tcp://127.0.0.1:{self.port}", str(self.HERE / "config.ru")]
        self.process = subprocess.Popen(
            command,
            cwd=self.HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={"PATH": os.environ["PATH"]},  # a DATABASE_URL of ours would be taken for Redmine's own
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                return
        raise RuntimeError("Redmine did not start:\n" + "".join(said[-20:]))

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate(timeout=60)


@dataclass
class Tenant:
    """One project of its own in the running Redmine."""

    domain: str
    project: str = ""
    key: str = ""
    admin: str = ""
    is_locked: bool = False


class Redmine(simulating.Simulator[Tenant]):
    """Passes calls on to the real one."""

    kind = Tenant

    def __init__(self, found: Mapping[str, str], *, domain: str, now: simulating.Now) -> None:
        self.real = found["REDMINE_URL"]
        self.session = requests.Session()
        tenant = Tenant(domain=domain, key=found["REDMINE_VENDOR_KEY"], admin=found["REDMINE_KEY"])
        super().__init__([tenant], base="https://redmine.test", now=now)
        self.reference_field = found["REDMINE_HUBREF_CF"]
        tenant.project = self._new_project(tenant)

    def _new_project(self, tenant: Tenant) -> str:
        name = f"hub-{uuid4().hex[:12]}"
        made = self._as_admin(
            "POST",
            "/projects.json",
            {
                "project": {
                    "name": name,
                    "identifier": name,
                    "is_public": False,
                    "tracker_ids": [1, 2, 3],
                    "enabled_module_names": ["issue_tracking"],
                }
            },
        )
        number = str(made["project"]["id"])
        roles = self._as_admin("GET", "/roles.json")["roles"]
        role = next(role["id"] for role in roles if role["name"] == "Developer")
        users = self._as_admin("GET", "/users.json")["users"]
        us = next(user["id"] for user in users if user["login"] == "vendor")
        membership = {"membership": {"user_id": us, "role_ids": [role]}}
        self._as_admin("POST", f"/projects/{number}/memberships.json", membership)
        return number

    def _as_admin(self, method: str, path: str, body: Any = None) -> Any:
        [tenant] = self.tenants.values()
        answer = self.session.request(
            method, self.real + path, json=body, headers={"X-Redmine-API-Key": tenant.admin}, timeout=60
        )
        answer.raise_for_status()
        return answer.json() if answer.content.strip() else {}

    def respond(self, request: Request) -> Answer:
        [tenant] = self.tenants.values()
        if tenant.is_locked:
            raise Fault(401)
        headers = {name: value for name, value in request.headers.items() if name in PASSED_ON and value}
        answer = self.session.request(
            request.method,
            self.real + request.path,
            params=dict(request.query),
            data=request.body,
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )
        kind = answer.headers.get("Content-Type", "application/json")
        return Answer(status=answer.status_code, raw=answer.content, kind=kind)

    def people(self) -> Mapping[str, Callable[..., Json]]:
        return {"open": self._open, "set": self._set, "note": self._note, "file": self._file, "delete": self._delete}

    def _open(self, tenant: Tenant, *, by: str, title: str = "", **_: Any) -> Json:
        issue = {"project_id": int(tenant.project), "tracker_id": 3, "subject": title}
        return dict(self._as_admin("POST", "/issues.json", {"issue": issue})["issue"])

    def _set(self, tenant: Tenant, *, ticket: str, by: str, status: int) -> Json:
        return dict(self._as_admin("PUT", f"/issues/{ticket}.json", {"issue": {"status_id": status}}))

    def _note(self, tenant: Tenant, *, ticket: str, by: str, text: str, is_private: bool = False) -> Json:
        issue = {"notes": text, "private_notes": is_private}
        return dict(self._as_admin("PUT", f"/issues/{ticket}.json", {"issue": issue}))

    def _file(self, tenant: Tenant, *, ticket: str, by: str, name: str, text: str) -> Json:
        headers = {"X-Redmine-API-Key": tenant.admin, "Content-Type": "application/octet-stream"}
        sent = self.session.post(f"{self.real}/uploads.json", params={"filename": name}, data=text, headers=headers)
        issue = {"uploads": [{"token": sent.json()["upload"]["token"], "filename": name}]}
        return dict(self._as_admin("PUT", f"/issues/{ticket}.json", {"issue": issue}))

    def _delete(self, tenant: Tenant, *, ticket: str, by: str) -> Json:
        return dict(self._as_admin("DELETE", f"/issues/{ticket}.json"))
