"""The ticket list: chips, panels, columns, export, saved views."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.test import AsyncClient, Client

from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, SavedView, Team, Ticket, User, ViewPreference
from hub.queries import saved_views
from hub.search import indexing
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Hostwerk")


@pytest.fixture
def manager(us: Organisation) -> User:
    return factories.member("manager", us, name="Mona")


@pytest.fixture
def client(manager: User, vendor: Organisation, us: Organisation, agent: Actor) -> Client:
    """A manager's, with four tickets."""
    factories.contract(us, goals={"resolve": {"P1": 3600, "P3": 7200}})
    for title, priority in (("alpha", "P1"), ("beta", "P3"), ("gamma", "P3"), ("=delta", "P3")):
        ticket = tickets.open_ticket(title=title, priority=priority, actor=agent, at=now() - timedelta(minutes=10))
        if title in ("alpha", "beta"):
            engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    return log_in(manager)


def titles(page: str) -> list[str]:
    return re.findall(r'<td class="hub-title" title="([^"]*)"', page)


def get(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def test_a_panel_offers_values_with_counts_and_leads_to_a_url(client: Client, vendor: Organisation) -> None:
    page = get(client, "/tickets/?edit=holder")
    assert re.search(rf'value="{vendor.public_id}" > Hostwerk <span[^>]*>2</span>', page)

    chosen = client.get("/tickets/", {"show": "open", "edit": "holder", "value": vendor.public_id, "how": "any"})
    assert chosen.headers["Location"] == f"/tickets/?show=open&holder={vendor.public_id}"
    assert sorted(titles(get(client, chosen.headers["Location"]))) == ["alpha", "beta"]
    left = client.get("/tickets/", {"show": "open", "edit": "holder", "value": vendor.public_id, "how": "not"})
    assert left.headers["Location"] == f"/tickets/?show=open&holder.not={vendor.public_id}"
    assert sorted(titles(get(client, left.headers["Location"]))) == ["=delta", "gamma"]


def test_a_second_choice_replaces_the_first_and_none_removes_the_filter(client: Client, vendor: Organisation) -> None:
    url = f"/tickets/?show=open&holder={vendor.public_id}&edit=holder"
    assert client.get(f"{url}&how=any").headers["Location"] == "/tickets/?show=open"
    changed = client.get(f"{url}&value=a&value=b&how=not&sort=due").headers["Location"]
    assert changed == "/tickets/?show=open&holder.not=a,b&sort=due"


def test_or_makes_alternatives(client: Client, vendor: Organisation) -> None:
    url = client.get("/tickets/?show=open&priority=P1&edit=holder&value=us&how=or").headers["Location"]
    assert url == "/tickets/?show=open&1.priority=P1&2.holder=us"
    with_always = "show=open&kind=incident&1.priority=P1&2.holder=us&edit=team&value=none&how=or"
    third = client.get(f"/tickets/?{with_always}").headers["Location"]
    assert third == "/tickets/?show=open&1.kind=incident&1.priority=P1&2.kind=incident&2.holder=us&3.team=none"
    full = "&".join(f"{n}.priority=P{n}" for n in range(1, 10))
    assert "Or these" not in get(client, f"/tickets/?{full}&edit=holder")
    page = " ".join(get(client, url).split())
    assert '<span class="text-secondary">or</span>' in page
    assert titles(page) == ["alpha"]


def test_a_range_of_days_is_a_filter(client: Client) -> None:
    Ticket.objects.filter(title="beta").update(opened_at=datetime(2026, 3, 4, 23, 59, tzinfo=UTC))
    url = client.get("/tickets/?edit=opened&from=2026-03-02&to=2026-03-04&how=any").headers["Location"]
    assert url == "/tickets/?show=open&opened=2026-03-02..2026-03-04"
    assert titles(get(client, url)) == ["beta"]
    assert "Opened: 2026-03-02 – 2026-03-04" in " ".join(get(client, url).split())


def test_a_chip_says_what_is_gone_and_the_list_opens(client: Client) -> None:
    page = " ".join(get(client, "/tickets/?holder=01ARZ3NDEKTSV4RRFFQ69G5FAV&team.not=none").split())
    assert "“01ARZ3NDEKTSV4RRFFQ69G5FAV” no longer exists" in page
    assert "Team: not none" in page
    assert "No matching tickets" in page


@pytest.mark.parametrize(
    "query",
    [
        "edit=nonsense", "edit=holder&choice=%00", "edit=9.holder", "edit=x.holder", "edit=²2.holder",
        "how=any", "how=any&edit=&value=x", "edit=opened&from=x&to=y&how=any", "view=nonsense", "view=%00",
        "columns=nonsense", "columns=ticket,%00", "sort=%00", "holder=%00", "opened=9999999999w", "opened=9999w",
        "1.holder=&2.holder=,", "before=end&after=1:x", "clock=none,none,x", "holder=" + "x" * 5000,
        "&".join(f"{n % 9 + 1}.priority=P1" for n in range(40)),
    ],
)  # fmt: skip
def test_any_query_string_is_answered(client: Client, query: str) -> None:
    assert client.get(f"/tickets/?{query}").status_code in (200, 302)
    assert b"".join(client.get(f"/tickets/export.csv?{query}")).startswith(b"\xef\xbb\xbf")


def test_a_head_sorts_by_its_column_and_turns_the_order(client: Client) -> None:
    page = get(client, "/tickets/?priority=P1,P3&columns=title,priority")
    [url] = [
        html.unescape(url) for url in re.findall(r'<a class="text-reset" href="(\?[^"]*sort=priority[^"]*)"', page)
    ]
    assert url == "?show=open&priority=P1,P3&columns=title,priority&sort=priority"
    sorted_page = get(client, f"/tickets/{url}")
    assert titles(sorted_page)[0] == "alpha"
    assert 'aria-sort="ascending"' in sorted_page
    assert titles(get(client, f"/tickets/{url.replace('sort=', 'sort=-')}"))[-1] == "alpha"


def test_every_column_can_be_shown_and_exported(client: Client) -> None:
    from console.rows.columns import COLUMNS

    slugs = ",".join(COLUMNS)
    page = get(client, f"/tickets/?columns={slugs}&sort=number")
    assert page.count('<th scope="col"') == len(COLUMNS) + 1  # and the ticks
    text = b"".join(client.get(f"/tickets/export.csv?columns={slugs}&sort=number")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["Title"] for row in rows] == ["alpha", "beta", "gamma", "'=delta"]
    first = rows[0]
    assert first["Ticket"].startswith("TH-")
    assert first["Holder"] == "Hostwerk"
    assert datetime.fromisoformat(first["Opened"]).tzinfo is not None
    assert 590 < int(first["Working time used"]) < 700
    assert 16 <= int(first["Used (%)"]) <= 19


def test_an_export_of_the_usual_columns_says_when_each_ticket_is_due(client: Client) -> None:
    text = b"".join(client.get("/tickets/export.csv?sort=number")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["Ticket", "Title", "Priority", "Status", "Holder", "Due", "Changed"]
    opened_at = Ticket.objects.get(title="alpha").opened_at
    assert datetime.fromisoformat(rows[0]["Due"]) == opened_at + timedelta(hours=1)


def test_an_export_has_all_pages_in_the_order_of_the_list(client: Client, agent: Actor) -> None:
    for n in range(120):
        tickets.open_ticket(title=f"more {n}", priority="P3", actor=agent, at=now())
    text = b"".join(client.get("/tickets/export.csv?sort=-number&columns=ticket")).decode("utf-8-sig")
    numbers = text.split()[1:]
    assert numbers == [f"TH-{n}" for n in Ticket.objects.order_by("-number").values_list("number", flat=True)]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_export_is_sent_in_parts_by_the_asynchronous_server(
    client: Client, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.exporting.CHUNK", 1)
    browser = AsyncClient()
    browser.force_login(manager)

    async def parts() -> list[bytes]:
        response: Any = await browser.get("/tickets/export.csv?sort=number&columns=title")
        return [part async for part in response.streaming_content]

    assert asyncio.run(parts()) == [b"\xef\xbb\xbfTitle\r\nalpha\r\n", b"beta\r\n", b"gamma\r\n", b"'=delta\r\n"]


def test_a_vendor_exports_what_it_sees_and_no_more(client: Client, vendor: Organisation) -> None:
    theirs = log_in(factories.member("vendor", vendor))
    text = b"".join(theirs.get("/tickets/export.csv?columns=title,assignee,requester,holder")).decode("utf-8-sig")
    assert text.splitlines()[0] == "Title,Holder"
    assert sorted(text.splitlines()[1:]) == ["alpha,Hostwerk", "beta,Hostwerk"]


# -- saved views


def saved(client: Client, name: str, query: str, **more: str) -> SavedView:
    client.post("/views/save/", {"name": name, "query": query, **more})
    return SavedView.objects.get(name=name)


def opened(client: Client, view: SavedView) -> str:
    return client.get(f"/views/{view.public_id}/").headers["Location"]


def test_a_view_keeps_filters_order_and_columns(client: Client, vendor: Organisation) -> None:
    view = saved(client, "Hostwerk, by number", f"show=open&holder={vendor.public_id}&sort=number&columns=ticket,title")
    url = opened(client, view)
    page = get(client, url)
    assert titles(page) == ["alpha", "beta"]
    assert '<h1 class="hub-page-title">Hostwerk, by number</h1>' in page
    assert page.count('<th scope="col"') == 3
    assert "filters changed" not in page
    assert "filters changed" in get(client, f"{url}&priority=P1")


def test_a_pinned_view_is_in_the_navigation_with_its_number(client: Client, agent: Actor) -> None:
    view = saved(client, "Urgent", "show=open&priority=P1")
    assert f'href="/views/{view.public_id}/"' in get(client, "/")
    assert re.search(r'Urgent <span class="hub-count">\s*1', get(client, "/views/pinned/"))
    client.post(f"/views/{view.public_id}/change/", {"verb": "unpin"})
    assert "Urgent" not in get(client, "/")
    client.post(f"/views/{view.public_id}/change/", {"verb": "pin"})
    assert "Urgent" in get(client, "/")


def test_a_number_in_the_navigation_stops_counting(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST_COUNTED", 2)
    saved(client, "All of them", "show=open")
    assert re.search(r'All of them <span class="hub-count">\s*999\+', get(client, "/views/pinned/"))


def test_a_shared_view_is_everybodys_to_open_and_its_owners_to_change(client: Client, us: Organisation) -> None:
    view = saved(client, "Shared", "show=open&priority=P1&sort=number", audience="everyone")
    colleague = factories.member("agent", us, name="Ada")
    other = log_in(colleague)
    page = get(other, opened(other, view))
    assert "shared by Mona" in page
    assert "Delete view" not in page
    assert other.post(f"/views/{view.public_id}/change/", {"verb": "delete"}).status_code == 403
    stolen = {"view": view.public_id, "name": "Mine", "query": "show=all", "audience": "personal"}
    assert other.post("/views/save/", stolen).status_code == 403
    copy = saved(other, "My copy", view.query)
    assert copy.owner == colleague
    view.refresh_from_db()
    assert (view.name, view.query, view.audience) == ("Shared", "show=open&priority=P1&sort=number", "everyone")


def test_the_order_somebody_chooses_on_a_shared_view_is_theirs_alone(client: Client, us: Organisation) -> None:
    view = saved(client, "Shared", "show=open&sort=number", audience="everyone")
    other = log_in(factories.member("agent", us))
    url = opened(other, view)
    turned = re.findall(r'class="dropdown-item" href="(\?[^"]*sort=-number[^"]*)"', get(other, url))
    get(other, f"/tickets/{html.unescape(turned[0])}")
    get(other, f"/tickets/?view={view.public_id}&columns=title,ticket")
    chosen = QueryDict(opened(other, view).partition("?")[2])
    assert (chosen["sort"], chosen["columns"]) == ("-number", "title,ticket")
    get(other, f"/tickets/?view={view.public_id}&q=alpha")  # a search has no order and forgets none
    assert QueryDict(opened(other, view).partition("?")[2])["sort"] == "-number"
    assert QueryDict(opened(client, view).partition("?")[2])["sort"] == "number"
    # A page that only refreshes itself chooses nothing.
    other.get(url, headers={"HX-Request": "true"})
    assert QueryDict(opened(other, view).partition("?")[2])["sort"] == "-number"


def test_a_view_for_a_team_is_its_members_alone(client: Client, manager: User, us: Organisation) -> None:
    given = {"name": "Night shift", "query": "show=open", "audience": "teams"}
    refused = client.post("/views/save/", given, follow=True)
    assert "You belong to no team." in refused.content.decode()
    team = Team.objects.create(organisation=us, name="Network")
    colleague, other = factories.member("agent", us, name="Ada"), factories.member("agent", us, name="Bea")
    team.members.add(manager, colleague)
    view = saved(client, "Night shift", "show=open", audience="teams")
    assert "shared by Mona" in get(log_in(colleague), opened(log_in(colleague), view))
    assert log_in(other).get(f"/views/{view.public_id}/").status_code == 404
    team.delete()
    assert log_in(colleague).get(f"/views/{view.public_id}/").status_code == 404
    assert "shared with my teams" in get(client, opened(client, view))


def test_a_personal_view_is_nobody_elses(client: Client, us: Organisation) -> None:
    view = saved(client, "Private", "show=open")
    other = log_in(factories.member("agent", us))
    assert other.get(f"/views/{view.public_id}/").status_code == 404
    assert other.post(f"/views/{view.public_id}/change/", {"verb": "pin"}).status_code == 404
    assert "Private" not in get(other, f"/tickets/?view={view.public_id}")


def test_a_vendor_has_views_of_its_own_and_shares_none(client: Client, vendor: Organisation) -> None:
    shared = saved(client, "Shared", "show=open", audience="everyone")
    theirs = log_in(factories.member("vendor", vendor))
    assert theirs.get(f"/views/{shared.public_id}/").status_code == 404
    refused = theirs.post("/views/save/", {"name": "Ours", "query": "show=open", "audience": "everyone"}, follow=True)
    assert "Only members of our organisation can share a view." in refused.content.decode()
    saved(theirs, "Ours", "show=open")
    assert "Ours" in get(theirs, "/")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "  "}, "Give the view a name."),
        ({"name": "Twice"}, "You have a view named “Twice” already."),
        ({"name": "x", "audience": "nobody"}, "Choose who sees the view."),
    ],
)
def test_a_view_that_cannot_be_saved_says_why(client: Client, fields: dict[str, str], message: str) -> None:
    saved(client, "Twice", "show=open")
    page = client.post("/views/save/", {"query": "show=open&priority=P1", **fields}, follow=True)
    assert message in page.content.decode()
    assert page.redirect_chain[-1][0] == "/tickets/?show=open&priority=P1"
    assert SavedView.objects.count() == 1


