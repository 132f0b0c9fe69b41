"""TCP ports of this machine: whether a server may listen there, and who does."""

import contextlib
import errno
import socket


def port_refusal(host: str, port: int) -> str | None:
    """Return in a sentence why a server cannot listen there, naming the process that does; None when it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} is taken by {port_holder(port) or 'another process'}"
        return f"port {port} of {host} cannot be used: {error.strerror or error}"
    return None


def port_holder(port: int) -> str | None:
    """Return who listens on a TCP port, such as "nginx (pid 7)"; None when nobody does."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return _name_of(connection.pid)
    return None


def _name_of(pid: int | None) -> str:
    import psutil

    if pid is None:
        return "another process"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
