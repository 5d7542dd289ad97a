# SPDX-License-Identifier: Apache-2.0
"""One Chromium for all tests, and a mesh with traffic behind each page."""

import os
import pathlib
import shutil
import sys
import threading

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "scenario"))

from mesh import Mesh  # noqa: E402

SCREENSHOTS = pathlib.Path(os.environ.get("SCREENSHOTS") or pathlib.Path(__file__).parents[2] / "build-results" / "screens")


@pytest.fixture(name="browser", scope="session")
def one_browser():
    with sync_playwright() as playwright:
        # The sandbox needs a user of its own, which root in a container doesn't have; the pages are our own.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture(name="mesh")
def make_mesh(tmp_path):
    mesh = Mesh(tmp_path)
    try:
        yield mesh
    finally:
        mesh.stop()


class Traffic:
    """Calls at a modest pace until it is stopped."""

    def __init__(self, mesh, weft, *names):
        self.stopped = threading.Event()
        self.client = mesh.client(weft)
        self.names = names
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopped.wait(0.01):
            for name in self.names:
                self.client.get(name)

    def stop(self):
        self.stopped.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture(name="traffic")
def make_traffic():
    running = []

    def start(*arguments):
        running.append(Traffic(*arguments))
        return running[-1]

    yield start
    for traffic in running:
        traffic.stop()


@pytest.fixture(name="open_page")
def make_page(browser):
    """open_page(weft, "/path", **context): a page; at the end of the test, whatever its console or the policy complained of fails."""
    pages, complaints = [], []

    def heard(message):
        # Violations of the content security policy are told as errors; so are questions that the proxy refuses, which is no fault of the page.
        refused = "status of 400" in message.text and "/explain.json" in message.location.get("url", "")
        if message.type in ("error", "warning") and not refused:
            complaints.append(message.text)

    def open_page(weft, path="/", **context):
        page = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **context}).new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("http://%s:%d%s" % (*weft.admin_address, path))
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert not complaints, complaints


@pytest.fixture(name="screenshot")
def take_screenshot():
    def take(page, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return take
