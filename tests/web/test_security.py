import pytest

from web.security import HEADERS

PATHS = [
    "/",
    "/system",
    "/models",
    "/s/BTCUSDT",
    "/s/NOPE",
    "/nope",
    "/healthz",
    "/api/v1/status",
    "/api/v1/nope",
    "/static/css/styles.css",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(lively, path):
    answer = lively.get(path)

    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_nothing_inline_or_foreign_is_allowed(lively):
    policy = lively.get("/").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/", "/s/BTCUSDT", "/nope"])
def test_a_page_has_no_inline_code_or_style(lively, path):
    page = lively.get(path).text

    assert "<script>" not in page
    assert "<style" not in page
    assert " style=" not in page
    assert " on" not in "".join(part.split(">")[0] for part in page.split("<")[1:] if " on" in part and "=" in part)


def test_what_a_visitor_types_is_only_text(lively):
    page = lively.get("/?filter=<script>alert(1)</script>").text

    assert "<script>alert" not in page