def test_a_view_whose_field_is_gone_opens(client: Client, manager: User) -> None:
    view = SavedView.objects.create(owner=manager, name="Old", query="show=open&colour=red&priority=P1,P7")
    page = " ".join(get(client, opened(client, view)).split())
    assert "“P7” no longer exists" in page
    assert titles(page) == ["alpha"]


def test_deleting_a_view_takes_it_from_all_navigations(client: Client, us: Organisation) -> None:
    view = saved(client, "Shared", "show=open", audience="everyone")
    other = log_in(factories.member("agent", us))
    other.post(f"/views/{view.public_id}/change/", {"verb": "pin"})
    assert ViewPreference.objects.count() == 2
    client.post(f"/views/{view.public_id}/change/", {"verb": "delete"})
    assert ViewPreference.objects.count() == 0
    assert "Shared" not in get(other, "/")


def test_a_search_is_neither_exported_nor_counted(client: Client) -> None:
    assert "export.csv" in get(client, "/tickets/")
    assert "export.csv" not in get(client, "/tickets/?q=alpha")
    assert 'hub-count">1' not in get(client, "/tickets/?q=alpha&edit=priority")
    saved(client, "A search", "show=any&q=alpha")
    assert re.search(r'A search <span class="hub-count">\s*</span>', get(client, "/views/pinned/"))


