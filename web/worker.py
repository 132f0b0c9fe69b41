"""gunicorn's threaded worker with a clock for slow visitors, and error answers like the site's own."""

import json
import logging
import secrets
import socket
import time
from typing import Any

from gunicorn.http.errors import (
    ChunkMissingTerminator,
    ExpectationFailed,
    InvalidChunkExtension,
    InvalidChunkSize,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import ThreadWorker

from web.security import HEADERS

logger = logging.getLogger(__name__)

HEAD_SECONDS = 10.0  # all of a request's head must have come by then
BODY_SECONDS = 20.0  # the whole answer to a request that brings a body
SEND_SECONDS = 60.0  # one piece of an answer must be taken by then
_MALFORMED = (ParseException, ChunkMissingTerminator, InvalidChunkExtension, InvalidChunkSize)
_KINDS = (
    (LimitRequestLine, 414, "URI Too Long", "the address is too long"),
    (LimitRequestHeaders, 431, "Request Header Fields Too Large", "the headers are too many or too long"),
    (UnsupportedTransferCoding, 501, "Not Implemented", "this transfer coding is not known here"),
    (ExpectationFailed, 417, "Expectation Failed", "this expectation is not met here"),
    (_MALFORMED, 400, "Bad Request", "this is no request of HTTP/1.1"),
    (Exception, 500, "Internal Server Error", "something went wrong here; the id leads to the reason in the log"),
)


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Serves as `ThreadWorker` does, but no thread waits for ever for one visitor."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take gunicorn's own arguments."""
        super().__init__(*arguments, **options)
        self._ends: dict[Any, float] = {}  # connections that still send, and until when they may

    def load_wsgi(self) -> None:
        """Load the site, and log from then on as it does."""
        super().load_wsgi()
        errors = self.log.error_log
        errors.handlers.clear()
        errors.propagate = True

    def notify(self) -> None:
        """Tell the master that we live, once a second; stop listening to who has sent for too long."""
        super().notify()
        now_s = time.monotonic()
        for connection, end_s in list(self._ends.items()):
            if now_s >= end_s:
                self._ends.pop(connection, None)
                logger.info("slow request ended")
                _stop_listening(connection.sock)

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection, the clock running while its head comes in."""
        self._ends[conn] = time.monotonic() + HEAD_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._ends.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head is there."""
        if _has_body(req):
            self._ends[conn] = time.monotonic() + BODY_SECONDS
        else:
            self._ends.pop(conn, None)
        conn.sock.settimeout(SEND_SECONDS)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            logger.info("slow reader left seconds=%.0f", SEND_SECONDS)
            raise StopIteration from None  # as gunicorn itself closes a connection

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what never reached the site, or broke outside it."""
        status, reason, detail = next(kind[1:] for kind in _KINDS if isinstance(exc, kind[0]))
        error_id = secrets.token_hex(4)
        if status == 500:
            logger.error("request failed outside the site id=%s", error_id, exc_info=exc)
        else:
            logger.info("request refused by the server id=%s status=%d reason=%s", error_id, status, str(exc)[:200])
        try:
            client.settimeout(1.0)
            client.sendall(error_bytes(status, reason, detail, error_id))
        except OSError:
            logger.info("who asked has left id=%s", error_id)


def error_bytes(status: int, reason: str, detail: str, error_id: str) -> bytes:
    """Return a whole answer with the security headers and a problem+json body; the connection ends after it."""
    code = "address_too_long" if status == 414 else reason.lower().replace(" ", "_")  # as the site says it
    problem = {"type": "about:blank", "title": reason, "status": status, "detail": detail, "code": code, "id": error_id}
    body = json.dumps(problem).encode()
    headers = {
        "Connection": "close",
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **HEADERS,
    }
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _has_body(request: Any) -> bool:
    lengths = [value for name, value in request.headers if name in ("CONTENT-LENGTH", "TRANSFER-ENCODING")]
    return any(value != "0" for value in lengths)


def _stop_listening(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        logger.debug("who was slow has left already")
