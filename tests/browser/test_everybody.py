# SPDX-License-Identifier: Apache-2.0
"""The dashboard for who doesn't see it, has no mouse or sees few colours. axe-core judges each page; what no rule judges is tried by keyboard."""

import itertools
import os
import pathlib
import re

import pytest
from playwright.sync_api import expect

from mesh import wait_until

AXE = pathlib.Path(os.environ.get("AXE") or pathlib.Path(__file__).parents[2] / "build-judges/node/axe") / "node_modules/axe-core/axe.min.js"


def violations(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [(violation["id"], node["target"], node["failureSummary"]) for violation in found["violations"] for node in violation["nodes"]]


@pytest.fixture(name="busy")
def make_busy(mesh, traffic):
    """A mesh in which something is wrong: an endpoint that is out, another that fails now and then, a service that isn't there."""
    calls = itertools.count()
    dead, failing = mesh.origin(), mesh.origin(lambda call: call.answer(503 if next(calls) % 2 else 200))
    mesh.service("web", dead, mesh.origin())
    mesh.service("cart", failing, mesh.origin())
    weft = mesh.weft(client={"failureAccrual": {"kind": "io.l5d.consecutiveFailures", "failures": 3, "backoff": {"kind": "constant", "ms": 60000}}},
                     service={"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}})
    traffic(mesh, weft, "web", "cart", "nobody")
    dead.close()
    wait_until(lambda: weft.metric("retries/total") > 0 and weft.metric("loadbalancer/available") == 3, "failures")
    return weft


def open_all(page):
    """Each page with what can be opened on it open."""
    yield "overview"
    for row in ("Services", "Clients"):
        page.get_by_role("region", name=f"{row} of out").get_by_role("button", name="web", exact=True).click()
    expect(page.locator("figure canvas")).to_have_count(6)
    yield "overview, opened"
    page.get_by_role("link", name="graph").click()
    expect(page.locator("svg.graph")).to_be_visible()
    yield "graph"
    page.get_by_role("link", name="dtab").click()
    page.get_by_label("Path").fill("/svc/web")
    page.get_by_role("textbox", name="Entry of line").fill("/svc => /#/io.l5d.fs/cart | /#/io.l5d.fs")
    expect(page.get_by_role("region", name="With the change")).to_contain_text("changed")
    page.get_by_text("How it is called").last.click()
    yield "dtab"
    page.get_by_role("button", name="As text").click()
    yield "dtab as text"
    page.get_by_role("link", name="logging").click()
    expect(page.get_by_role("radio").first).to_be_attached()
    yield "logging"
    page.get_by_role("link", name="requests", exact=True).click()
    expect(page.locator("tbody tr").nth(5)).to_be_visible()
    yield "requests"
    page.get_by_role("button", name="Pause").click()
    page.locator("tbody tr", has_text="retried").first.get_by_role("link").click()
    expect(page.get_by_text(re.compile("^Attempt 1"))).to_be_visible()
    yield "a request's story"
    page.get_by_role("link", name="process").click()
    expect(page.get_by_text("Version")).to_be_visible()
    yield "process"
    page.get_by_role("link", name="help").click()
    yield "help"


@pytest.mark.parametrize("scheme, width", [("light", 1440), ("dark", 1440), ("dark", 390)])
def test_axe_has_nothing_to_say(busy, open_page, screenshot, scheme, width):
    page = open_page(busy, color_scheme=scheme, viewport={"width": width, "height": 900})
    expect(page.get_by_role("region", name="Clients of out").get_by_role("button", name="web", exact=True)).to_be_visible()
    wrong = {}
    for name in open_all(page):
        wrong[name] = violations(page)
        screenshot(page, f"{re.sub('[^a-z]+', '-', name)}-{scheme}-{width}")
    wrong = {name: found for name, found in wrong.items() if found}
    assert not wrong, wrong


def refreshed(page, path):
    """The page has asked twice, so that it has shown at least the first answer."""
    for _ in range(2):
        with page.expect_response(lambda response: response.url.endswith(path)):
            pass


def focused(page):
    """What a screen reader would say has the focus."""
    return page.evaluate("(document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText).trim()")


def test_the_keyboard_reaches_everything_in_order(busy, open_page):
    page = open_page(busy)
    expect(page.get_by_role("region", name="Clients of out").get_by_role("button", name="web", exact=True)).to_be_visible()
    order = []
    for _ in range(40):
        page.keyboard.press("Tab")
        order.append(focused(page))
    wanted = ["Skip to content", "weft", "overview", "graph", "dtab", "logging", "requests", "process", "help", "Services of out", "service", "req/s", "success",
              "p50", "p95", "p99", "cart", "nobody", "web", "Clients of out", "client", "req/s", "success", "p50", "p95", "p99", "cart", "web"]
    assert order[:len(wanted)] == wanted
    # What is opened comes next, and the focus stays where it is while numbers change.
    web = page.get_by_role("region", name="Clients of out").get_by_role("button", name="web", exact=True)
    web.focus()
    page.keyboard.press("Enter")
    expect(web).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("row", name=re.compile("^127.0.0.1:.* out "))).to_be_visible()
    refreshed(page, "/endpoints.json")
    expect(web).to_be_focused()
    page.keyboard.press("Space")
    expect(web).to_have_attribute("aria-expanded", "false")


def test_the_focus_stays_in_a_list_that_moves(mesh, open_page):
    """Requests come every two seconds, but not while somebody reads."""
    mesh.service("web", mesh.origin())
    weft = mesh.weft()
    client = mesh.client(weft)
    for _ in range(5):
        client.get("web")
    page = open_page(weft, "/recent")
    rows = page.locator("tbody tr")
    link = rows.nth(3).get_by_role("link")
    trace = link.inner_text()
    link.focus()
    client.get("web")
    refreshed(page, "/endpoints.json")
    expect(rows).to_have_count(5)
    assert focused(page) == trace
    page.get_by_role("button", name="Pause").focus()
    expect(rows).to_have_count(6)
    link = page.get_by_role("link", name=trace)
    link.press("Enter")
    expect(page).to_have_url(re.compile(f"/recent\\?id={trace}$"))
    expect(page.get_by_role("main")).to_be_focused()


def test_what_changes_is_said(busy, open_page):
    """Only what somebody waits for is told by itself; numbers that change all the time are not."""
    page = open_page(busy, "/delegator?path=/svc/web")
    said = page.locator("main [role=status], main [aria-live]")
    expect(said).to_have_count(1)
    expect(said).to_have_text(re.compile("^Goes to /#/io.l5d.fs/web, 2 endpoints"))
    page.get_by_role("button", name="Leave out").click()
    expect(said).to_contain_text("bound to nothing")
    page.goto(page.url.split("/delegator")[0])
    expect(page.get_by_role("region", name="Clients of out").get_by_role("button", name="web", exact=True)).to_be_visible()
    expect(page.locator("main [role=status], main [aria-live]")).to_have_count(0)


def test_charts_say_what_they_show(busy, open_page):
    page = open_page(busy)
    page.get_by_role("region", name="Services of out").get_by_role("button", name="web", exact=True).click()
    expect(page.get_by_role("img", name=re.compile(r"^Requests a second: now \d"))).to_be_visible(timeout=15000)
    expect(page.get_by_role("img", name=re.compile(r"^Latency: p50 [\d.]+ ms, p95"))).to_be_visible(timeout=90000)
