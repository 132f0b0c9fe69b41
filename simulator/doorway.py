"""The port connections come in by: open, or shut by as many as have not opened it again."""

from aiohttp import web

from market.errors import ConfigError


class Doorway:
    """One address of one server."""

    def __init__(self, host: str, port: int) -> None:
        """Listen nowhere yet; port 0 is any free one, and stays the same once it was found."""
        self._host, self._port = host, port
        self._shut_by = 0
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    async def first_open(self, runner: web.AppRunner) -> tuple[str, int]:
        """Let `runner` listen; return host and port, or raise ConfigError when they cannot be had."""
        self._runner = runner
        try:
            await self._listen(runner)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self._host}:{self._port} ({error.strerror}): choose another --port or --host"
            ) from error
        host, self._port = runner.addresses[0][:2]
        return host, self._port

    async def shut(self) -> None:
        """Refuse connections from now on; those there are stay."""
        self._shut_by += 1
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def open(self) -> None:
        """Take connections again, when all who shut it have opened it."""
        self._shut_by -= 1
        if self._runner is not None and not self._shut_by:
            await self._listen(self._runner)

    async def _listen(self, runner: web.AppRunner) -> None:
        self._site = web.TCPSite(runner, self._host, self._port)
        await self._site.start()
