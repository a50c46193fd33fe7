"""The Link header (RFC 8288): which page is next."""

from __future__ import annotations

import pytest
import requests
import responses

from connectors.kit.http import Http
from hub.egress import Policy

BASE = "https://vendor.test/api"


@pytest.mark.parametrize(
    ("link", "next_page"),
    [
        (None, ""),
        (f'<{BASE}/tickets?page=3>; rel="next", <{BASE}/tickets?page=9>; rel="last"', f"{BASE}/tickets?page=3"),
        (f'<{BASE}/tickets?page=1>; rel="first", <{BASE}/tickets?a=1,2>; rel=next', f"{BASE}/tickets?a=1,2"),
        (f'<{BASE}/x>; title="next"; rel="prev"', ""),
        ("", ""),
        ('</api/tickets?page=3>; rel="next"', f"{BASE}/tickets?page=3"),
    ],
)
@responses.activate
def test_the_next_page_is_the_one_that_the_link_header_names(link: str | None, next_page: str) -> None:
    responses.get(f"{BASE}/tickets", json=[], headers={} if link is None else {"Link": link})
    http = Http(policy=Policy(), base=BASE, headers={}, session=requests.Session())

    assert http.page("tickets").next_page == next_page