def test_a_row_always_leads_to_its_ticket(client: Client) -> None:
    assert get(client, "/tickets/?columns=priority").count('class="hub-number-cell"') == 4


def test_a_vendor_learns_nothing_of_others_clocks(client: Client, vendor: Organisation) -> None:
    theirs = log_in(factories.member("vendor", vendor))
    assert "without_clock" not in get(theirs, "/tickets/")
    assert titles(get(theirs, "/tickets/?show=without_clock")) == []


def test_the_palette_finds_what_the_reader_may_open(client: Client, vendor: Organisation) -> None:
    indexing.index()
    saved(client, "Hot ones", "show=open")
    assert "Synchronisation" in get(client, "/palette/")
    page = get(client, "/palette/?q=ho")
    assert "Hot ones" in page
    assert f"holder={vendor.public_id}" in page
    assert "alpha" in get(client, "/palette/?q=alpha")
    assert "Nothing matches “zzzz”." in get(client, "/palette/?q=zzzz")
    service, person = (
        factories.ServiceFactory(name="Gamma mail"),
        factories.PersonFactory(name="Gamma Gray", email="gg@example.test"),
    )
    page = get(client, "/palette/?q=gamma%20")
    assert f"?show=open&amp;service={service.public_id}" in page
    assert f"?show=open&amp;requester={person.public_id}" in page
    assert "Gamma Gray" in get(client, f"/palette/?q={person.email}")
    assert "/work/" in get(client, "/palette/?q=my")

    theirs = log_in(factories.member("vendor", vendor))
    assert "Synchronisation" not in get(theirs, "/palette/")
    for hidden in ("gamma", "Hot", "Northwind Finance"):
        assert "Nothing matches" in get(theirs, f"/palette/?q={hidden}")
    assert "alpha" in get(theirs, "/palette/?q=alpha")
