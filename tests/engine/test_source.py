"""Which exchange a start listens to."""

import http.server
import socketserver
import threading

import pytest

from config import load_config
from engine.source import binance_answers, choose_source, engine_command, simulator_command, venue_of


@pytest.fixture
def exchange():
    """Run a server that answers a ping as Binance does."""

    class Ping(http.server.BaseHTTPRequestHandler):
        body = b"{}"

        def do_GET(self):
            self.send_response(200 if self.path == "/api/v3/ping" else 404)
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Ping)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server, Ping
    server.shutdown()
    thread.join()
    server.server_close()


def settings(tmp_path, **given):
    return load_config({"CANDELA_INSTANCE_DIR": str(tmp_path)} | {f"CANDELA_{k}": v for k, v in given.items()})


def test_auto_takes_binance_when_it_answers(exchange, tmp_path):
    root = f"http://127.0.0.1:{exchange[0].server_port}"
    config = settings(tmp_path, MARKET="auto", BINANCE_REST_URL=root)

    source = choose_source(config, print)

    assert (source.market, source.venue, source.rest_url) == ("binance", "binance", root)


def test_a_proxy_is_not_asked_about_this_machine(exchange, free_port, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    config = settings(tmp_path, BINANCE_REST_URL=f"http://127.0.0.1:{exchange[0].server_port}")

    assert binance_answers(config)


def test_auto_says_that_it_goes_on_with_the_simulated_market(free_port, tmp_path):
    said = []
    config = settings(tmp_path, MARKET="auto", BINANCE_REST_URL=f"http://127.0.0.1:{free_port}")

    source = choose_source(config, said.append)

    assert source.market == "simulated"
    assert "Binance does not answer" in said[0]


def test_a_page_that_is_no_ping_is_not_binance(exchange, tmp_path):
    server, ping = exchange
    ping.body = b"<html>log in to this network</html>"
    config = settings(tmp_path, BINANCE_REST_URL=f"http://127.0.0.1:{server.server_port}")

    assert not binance_answers(config)


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
)
def test_what_does_not_speak_http_is_not_binance(tmp_path, answer):
    class Stranger(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1_000)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        config = settings(tmp_path, BINANCE_REST_URL=f"http://127.0.0.1:{server.server_address[1]}")

        assert not binance_answers(config)


def test_binance_is_used_as_it_is_even_when_it_is_away(free_port, tmp_path):
    config = settings(tmp_path, MARKET="binance", BINANCE_REST_URL=f"http://127.0.0.1:{free_port}")

    assert choose_source(config, print).market == "binance"


def test_another_seed_or_folder_is_another_market(tmp_path):
    replay = tmp_path / "candles"
    replay.mkdir()
    (replay / "BTCUSDT-5m-x.csv").write_text("open_time,open,high,low,close,volume\n")

    venues = {
        venue_of(settings(tmp_path)),
        venue_of(settings(tmp_path, SIMULATOR_SEED="2")),
        venue_of(settings(tmp_path, SIMULATOR_REPLAY=str(replay))),
    }

    assert len(venues) == 3


def test_the_simulator_is_told_every_setting_of_its_own(tmp_path):
    config = settings(tmp_path, SIMULATOR_SEED="7", SIMULATOR_SPEED="10")

    command = simulator_command(config, 1234)

    assert command[command.index("--seed") + 1] == "7"
    assert command[command.index("--speed") + 1] == "10"
    assert command[command.index("--port") + 1] == "1234"


def test_the_engine_is_told_its_source(tmp_path):
    source = choose_source(settings(tmp_path, MARKET="simulated"), print)

    assert source.rest_url in engine_command(source)
    assert source.venue in engine_command(source)
