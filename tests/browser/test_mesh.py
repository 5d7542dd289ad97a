# SPDX-License-Identifier: Apache-2.0
"""The page of a whole mesh, `weft dashboard`, as who opens it sees it: real proxies with traffic behind it."""

import re

import pytest
from playwright.sync_api import expect

from dashboard import Dashboard
from test_everybody import violations


@pytest.fixture(name="dashboard")
def make_dashboard():
    running = []

    def start(*wefts, more=()):
        admins = ",".join(["%s:%d" % weft.admin_address for weft in wefts] + list(more))
        running.append(Dashboard("--admin", admins))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def tile(page, name):
    return page.locator(".tile", has=page.get_by_text(name, exact=True))


def row(page, kind, name):
    return page.get_by_role("region", name=kind, exact=True).get_by_role("row", name=re.compile(rf"^{name}\b")).first


def test_panels_are_the_counters(mesh, dashboard, open_page):
    mesh.service("web", mesh.origin())
    mesh.service("cart", mesh.origin(lambda call: call.answer(503)))
    wefts = [mesh.weft(), mesh.weft()]
    for weft, name, times in ((wefts[0], "web", 11), (wefts[1], "web", 6), (wefts[1], "cart", 3)):
        client = mesh.client(weft)
        for _ in range(times):
            client.get(name)
    shown = dashboard(*wefts)
    page = open_page(shown)
    expect(tile(page, "Services").locator("strong")).to_have_text("2")
    expect(tile(page, "Proxies").locator("strong")).to_have_text("2")
    expect(tile(page, "Success").locator("small")).to_have_text("17 in all")
    expect(tile(page, "Requests a second").locator("small")).to_have_text("20 in all")
    expect(page.get_by_role("region", name="Services").locator("tbody tr")).to_have_count(2)
    row(page, "Services", "cart").get_by_role("button").click()
    expect(page.get_by_text("/svc/cart of the router out, which 1 proxy knows; 3 requests in all, 3 failed")).to_be_visible()
    first = row(page, "Proxies", re.escape("%s:%d" % wefts[0].admin_address))
    first.get_by_role("button").click()
    expect(page.get_by_text("11 requests in all, 0 failed, 0 pending")).to_be_visible()


@pytest.fixture(name="busy")
def make_busy(mesh, traffic, dashboard):
    """Two proxies with traffic, of which one has errors, and one that isn't there."""
    mesh.service("web", mesh.origin(), mesh.origin())
    mesh.service("cart", mesh.origin(lambda call: call.answer(503)))
    mesh.service("absent", mesh.origin(lambda call: call.answer(404)))
    wefts = [mesh.weft(), mesh.weft(mesh.config(mesh.router("incoming"), mesh.router("outgoing")))]
    traffic(mesh, wefts[0], "web", "cart")
    traffic(mesh, wefts[1], "web", "absent")
    shown = dashboard(*wefts, more=["127.0.0.1:1"])
    shown.until(lambda told: told["readings"] > 3 and told["totals"]["all"]["server_errors_per_s"])
    return shown


def test_charts_move(busy, open_page, screenshot):
    page = open_page(busy)
    line = row(page, "Services", "web").locator(".spark-line")
    expect(line).to_have_attribute("d", re.compile("^M"), timeout=20000)
    drawn = line.get_attribute("d")
    expect(line).not_to_have_attribute("d", drawn, timeout=20000)
    expect(page.locator(".mesh figure canvas")).to_have_count(4)
    chart = page.get_by_role("img", name=re.compile(r"^Requests a second: now \d"))
    said = chart.get_attribute("aria-label")
    expect(chart).not_to_have_attribute("aria-label", said, timeout=20000)
    expect(page.get_by_role("img", name=re.compile(r"^Errors a second: 4xx [\d.]+, 5xx [\d.]+"))).to_be_visible()
    expect(tile(page, "4xx a second").locator("strong")).not_to_have_text("0")
    expect(tile(page, "5xx a second").locator("strong")).not_to_have_text("0")
    screenshot(page, "mesh")


