"""A page that nobody looks at holds no place among the streams; one without a place asks without fetching twice."""

import time

import pytest

from web.live import MAX_STREAMS, StreamsFullError

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.service

LOOK = """(isHidden) => {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def is_stream(request):
    return "/api/v1/stream" in request.url


def has_room(live):
    try:
        live.open(None).close()
    except StreamsFullError:
        return False
    return True


def test_a_hidden_page_gives_its_stream_back_and_takes_one_again(open_page, send, served):
    live = served.house.site.extensions["live"]
    page = open_page("/?horizon=1h")
    send(page, "price", 1, items=[])
    taken = [live.open(None) for _ in range(MAX_STREAMS - 1)]
    assert not has_room(live)

    page.evaluate(LOOK, True)

    deadline = time.monotonic() + 20
    while not has_room(live):
        assert time.monotonic() < deadline, "the hidden page keeps its stream"
        page.wait_for_timeout(100)
    with page.expect_request(is_stream):
        page.evaluate(LOOK, False)
    assert len(taken) == MAX_STREAMS - 1
    assert page.complaints == []


def test_a_page_without_a_stream_asks_with_the_tag_of_what_it_has(open_page, served):
    taken = [served.house.site.extensions["live"].open(None) for _ in range(MAX_STREAMS)]
    page = open_page("/record?horizon=1h")

    with page.expect_request(lambda request: request.resource_type == "fetch" and not is_stream(request)) as asked:
        pass

    tag = page.request.get(page.url).headers["etag"]
    assert asked.value.all_headers()["if-none-match"] == tag
    assert len(taken) == MAX_STREAMS
