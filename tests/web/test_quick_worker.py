"""The real worker over real sockets: what was asked before is answered at once, and never to who may not see it."""

import gc
import os
import re
import socket
import threading
from types import SimpleNamespace

import pytest
from gunicorn.config import Config as ServerConfig
from gunicorn.glogging import Logger
from werkzeug.test import create_environ

from config import Config
from web.cookies import cookie_name
from web.latency import KEPT
from web.quick_answers import MAX_REQUEST_BYTES, MAX_REQUESTS, Asked, QuickAnswers
from web.site import create_site
from web.worker import PatientWorker

LIST = "/api/v1/predictions"
LARGE = "/s/BTCUSDT"  # as it is, uncompressed
THREADS = 4


class CountingWorker(PatientWorker):
    """Runs beside the tests, counts the requests that took a thread, and notes how many connections there were."""

    handed = 0

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.let_in = []

    def init_signals(self):
        pass  # signals belong to the main thread

    def accept(self, listener):
        super().accept(listener)
        self.let_in.append(self.nr_conns)

    def enqueue_req(self, conn):
        self.handed += 1
        super().enqueue_req(conn)


class Server:
    """One worker over a site of this process; so many visitors are there before it."""

    def __init__(self, site, early=0, **settings):
        self.kept = site.extensions["kept_answers"]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # so that a page does not fit
        config = ServerConfig()
        for name, value in {"threads": THREADS, "keepalive": 20, "graceful_timeout": 1, **settings}.items():
            config.set(name, value)
        app = SimpleNamespace(wsgi=lambda: site)
        self.worker = CountingWorker(0, os.getppid(), [self._listener], app, 30, config, Logger(config))
        self._visitors = []
        self.early = [self.connect() for _ in range(early)]
        self._thread = threading.Thread(target=self.worker.init_process)
        self._thread.start()

    def connect(self, **options):
        self._visitors.append(Visitor(self._listener.getsockname(), **options))
        return self._visitors[-1]

    def close(self):
        for visitor in self._visitors:
            visitor.close()
        self.worker.handle_exit(None, None)
        self._thread.join(20)
        gc.unfreeze()
        self.worker.tmp.close()
        for handler in self.worker.log.access_log.handlers:
            handler.close()
        for descriptor in self.worker.PIPE:
            os.close(descriptor)


class Visitor:
    """One connection."""

    def __init__(self, address, receive_bytes=None):
        self.socket = socket.socket()
        self.socket.settimeout(20)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def ask(self, path=LIST, *headers, method="GET", version="1.1"):
        self.socket.sendall(request(path, *headers, method=method, version=version))
        return self.read(has_body=method != "HEAD")

    def read(self, has_body=True):
        first = self._file.readline().decode()
        lines = iter(lambda: self._file.readline().decode(), "\r\n")
        pairs = [line.rstrip("\r\n").split(": ", 1) for line in lines]
        headers, names = dict(pairs), [name for name, _ in pairs]
        status = int(first.split()[1])
        length = int(headers.get("Content-Length", 0)) if has_body and status != 304 else 0
        return SimpleNamespace(status=status, headers=headers, names=names, body=self._file.read(length), first=first)

    def is_closed(self):
        return self._file.read(1) == b""

    def close(self):
        self._file.close()
        self.socket.close()


