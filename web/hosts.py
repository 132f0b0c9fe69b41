"""Answer only under our own names, so that no foreign name that is made to point here can read the board."""

import re
from urllib.parse import SplitResult, urlsplit

from flask import Flask, request

from config import Config
from utils.setting_values import address_of, is_loopback
from web.problems import ProblemError

_HOST = re.compile(r"(?P<name>[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")


def register(site: Flask, config: Config) -> None:
    """Let the site refuse every request whose Host is none of this instance's."""

    def check_host() -> None:
        host = request.headers.get("Host")
        if host is not None and not is_ours(host, config):  # a program of HTTP/1.0 names none, a browser always does
            raise ProblemError(
                400, "foreign_host", "this board does not answer under that name; ALLOWED_HOSTS may list it"
            )

    site.before_request(check_host)


def is_ours(host: str, config: Config) -> bool:
    """Return whether a Host header names this instance.

    Loopback names always do, HOST and ALLOWED_HOSTS do; where HOST is every address of the machine, so does any
    address: a name can be made to point here by a stranger, an address cannot.
    """
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match["name"].strip("[]")
    if is_loopback(name) or name == config.HOST.lower() or name in config.allowed_hosts:
        return True
    return address_of(name) is not None and _is_every_address(config.HOST)


def is_behind_proxy(config: Config) -> bool:
    """Return whether this request was handed on by a proxy on this machine, under a name of ALLOWED_HOSTS."""
    match = _HOST.fullmatch(request.host.lower())
    return match is not None and match["name"] in config.allowed_hosts and is_loopback(request.remote_addr or "")


def parts_of(address: str) -> SplitResult:
    """Return the parts of an address that a visitor has sent; all are empty when it is none, such as http://[."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _is_every_address(text: str) -> bool:
    address = address_of(text)
    return address is not None and address.is_unspecified
