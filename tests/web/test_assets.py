import gzip
import re

import brotli
import pytest


def address(house, name):
    return re.search(rf'"(/static/v-\w+/{name})"', house.get("/").text)[1]


def test_a_page_names_its_files_by_their_content_and_they_are_kept_for_ever(lively):
    answer = lively.get(address(lively, "css/styles.css"))

    assert answer.status_code == 200
    assert {"immutable", "public", "max-age=31536000"} <= set(answer.headers["Cache-Control"].split(", "))


@pytest.mark.parametrize("path", ["/static/css/styles.css", "/static/v-000000000000/css/styles.css"])
def test_a_file_under_another_address_is_asked_for_each_time(lively, path):
    answer = lively.get(path)
    again = lively.get(path, headers={"If-None-Match": answer.headers["ETag"]})

    assert answer.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304


@pytest.mark.parametrize(("encoding", "decode"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_text_is_sent_compressed(lively, encoding, decode):
    plain = lively.get("/static/js/scripts.js").data

    answer = lively.get("/static/js/scripts.js", headers={"Accept-Encoding": encoding})

    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert decode(answer.data) == plain


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip"])
def test_pages_and_data_are_sent_compressed(lively, encoding):
    for path in ("/", "/api/v1/ledger", "/api/v1/ledger.csv"):
        answer = lively.get(path, headers={"Accept-Encoding": encoding})
        assert answer.headers["Content-Encoding"] == encoding


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "css/../../config.py", "css", "nope.css", "%00", ".hidden"]
)
def test_nothing_else_is_served(lively, name):
    assert lively.get(f"/static/{name}").status_code == 404


def test_modules_are_javascript_and_icons_are_pictures(lively):
    assert lively.get("/static/js/scripts.js").mimetype == "text/javascript"
    assert lively.get("/static/icons/sprite.svg").mimetype == "image/svg+xml"
    assert lively.get("/favicon.ico").mimetype == "image/svg+xml"