def request(path=LIST, *headers, method="GET", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.fixture
def serve():
    """Return a function that serves a site."""
    servers = []

    def start(site, **settings):
        servers.append(Server(site, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def server(lively, serve):
    return serve(lively.site)


def test_what_was_asked_before_is_answered_without_a_thread_and_in_the_same_words(server):
    visitor = server.connect()
    by_site, *at_once = [visitor.ask() for _ in range(3)]

    assert (server.worker.handed, server.kept.stats().hits) == (1, 2)
    for answer in at_once:
        assert (answer.first, answer.body, list(answer.headers)) == (by_site.first, by_site.body, list(by_site.headers))
        assert answer.headers | {"Date": ""} == by_site.headers | {"Date": ""}


@pytest.mark.parametrize("path", [LIST, "/", "/settings", "/static/css/styles.css", "/nope"])
def test_no_header_is_told_twice_whether_an_answer_was_kept_or_not(server, path):
    visitor = server.connect()
    answers = [visitor.ask(path) for _ in range(2)]
    tag = answers[0].headers.get("ETag", '"none"')

    answers += [visitor.ask(path, f"If-None-Match: {tag}") for _ in range(2)]

    for answer in answers:
        assert {"Date", "Server", "Connection"} <= set(answer.names)
        assert len(answer.names) == len(set(answer.names))


def test_quick_answers_are_timed_with_the_kept_ones(server, lively):
    visitor = server.connect()
    for _ in range(3):
        visitor.ask()

    counts = {one.endpoint: one.count for one in lively.site.extensions["latencies"].recent()}

    assert counts[KEPT] == 2


def test_a_new_connection_is_answered_at_once_too(server):
    server.connect().ask()

    answer = server.connect().ask()

    assert (answer.status, server.worker.handed) == (200, 1)


def test_all_who_wait_are_let_in_together(lively, serve):
    server = serve(lively.site, early=9)

    answers = [visitor.ask("/healthz") for visitor in server.early]

    assert [answer.status for answer in answers] == [200] * 9
    assert server.worker.let_in == [9]


def test_a_visitor_who_does_not_hang_up_holds_up_nobody(server, monkeypatch):
    monkeypatch.setattr("gunicorn.util.close_graceful.__defaults__", (3_600.0, 65_536))
    staying, other = server.connect(), server.connect()
    other.ask()

    last = staying.ask(LIST, "Connection: close")
    answer = other.ask()

    assert (last.headers["Connection"], staying.is_closed()) == ("close", True)
    assert (answer.status, server.worker.handed) == (200, 2)


def test_what_was_loaded_is_not_searched_for_garbage(server):
    server.connect().ask()

    assert gc.get_freeze_count() > 0


def test_who_has_the_answer_is_told_so_until_it_is_another_one(server, lively):
    visitor = server.connect()
    tag = visitor.ask().headers["ETag"]
    known = f"If-None-Match: {tag}"
    before = [visitor.ask(LIST, known) for _ in range(3)]
    handed = server.worker.handed

    lively.publish(lively.prediction("BTCUSDT", "1h", 1_763_640_000_000, 0.66))
    after = visitor.ask(LIST, known)

    assert [(answer.status, answer.headers["ETag"], answer.body) for answer in before] == [(304, tag, b"")] * 3
    assert "Content-Type" not in before[-1].headers
    assert handed == 2
    assert (after.status, b"0.66" in after.body, after.headers["ETag"] != tag) == (200, True, True)


def test_a_page_goes_with_the_heartbeat(server, lively):
    visitor = server.connect()
    before = [visitor.ask("/?horizon=1h").body for _ in range(2)]
    lively.states["EDGEUSDT"] = "gapped"
    lively.beat()

    after = visitor.ask("/?horizon=1h").body

    assert b'data-state="gapped"' not in before[1]
    assert b'data-state="gapped"' in after


def test_a_page_is_kept_for_a_moment_only(server, lively):
    visitor = server.connect()
    for _ in range(2):
        visitor.ask("/")
    hits = server.kept.stats().hits
    lively.now_s += 3

    page = visitor.ask("/").body.decode()

    assert hits == 1
    assert re.search(r'data-age="3\.0"', page)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_request_that_comes_in_pieces_is_answered_like_any(server, size):
    visitor = server.connect()
    whole = visitor.ask().body
    sent = request()
    for at in range(0, len(sent), size):
        visitor.socket.sendall(sent[at : at + size])

    assert visitor.read().body == whole
    assert visitor.ask().body == whole


def test_requests_sent_together_are_answered_in_order(server):
    visitor = server.connect()
    answers = {path: visitor.ask(path).body for path in (LIST, f"{LIST}?horizon=4h", LIST)}

    visitor.socket.sendall(b"".join(request(path) for path in (LIST, f"{LIST}?horizon=4h", "/nope", LIST)))

    got = [visitor.read() for _ in range(4)]
    assert [answer.status for answer in got] == [200, 200, 404, 200]
    assert [got[0].body, got[1].body, got[3].body] == [answers[LIST], answers[f"{LIST}?horizon=4h"], answers[LIST]]


def test_the_beginning_of_a_request_behind_a_known_one_is_not_lost(server):
    visitor = server.connect()
    visitor.ask()
    other = request("/healthz")
    visitor.socket.sendall(request() + other[:20])
    first = visitor.read()
    visitor.socket.sendall(other[20:])

    assert (first.status, visitor.read().body) == (200, b'{"status":"ok"}')


def test_only_the_head_is_sent_to_who_asks_for_it(server):
    visitor = server.connect()
    whole = visitor.ask()
    heads = [visitor.ask(method="HEAD") for _ in range(2)]

    assert [head.headers["ETag"] for head in heads] == [whole.headers["ETag"]] * 2
    assert visitor.ask().body == whole.body


@pytest.mark.parametrize(("headers", "version"), [((), "1.0"), (("Connection: close",), "1.1")])
def test_a_connection_that_is_to_be_closed_is(server, headers, version):
    for _ in range(3):
        visitor = server.connect()
        answer = visitor.ask(LIST, *headers, version=version)

        assert (answer.status, answer.headers["Connection"], visitor.is_closed()) == (200, "close", True)


def test_a_request_with_a_body_is_never_known_by_its_head(server):
    visitor = server.connect()
    for _ in range(3):
        visitor.socket.sendall(request(LIST, "Content-Length: 3") + b"abc")
        assert visitor.read().status == 200

    assert server.worker.handed == 3
    assert visitor.ask().status == 200


def test_cookies_get_answers_of_their_own(server):
    visitor = server.connect()
    themes = ["Cookie: candela-8000-theme=dark", "Cookie: candela-8000-theme=light"] * 3

    pages = [visitor.ask("/", theme).body for theme in themes]

    assert ['data-theme="dark"' in page.decode() for page in pages] == [True, False] * 3


def test_who_is_logged_out_is_answered_at_once_no_more(lively, serve):
    config = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD="open")
    site = create_site(lively.stores, config)
    server = serve(site)
    visitor = server.connect()
    cookie = f"Cookie: {cookie_name(site, 'session')}={site.extensions['sessions'].open()}"
    before = [visitor.ask(LIST, cookie).status for _ in range(3)]
    handed = server.worker.handed

    site.extensions["sessions"].end_all()

    assert (before, handed) == ([200] * 3, 1)
    assert [visitor.ask(LIST, cookie).status, visitor.ask(LIST).status] == [401, 401]


def test_a_password_that_is_sent_along_is_judged_each_time(lively, serve):
    config = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", PASSWORD="open")
    server = serve(create_site(lively.stores, config))
    visitor = server.connect()

    statuses = [visitor.ask(LIST, "Authorization: Basic bWU6b3Blbg==").status for _ in range(3)]

    assert (statuses, server.worker.handed) == ([200] * 3, 3)


def test_a_slow_reader_holds_up_nobody_and_gets_everything(server):
    whole = server.connect().ask(LARGE).body
    slow = [server.connect(receive_bytes=4_096) for _ in range(THREADS - 1)]
    for visitor in slow:
        visitor.socket.sendall(request(LARGE))

    others = [server.connect().ask(LARGE).body for _ in range(THREADS)]
    slowly = [visitor.read().body for visitor in slow]

    assert len(whole) > 30_000
    assert [*others, *slowly] == [whole] * (2 * THREADS - 1)
    assert [visitor.ask(LARGE).body for visitor in slow] == [whole] * (THREADS - 1)


def test_who_leaves_before_the_end_of_an_answer_costs_nothing(server):
    whole = server.connect().ask(LARGE).body
    for _ in range(2 * THREADS):
        leaver = server.connect(receive_bytes=4_096)
        leaver.socket.sendall(request(LARGE))
        leaver.close()

    assert server.connect().ask(LARGE).body == whole


def test_silent_connections_take_no_threads(server):
    silent = [server.connect() for _ in range(3 * THREADS)]

    assert server.connect().ask("/healthz").status == 200
    assert [visitor.ask("/healthz").status for visitor in silent] == [200] * len(silent)


@pytest.fixture
def gate(lively):
    """Return how often a page was made, and what lets it be made."""
    found = SimpleNamespace(made=0, is_asked=threading.Event(), may_go=threading.Event())
    found.may_go.set()

    def wait():
        found.made += 1
        found.is_asked.set()
        found.may_go.wait(20)

    lively.site.before_request(wait)
    return found


@pytest.mark.parametrize("leaves", [False, True])
def test_who_asks_while_an_answer_is_made_anew_waits_without_a_thread(gate, server, lively, leaves):
    visitors = [server.connect() for _ in range(5 * THREADS)]
    visitors[0].ask("/")
    gate.may_go.clear()
    gate.is_asked.clear()
    lively.now_s += 1
    visitors[0].socket.sendall(request("/"))
    assert gate.is_asked.wait(20)
    for visitor in visitors[1:]:
        visitor.socket.sendall(request("/"))
    if leaves:
        visitors[0].socket.shutdown(socket.SHUT_RDWR)
    handed = server.worker.handed

    gate.may_go.set()
    bodies = {visitor.read().body for visitor in visitors[leaves:]}

    assert (handed, gate.made, len(bodies)) == (2, 2, 1)


def test_who_waits_for_an_answer_that_is_none_any_more_is_told_so(gate, server, lively):
    visitors = [server.connect() for _ in range(2 * THREADS)]
    visitors[0].ask("/s/BTCUSDT")
    lively.symbols = ("EDGEUSDT",)
    lively.beat()
    gate.may_go.clear()
    for visitor in visitors:
        visitor.socket.sendall(request("/s/BTCUSDT"))

    gate.may_go.set()

    assert {visitor.read().status for visitor in visitors} == {404}


def test_an_access_log_misses_nothing(lively, serve, tmp_path):
    server = serve(lively.site, accesslog=str(tmp_path / "access.log"))
    visitor = server.connect()
    for _ in range(3):
        visitor.ask()
    handed = server.worker.handed
    visitor.ask("/healthz")  # a line is written before the next request of its connection is taken

    assert handed == 3
    assert (tmp_path / "access.log").read_text().count(LIST) == 3


def test_a_server_that_stops_answers_what_was_sent_and_closes(server):
    visitor = server.connect()
    for _ in range(2):
        visitor.ask()
    server.worker.handle_exit(None, None)

    answer = visitor.ask()

    assert (answer.status, answer.headers["Connection"], visitor.is_closed()) == (200, "close", True)


def test_bytes_of_another_address_are_not_believed(lively):
    quick = QuickAnswers(lively.site.extensions["kept_answers"])
    sent = request()
    environ = create_environ(LIST)
    list(lively.site.wsgi_app(environ, lambda *_: None))

    quick.note(Asked("127.0.0.1", sent), environ)

    assert quick.answer(Asked("127.0.0.1", sent)).status == "200 OK"
    assert quick.answer(Asked("192.0.2.1", sent)) is None


def test_the_requests_that_are_known_are_bounded(lively):
    quick = QuickAnswers(SimpleNamespace(key_of=lambda _: ("x",)))
    sent = [request(f"/{number}") for number in range(MAX_REQUESTS + 5)]
    for one in sent:
        quick.note(Asked("x", one), create_environ())
    long = request("/" + "a" * MAX_REQUEST_BYTES)
    quick.note(Asked("x", long), create_environ())

    known = [quick.knows(Asked("x", one)) for one in sent]

    assert known == [False] * 5 + [True] * MAX_REQUESTS
    assert not quick.knows(Asked("x", long))