def test_who_cannot_be_read_is_shown_with_the_reason(busy, open_page):
    page = open_page(busy)
    expect(tile(page, "Proxies").locator("strong")).to_have_text("2")
    expect(tile(page, "Proxies").locator("small")).to_have_text("1 of 3 unreachable")
    expect(row(page, "Proxies", "127.0.0.1:1")).to_contain_text(re.compile(r"unreachable for .* connection refused"))


def test_one_router_alone(busy, open_page):
    page = open_page(busy)
    expect(page.get_by_role("region", name="Services").get_by_role("button", name="cart")).to_be_visible()
    page.get_by_role("radio", name="outgoing").check()
    expect(page).to_have_url(re.compile(r"\?router=outgoing$"))
    expect(page.get_by_role("region", name="Services").get_by_role("button", name="cart")).to_have_count(0)
    expect(tile(page, "Requests a second").locator("small")).to_have_text("0 in all")
    page.reload()
    expect(page.get_by_role("radio", name="outgoing")).to_be_checked()


def test_the_graph_is_of_all_proxies(busy, open_page, screenshot):
    page = open_page(busy, "/graph")
    expect(page.locator("svg.graph .vertex.router")).to_have_count(2)   # `out` and `incoming`; nobody calls `outgoing`
    expect(page.locator("svg.graph .vertex.client")).to_have_count(3)
    expect(page.locator("tbody tr", has_text="cart").last).to_contain_text(re.compile(r"0\.0%\s*none"))
    screenshot(page, "mesh-graph")


def test_nothing_to_show_says_what_to_do(mesh, dashboard, open_page):
    page = open_page(dashboard(more=["127.0.0.1:1"]))
    expect(page.locator(".notice")).to_have_text(re.compile(r"^The proxy can't be read\. The reasons are below"))
    expect(row(page, "Proxies", "127.0.0.1:1")).to_contain_text("connection refused")
    page = open_page(dashboard(mesh.weft()))
    expect(page.locator(".notice")).to_have_text("No requests yet. Send one through a proxy, and it shows up here.")


def test_many_services_cost_few_rows(mesh, dashboard, open_page):
    mesh.service("web", mesh.origin())
    weft = mesh.weft(dtab="/any/* => /#/io.l5d.fs/web; /svc => /any")
    client = mesh.client(weft)
    for i in range(100):
        client.get(f"s{i}")
    shown = dashboard(weft)
    page = open_page(shown)
    expect(tile(page, "Services").locator("strong")).to_have_text("100", timeout=20000)
    rows = page.get_by_role("region", name="Services").locator("tbody tr")
    expect(rows).to_have_count(40)
    page.get_by_role("button", name="Show more of 100").click()
    expect(rows).to_have_count(100)
    page.get_by_label("Filter services").fill("s42")
    expect(rows).to_have_count(1)


@pytest.mark.parametrize("scheme, width", [("light", 1440), ("dark", 1440), ("dark", 390)])
def test_axe_has_nothing_to_say(busy, open_page, screenshot, scheme, width):
    page = open_page(busy, color_scheme=scheme, viewport={"width": width, "height": 900})
    wrong = {}
    row(page, "Services", "web").get_by_role("button").click()
    expect(page.locator(".detail figure canvas")).to_have_count(3)
    wrong["mesh"] = violations(page)
    screenshot(page, f"mesh-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name, there in (("graph", "svg.graph"), ("help", ".prose")):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator(there)).to_be_visible()
        wrong[name] = violations(page)
        screenshot(page, f"mesh-{name}-{scheme}-{width}")
    wrong = {name: found for name, found in wrong.items() if found}
    assert not wrong, wrong


def test_the_keyboard_reaches_everything(busy, open_page):
    page = open_page(busy)
    web = row(page, "Services", "web").get_by_role("button")
    expect(web).to_be_visible()
    web.focus()
    page.keyboard.press("Enter")
    expect(web).to_have_attribute("aria-expanded", "true")
    with page.expect_response(lambda response: response.url.endswith("/mesh.json")):
        pass
    expect(web).to_be_focused()
    page.keyboard.press("Space")
    expect(web).to_have_attribute("aria-expanded", "false")
    page.get_by_role("radio", name="all routers").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="incoming")).to_be_checked()
    expect(page.get_by_role("radio", name="incoming")).to_be_focused()
