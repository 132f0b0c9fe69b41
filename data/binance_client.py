"""python-binance as a plain transport: its request building, our time limits, and the answers as raw bytes."""

import asyncio
import functools
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def make_client(root_url: str) -> Any:
    """Return a python-binance client whose calls return the `requests.Response` as it came, whatever its status.

    One client serves one thread. Nothing is sent before the first call.
    """
    # The library asks asyncio for a loop it never uses here; one that is closed again leaves nothing behind.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        client = _client_class()(ping=False, requests_params={"timeout": (CONNECT_SECONDS, READ_SECONDS)})
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    client.API_URL = f"{root_url.rstrip('/').removesuffix('/api')}/api"
    # The exchange never sends anybody elsewhere; whoever does so in its place is not followed.
    client.session.get_redirect_target = lambda _: None
    client.session.trust_env = not is_on_this_machine(root_url)
    return client


def hang_up(client: Any) -> None:
    """Close the connections of a client that nobody uses any more."""
    for adapter in client.session.adapters.values():
        for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  no dict: it cannot be iterated over
                manager.pools[key].close()  # the session leaves that to the last who holds one of its answers
    client.session.close()


def is_on_this_machine(root_url: str) -> bool:
    """Return whether a root is on this machine: a proxy from the environment is for the world outside."""
    return urlsplit(root_url).hostname in _LOOPBACK


@functools.cache
def _client_class() -> type:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the library's own imports
        from binance.client import Client

    class RawClient(Client):  # type: ignore[misc]
        def _handle_response(self, response: "requests.Response") -> "requests.Response":
            # The library would parse the body with the slow parser, and drop the headers the budget lives on.
            return response

    return RawClient
