import pytest

from config import Config
from web.site import create_site
from web.stores import Stores


@pytest.fixture
def locked(tmp_path):
    return create_site(Stores(tmp_path, tmp_path), Config(INSTANCE_DIR=tmp_path, PASSWORD="sésame")).test_client()


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/api/v1/stream", "/s/BTCUSDT", "/static/css/styles.css"])
def test_nothing_is_shown_without_the_password(locked, path):
    answer = locked.get(path)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_who_does_not_know_the_password_learns_nothing_of_the_market(locked):
    page = locked.get("/").text

    assert "asks for its password" in page
    assert not any(word in page for word in ("data-feed", "data-market-ms", "Simulated", "Starting", "stylesheet"))


@pytest.mark.parametrize("given", ["", "sesame", "sésame ", "SÉSAME"])
def test_a_wrong_password_is_refused(locked, given):
    assert locked.get("/", auth=("me", given)).status_code == 401


def test_the_password_opens_everything(locked):
    assert locked.get("/", auth=("anybody", "sésame")).status_code == 200
    assert locked.get("/api/v1/status", auth=("", "sésame")).status_code == 200


def test_health_is_told_to_everybody(locked):
    assert locked.get("/healthz").status_code == 200


def test_without_a_password_everybody_may_look(tmp_path):
    site = create_site(Stores(tmp_path, tmp_path), Config(INSTANCE_DIR=tmp_path))

    assert site.test_client().get("/").status_code == 200
