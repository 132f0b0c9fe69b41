"""Who listens to which stream."""

from simulator.connection import Connection
from simulator.grid import INTERVALS
from simulator.messages import Message

_KLINE = "kline_"


class Hub:
    """All connections and their subscriptions. Stream names nobody serves are kept too; nothing ever arrives there."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self.connections: set[Connection] = set()
        self._listeners: dict[str, set[Connection]] = {}
        self._klines: dict[str, dict[str, str]] = {}  # interval -> stream -> symbol
        self._others: dict[str, tuple[str, str]] = {}  # stream -> symbol (or what stands for all), kind

    def join(self, connection: Connection) -> None:
        """Take in a connection."""
        self.connections.add(connection)

    def part(self, connection: Connection) -> None:
        """Forget a connection and its subscriptions."""
        self.connections.discard(connection)
        self.leave(connection, list(connection.streams))

    def listen(self, connection: Connection, streams: list[str]) -> None:
        """Subscribe; a stream it already has stays."""
        for stream in streams:
            connection.streams[stream] = None
            self._listeners.setdefault(stream, set()).add(connection)
            self._file(stream)

    def leave(self, connection: Connection, streams: list[str]) -> None:
        """Unsubscribe; a stream it does not have does no harm."""
        for stream in streams:
            connection.forget(stream)
            listeners = self._listeners.get(stream, set())
            listeners.discard(connection)
            if not listeners:
                self._forget(stream)

    def kline_streams(self, interval: str) -> list[tuple[str, str]]:
        """Return the streams of an interval somebody listens to, each with its symbol."""
        return list(self._klines.get(interval, {}).items())

    def kline_intervals(self) -> list[str]:
        """Return the intervals somebody listens to."""
        return list(self._klines)

    def other_streams(self) -> list[tuple[str, str, str]]:
        """Return the streams that are not candles: name, symbol and kind."""
        return [(stream, symbol, kind) for stream, (symbol, kind) in self._others.items()]

    def publish(self, message: Message) -> None:
        """Give a message to everybody who listens; it leaves with the next flush."""
        for connection in self._listeners.get(message.stream, ()):
            connection.take(message)

    def flush(self) -> None:
        """Send what was published."""
        for connection in self.connections:
            connection.flush()

    def _file(self, stream: str) -> None:
        name, _, kind = stream.partition("@")
        interval = kind.removeprefix(_KLINE)
        if name != name.lower() and not name.startswith("!"):
            return  # Binance knows symbols in lower case only; of others nothing ever comes
        if kind.startswith(_KLINE) and interval in INTERVALS:
            self._klines.setdefault(interval, {})[stream] = name.upper()
        elif not kind.startswith(_KLINE):
            self._others[stream] = (name.upper(), kind)

    def _forget(self, stream: str) -> None:
        self._listeners.pop(stream, None)
        self._others.pop(stream, None)
        interval = stream.partition("@")[2].removeprefix(_KLINE)
        streams = self._klines.get(interval, {})
        streams.pop(stream, None)
        if not streams:
            self._klines.pop(interval, None)
