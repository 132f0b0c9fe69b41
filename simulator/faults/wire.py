"""The way to one client, which may go deaf or slow."""

import asyncio
import socket
import struct

_DRIP_SECONDS = 0.05
_RESET = struct.pack("ii", 1, 0)  # linger for no time: the other side gets a reset


class Wire:
    """A transport that can be spoiled. Deaf it stays until the end of the connection, as a half-open socket does."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Send through `transport`."""
        self.is_deaf = False
        self._transport = transport
        self._bytes_a_drip = 0
        self._waiting = bytearray()
        self._dripping: asyncio.TimerHandle | None = None

    def write(self, data: bytes, /) -> None:
        """Send bytes, a few at a time when it is slow; to a deaf client they are lost."""
        if self.is_deaf:
            return
        if self._bytes_a_drip or self._waiting:
            self._waiting += data
            self._plan_drip()
        else:
            self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._transport.get_write_buffer_size() + len(self._waiting)

    def is_closing(self) -> bool:
        """Return whether it is closed or about to be."""
        return self._transport.is_closing()

    def abort(self) -> None:
        """Close it at once."""
        self._waiting.clear()
        self._transport.abort()

    def reset(self) -> None:
        """Close it so that the other side gets a reset."""
        line = self._transport.get_extra_info("socket")
        if line is not None and not self.is_closing():
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.abort()

    def slow_down(self, bytes_a_second: float) -> None:
        """Send no more than so much from now on; 0 is as fast as it goes, after what waits."""
        self._bytes_a_drip = max(1, int(bytes_a_second * _DRIP_SECONDS)) if bytes_a_second else 0

    def _plan_drip(self) -> None:
        if self._dripping is None and self._waiting:
            self._dripping = asyncio.get_running_loop().call_later(_DRIP_SECONDS, self._drip)

    def _drip(self) -> None:
        self._dripping = None
        if self.is_deaf or self.is_closing():
            self._waiting.clear()
            return
        size = self._bytes_a_drip or len(self._waiting)
        self._transport.write(bytes(self._waiting[:size]))
        del self._waiting[:size]
        self._plan_drip()
