"""The login in a real browser: with and without JavaScript."""

import threading

import pytest
from werkzeug.serving import make_server

from config import Config
from web.site import create_site

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.service

PASSWORD = "open, sesame"


@pytest.fixture
def address(lively):
    """Return the address of a board that asks for its password."""
    settings = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD=PASSWORD)
    site = create_site(lively.stores, settings)
    server = make_server("127.0.0.1", 0, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    site.extensions["live"].close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(chromium):
    """Return a function that opens a page and collects what the browser complains about."""
    contexts = []

    def open_one(address, **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: page.complaints.append(said.text) if "401" not in said.text else None)
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_person_logs_in_and_out(open_page, address, javascript):
    page = open_page(f"{address}/system", java_script_enabled=javascript)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()

    page.get_by_role("link", name="Log out").click()
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{address}/system")

    expect(page.get_by_label("Password")).to_be_visible()
    assert page.complaints == []


def test_a_page_that_was_logged_out_elsewhere_asks_for_the_password(open_page, address):
    page = open_page(f"{address}/system")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()
    other = page.context.new_page()
    other.goto(f"{address}/login")

    other.get_by_role("button", name="Log out").click()

    expect(page.get_by_label("Password")).to_be_visible(timeout=10_000)
    assert page.complaints == []
