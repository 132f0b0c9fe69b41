"""What every test may lean on: real candles, free ports, programs outside Python, and no way off this machine."""

import ipaddress
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]

# Settings of the shell that runs the tests are not settings of the tests, nor of the processes they start.
for _name in [name for name in os.environ if name.startswith("CANDELA_")]:
    del os.environ[_name]


def pytest_addoption(parser):
    """Take the options of single tests."""
    parser.addoption("--kills", type=int, default=5, help="how often tests/test_kills.py kills the engine")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of recorded Binance data beside the checkout; skip where it is not there."""
    folder = CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the recorded Binance data in ../shared/data")
    return folder


@pytest.fixture
def free_port() -> int:
    """Return a port of the loopback address nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def require_program() -> Callable[[str, str], str]:
    """Return a function that gives a program's path; without it the test is skipped, or fails where CI promised it."""

    def require(name: str, install: str) -> str:
        path = shutil.which(name)
        if path is None:
            sentence = f"needs {name}: {install}"
            if os.environ.get("REQUIRE_SERVICES") == "1":
                pytest.fail(sentence, pytrace=False)
            pytest.skip(sentence)
        return path

    return require


@pytest.fixture(scope="session", autouse=True)
def _stay_on_this_machine():
    """Let tests look as if there were no network beyond the loopback address."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _only_here(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _only_known(socket.getaddrinfo))
    yield
    patch.undo()


def _only_here(connect):
    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError(f"tests stay on this machine, {address[0]} is not on it")
        return connect(self, address)

    return guarded


def _only_known(getaddrinfo):
    def guarded(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, "", "localhost") and not _is_address(name):
            raise socket.gaierror(socket.EAI_NONAME, f"tests stay on this machine, {name} is not on it")
        return getaddrinfo(host, *args, **kwargs)

    return guarded


def _is_address(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
