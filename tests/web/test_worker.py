"""The real server, spoken to by hand: what never reaches the site is answered like everything else."""

import base64
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from config import CHECKOUT
from tests.house_process import environment
from web.security import HEADERS
from web.worker import error_bytes

CANARY = "canary-4f1c-secret"
SERVER = ["-m", "gunicorn", "--worker-class", "web.worker.PatientWorker", "--workers", "1", "--threads", "4"]


class Server:
    """A gunicorn with the options of `python app.py`, over an instance no engine has written to."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        options = ["--bind", f"127.0.0.1:{port}", "--no-control-socket", "--log-level", "warning", "app:app"]
        environ = {**os.environ, **environment(folder, port, PASSWORD=CANARY), "PYTHONPATH": str(CHECKOUT)}
        with (folder / "web.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *SERVER, *options], cwd=folder, env=environ, stdout=log, stderr=log
            )

    def send(self, data, timeout_seconds=60):
        """Return everything the server answers to these bytes until it closes, or is silent for good."""
        with socket.create_connection(("127.0.0.1", self.port), timeout_seconds) as connection:
            connection.sendall(data)
            parts = []
            try:
                while part := connection.recv(65_536):
                    parts.append(part)
            except ConnectionResetError:
                pass
            return b"".join(parts)

    def wait(self):
        """Return once it answers."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if b" 200 " in self.send(b"GET /healthz HTTP/1.0\r\n\r\n"):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "web.log").read_text())

    def log(self):
        return (self.folder / "web.log").read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Server(tmp_path_factory.mktemp("server"), port)
    try:
        made.wait()
        yield made
    finally:
        made.process.terminate()
        made.process.wait(20)


def parsed(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def post(body, *headers):
    lines = ["POST /login HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


HOSTILE = {
    "a long request line": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a long header": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
    "no HTTP": (b"hello\r\n\r\n", 400),
    "an unknown version": (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost: localhost\r\nnothing\r\n\r\n", 400),
    "two lengths": (post(b"abc", "Content-Length: 3", "Content-Length: 4"), 400),
    "a length and chunks": (post(b"0\r\n\r\n", "Content-Length: 3", "Transfer-Encoding: chunked"), 400),
    "a chunk without a size": (post(b"zz\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400),
    "a chunk without an end": (post(b"3\r\nabcXX0\r\n\r\n", "Transfer-Encoding: chunked"), 400),
    "a broken trailer": (post(b"3\r\nabc\r\n0\r\nbad\r\n\r\n", "Transfer-Encoding: chunked"), 400),
    "a negative chunk": (post(b"-3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400),
    "large chunks": (
        post(b"10000\r\n" + b"a" * 65_536 + b"\r\n1\r\nb\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        413,
    ),
    "an unknown coding": (post(b"abc", "Transfer-Encoding: zip"), 501),
    "a foreign host": (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 400),
    "no password": (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 401),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_is_answered_with_headers_and_an_id_and_without_a_trace(server, name):
    request, expected = HOSTILE[name]

    status, headers, body = parsed(server.send(request))

    assert status == expected
    assert {key: headers.get(key) for key in HEADERS} == HEADERS
    assert b"Traceback" not in body
    assert "Traceback" not in server.log()
    if status in (414, 431, 501):
        assert headers["Content-Type"] == "application/problem+json"
    if headers["Content-Type"] == "application/problem+json":
        assert {"type", "title", "status", "detail", "code", "id"} <= json.loads(body).keys()
        assert f"id={json.loads(body)['id']}" in server.log()


def test_a_request_that_never_ends_is_given_up(server):
    begun_s = time.monotonic()

    answer = server.send(b"GET / HTTP/1.1\r\nHost: local")

    assert answer == b""
    assert time.monotonic() - begun_s > 5
    assert "slow request ended" in server.log()


def test_the_password_is_in_no_command_line(server):
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout

    assert "web.worker.PatientWorker" in lines
    assert CANARY not in lines


def test_the_password_is_in_no_log_and_in_no_file_of_the_instance(server):
    coded = base64.b64encode(f"me:{CANARY}".encode()).decode()
    server.send(
        f"GET /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {coded}\r\n\r\n".encode()
    )
    server.send(f"GET /{CANARY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    server.send(f"GET /{CANARY}\r\n{CANARY}\r\n\r\n".encode())

    kept = [path.name for path in server.folder.glob("**/*") if path.is_file() and CANARY.encode() in path.read_bytes()]

    assert "path=/nope" in server.log()
    assert "path=/***" in server.log()
    assert kept == []


def test_the_answer_of_the_server_itself_is_whole():
    status, headers, body = parsed(error_bytes(414, "URI Too Long", "the address is too long", "0badc0de"))

    assert (status, int(headers["Content-Length"])) == (414, len(body))
    assert json.loads(body)["id"] == "0badc0de"
