"""The proxy of docs/security.md, word for word: what a visitor of a board on the open internet gets."""

import base64
import http.client
import re
import socket
import ssl
import subprocess
from contextlib import closing, contextmanager
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from config import CHECKOUT
from tests.house_process import HouseProcess
from web.csrf import FIELD
from web.guesses import MAX_FAILURES
from web.security import HEADERS

pytestmark = pytest.mark.service

NAME = "candela.example.org"
PASSWORD = "a long one"
AROUND = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{block}
}}
"""


def block(folder, port, board_port):
    """Return the block of the page with this machine's ports and paths; on another port it says what to write."""
    (told,) = re.findall(r"```nginx\n(.*?)```", (CHECKOUT / "docs" / "security.md").read_text("utf-8"), re.S)
    for theirs, ours in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/candela.", f"{folder}/candela."),
        ("http://127.0.0.1:8000;", f"http://127.0.0.1:{board_port};"),
        (" Host $host;", " Host $http_host;"),
    ):
        assert theirs in told
        told = told.replace(theirs, ours)
    return told


def two_ports():
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory, require_program):
    """Return the address of a running nginx before a running board, and how to trust it."""
    nginx, openssl = require_program("nginx", "apt-get install nginx"), require_program("openssl", "apt-get install it")
    folder = tmp_path_factory.mktemp("nginx")
    port, board_port = two_ports()
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    made += ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", folder / "candela.key", "-out", folder / "candela.pem"]
    subprocess.run(made, check=True, capture_output=True)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, block=block(folder, port, board_port)))
    settings = {"PASSWORD": PASSWORD, "ALLOWED_HOSTS": NAME, "SYMBOLS": "BTCUSDT", "HISTORY_DAYS": "1"}
    with HouseProcess(folder, board_port, **settings) as house:
        process = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.PIPE)
        trust = ssl.create_default_context(cafile=folder / "candela.pem")
        house.wait_for("board", 60, lambda: house.get("/healthz"))
        house.wait_for(
            "proxy", 20, lambda: socket.create_connection(("127.0.0.1", port)).close() or process.poll() is None
        )
        yield SimpleNamespace(port=port, trust=trust)
        process.terminate()
        process.communicate(timeout=20)


class Visitor:
    """Somebody at one address, who keeps cookies."""

    def __init__(self, proxied, address="127.0.0.1"):
        self.proxied, self.address, self.cookies = proxied, address, {}

    @contextmanager
    def open(self, method, path, body=None, **headers):
        """Give an answer that is still to be read."""
        door = socket.create_connection(("127.0.0.1", self.proxied.port), 30, (self.address, 0))
        connection = http.client.HTTPSConnection(NAME, self.proxied.port)
        connection.sock = self.proxied.trust.wrap_socket(door, server_hostname=NAME)
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(connection):
            connection.request(method, path, body, {"Cookie": kept, **given} if kept else given)
            with connection.getresponse() as answer:
                for cookie in answer.headers.get_all("Set-Cookie", []):
                    name, _, rest = cookie.partition("=")
                    self.cookies[name] = rest.partition(";")[0]
                yield answer

    def ask(self, method, path, body=None, **headers):
        """Return status, headers and body."""
        with self.open(method, path, body, **headers) as answer:
            return answer.status, answer.headers, answer.read()

    def log_in(self):
        _, _, page = self.ask("GET", "/login")
        token = re.search(rf'name="{FIELD}" value="([^"]+)"', page.decode())[1]
        form = urlencode({FIELD: token, "password": PASSWORD, "next": "/"})
        origin = f"https://{NAME}:{self.proxied.port}"
        return self.ask("POST", "/login", form, Origin=origin, Content_Type="application/x-www-form-urlencoded")


def basic(password):
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


def test_a_visitor_logs_in_and_the_cookie_is_for_tls_alone(proxied):
    visitor = Visitor(proxied)

    status, headers, _ = visitor.log_in()

    (cookie,) = [text for text in headers.get_all("Set-Cookie") if "-session=" in text]
    assert status in (302, 303)
    assert headers["Location"] == "/"
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert visitor.ask("GET", "/")[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/login", "/healthz", "/api/v1/status", "/api/v1/nope", "/static/css/styles.css"]
)
def test_every_header_comes_once(proxied, path):
    _, headers, _ = Visitor(proxied).ask("GET", path)

    once = [*HEADERS, "Strict-Transport-Security", "Content-Type", "Date", "Server"]
    assert {name: len(headers.get_all(name, [])) for name in once} == dict.fromkeys(once, 1)


def test_an_event_comes_when_it_happens(proxied):
    with Visitor(proxied).open("GET", "/api/v1/stream", **basic(PASSWORD)) as answer:
        first = answer.read1(65_536)

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert 0 < len(first) < 4_000  # nginx would fill a buffer of 4,096 bytes first


def test_only_the_name_of_the_board_is_answered(proxied):
    status, headers, body = Visitor(proxied).ask("GET", "/api/v1/status", Host="evil.example", **basic(PASSWORD))

    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert b"foreign_host" in body


def test_a_body_that_is_too_long_is_refused_by_the_board_itself(proxied):
    status, headers, body = Visitor(proxied).ask("POST", "/api/v1/batch", b"x" * 70_000, **basic(PASSWORD))

    assert (status, headers["Content-Type"]) == (413, "application/problem+json")
    assert b"too_large" in body


def test_who_guesses_is_known_by_the_address_the_proxy_saw(proxied):
    guesser = Visitor(proxied, "127.0.0.7")

    guesses = [
        guesser.ask("GET", "/api/v1/status", X_Forwarded_For=f"10.0.0.{number}", **basic("wrong"))[0]
        for number in range(MAX_FAILURES + 1)
    ]

    assert guesses == [401] * MAX_FAILURES + [429]
    assert guesser.ask("GET", "/api/v1/status", **basic(PASSWORD))[0] == 429
    assert Visitor(proxied).ask("GET", "/api/v1/status", **basic(PASSWORD))[0] == 200
