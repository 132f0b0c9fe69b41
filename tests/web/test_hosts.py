import pytest

from config import Config
from web.hosts import is_ours


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "127.0.0.1:8000", "127.8.8.8", "[::1]:8000", "[::ffff:127.0.0.1]", "LOCALHOST"],
)
def test_loopback_names_are_ours(lively, host):
    assert lively.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/static/css/styles.css", "/healthz", "/nope"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "192.0.2.1", "local host"]
)
def test_a_foreign_name_gets_nothing(lively, path, host):
    answer = lively.get(path, headers={"Host": host})

    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text
    assert "data-feed" not in answer.text


@pytest.mark.parametrize("host", ["", "a:b", "[::1", "::1", "localhost:port", "x" * 300, "a/b", "user@localhost", "é"])
def test_what_is_no_host_is_not_ours(host):
    assert not is_ours(host, Config())


def test_the_names_of_the_settings_are_ours():
    settings = Config(HOST="192.0.2.7", ALLOWED_HOSTS="Board.example.org, board.lan")

    assert all(is_ours(host, settings) for host in ("192.0.2.7:8000", "board.example.org", "BOARD.LAN:443"))
    assert not is_ours("192.0.2.8", settings)


@pytest.mark.parametrize("every", ["0.0.0.0", "::"])
def test_who_listens_on_every_address_answers_under_each_but_under_no_foreign_name(every):
    settings = Config(HOST=every)

    assert all(is_ours(host, settings) for host in ("192.0.2.8:8000", "[2001:db8::1]"))
    assert not is_ours("evil.example", settings)
