"""gunicorn's threaded worker, whose main thread gives kept answers itself: no thread, no parser, no site."""

import gc
import logging
import selectors
import socket
import time
from collections.abc import Iterable
from concurrent.futures import Future
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from gunicorn import SERVER
from gunicorn.util import http_date
from gunicorn.workers.gthread import TConn, ThreadWorker

from web.latency import KEPT
from web.quick_answers import MAX_REQUEST_BYTES, Asked, QuickAnswers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

HEAD_SECONDS = 10.0  # all of a request's head must have come by then
SEND_SECONDS = 60.0  # one piece of an answer must be taken by then
_GOES_ON: Future[bool] = Future()  # the outcome of a request after which the connection stays open
_GOES_ON.set_result(True)


class QuickWorker(ThreadWorker):  # type: ignore[misc]
    """Serves as `ThreadWorker` does; what was asked before, byte for byte, is answered where it comes in.

    The main thread watches every connection that waits. When one has sent what `QuickAnswers` knows, the kept answer
    goes out at once: a sixth of the work that handing the request to a thread takes, see `web_load_benchmarks.py`. When
    that answer is old, one thread has it made anew, and whoever asks for the same meanwhile waits without a thread.
    """

    wsgi: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take gunicorn's own arguments."""
        super().__init__(*arguments, **options)
        self._asked: dict[Any, Asked] = {}  # by the sockets of the requests that threads work on
        self._followers: dict[Asked, list[Any]] = {}  # connections that wait for the first one of their kind

    def load_wsgi(self) -> None:
        """Load the site."""
        super().load_wsgi()
        self._site = self.wsgi
        self._latencies = self.wsgi.extensions["latencies"]
        self._quick = QuickAnswers(self.wsgi.extensions["kept_answers"])
        self.wsgi = self._ask
        # An access log misses nothing, and only plain HTTP/1.1 can be told by its bytes.
        self._is_quick = self.cfg.http_protocols == ["h1"] and not (self.cfg.is_ssl or self.log.access_log_enabled)
        # What is loaded stays: a search for garbage among it stopped every answer for 60 ms and more, time and again.
        gc.collect()
        gc.freeze()

    def accept(self, listener: socket.socket) -> None:
        """Take in every connection that waits; one gets a thread when it has said something.

        Were it one at a time, all whose requests wait already would be answered again before the next one is let in.
        """
        for _ in range(self.worker_connections - self.nr_conns):
            try:
                client, address = listener.accept()
            except ConnectionAbortedError:
                continue
            except BlockingIOError:
                return
            self._let_in(listener, client, address)

    def _let_in(self, listener: socket.socket, client: socket.socket, address: Any) -> None:
        conn = _Connection(self.cfg, client, address, listener.getsockname())
        conn.timeout = time.monotonic() + HEAD_SECONDS
        self.nr_conns += 1
        self.pending_conns.append(conn)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Take the first request of a connection."""
        self.pending_conns.remove(conn)
        conn.data_ready = True
        self._take(conn, client)

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Take a later request of a connection."""
        self.keepalived_conns.remove(conn)
        self._take(conn, client)

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection in a thread, and close it there when it was the last one."""
        try:
            goes_on = super().handle(conn)
        finally:
            self._end(self._asked.pop(conn.sock, None))
        if goes_on is False:
            conn.close(graceful=True)
        return goes_on

    def _take(self, conn: Any, client: socket.socket) -> None:
        """Answer a connection, let it wait for another that asked the same, or give it a thread."""
        self.poller.unregister(client)
        asked = self._peek(conn)
        if asked is None:
            self.enqueue_req(conn)
        elif not self._quick.knows(asked):
            self._give_thread(conn, asked)
        elif not self._answer(conn, asked):
            if asked in self._followers:
                self._followers[asked].append(conn)
            else:
                self._followers[asked] = []
                self._give_thread(conn, asked)

    def _peek(self, conn: Any) -> Asked | None:
        """Return what has come in, left where it is; None when this is no time for a quick answer."""
        is_full = len(self.keepalived_conns) >= self.max_keepalived or self.nr >= self.max_requests
        if not self._is_quick or is_full or not self.alive:
            return None
        try:
            sent = conn.sock.recv(MAX_REQUEST_BYTES + 1, socket.MSG_PEEK)
        except OSError:
            return None  # a thread finds out why
        return Asked(conn.client if isinstance(conn.client, str) else str(conn.client[0]), sent)

    def _answer(self, conn: Any, asked: Asked) -> bool:
        """Answer what a connection has sent, if the answer is ready; return whether it was."""
        started = time.perf_counter()
        ready = self._quick.answer(asked)
        if ready is None:
            return False
        self._latencies.note(KEPT, time.perf_counter() - started)
        answer = b"".join((_first_lines(ready.status, int(time.time())), ready.head, ready.body))
        try:
            conn.sock.recv(len(asked.sent))
            taken = conn.sock.send(answer)
        except BlockingIOError:
            taken = 0
        except OSError:
            taken = len(answer)  # who asked has left; the poller will see it
        self.nr += 1
        conn.init()
        if taken == len(answer):
            self.finish_request(conn, _GOES_ON)
        else:
            rest = self.tpool.submit(_send_rest, conn.sock, answer[taken:])
            rest.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))
        return True

    def _give_thread(self, conn: Any, asked: Asked) -> None:
        self._asked[conn.sock] = asked
        self.enqueue_req(conn)

    def _ask(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Let the site answer; remember the bytes that asked when the answer is kept."""
        asked = self._asked.pop(environ["gunicorn.socket"], None)
        try:
            parts: Iterable[bytes] = self._site(environ, start_response)
            if asked is not None:
                self._quick.note(asked, environ)
            return parts
        finally:
            self._end(asked)

    def _end(self, asked: Asked | None) -> None:
        """Wake those who wait for this to have been answered; whoever is slow to read it holds up nobody."""
        if asked in self._followers:
            self.method_queue.defer(self._go_on, asked)

    def _go_on(self, asked: Asked) -> None:
        for conn in self._followers.pop(asked, ()):
            if not self._answer(conn, asked):
                self._give_thread(conn, asked)


class _Connection(TConn):  # type: ignore[misc]
    """A connection whose end is waited for, two seconds at most, where it is closed first; that must be a thread."""

    def close(self, graceful: bool = False) -> None:
        """Close it, if that has not been done."""
        if self.sock.fileno() >= 0:
            super().close(graceful)


@lru_cache(maxsize=2)
def _first_lines(status: str, second: int) -> bytes:
    """Return what gunicorn puts before the site's own lines, in this second of the epoch."""
    return f"HTTP/1.1 {status}\r\nServer: {SERVER}\r\nDate: {http_date(second)}\r\nConnection: keep-alive\r\n".encode()


def _send_rest(client: socket.socket, rest: bytes) -> bool:
    """Wait for a visitor to take the rest of an answer; return whether the connection goes on."""
    client.settimeout(SEND_SECONDS)
    try:
        client.sendall(rest)
    except OSError as error:
        logger.info("reader left before the end of an answer reason=%s", error)
        return False
    return True
