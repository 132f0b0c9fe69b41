"""Where faults are played: each at its time, all that are on at once, one after the other."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from simulator.faults.kinds import Answer, Door, Fault, Scene
from simulator.faults.market import UnreliableExchange
from simulator.faults.wire import Wire
from simulator.hub import Hub
from simulator.messages import Message

_MOST_PAST = 10_000
_IN_FLIGHT_SECONDS = 0.5  # a request may have been on its way when an answer said to wait


class UnreliableHub(Hub):
    """A hub whose messages go through the faults that are on."""

    def __init__(self, on: list[Fault]) -> None:
        """Spoil messages by the faults in `on`, whichever they are at the time."""
        super().__init__()
        self._on = on

    def publish(self, message: Message) -> None:
        """Give what the faults leave of a message to everybody who listens."""
        messages = [message]
        for fault in self._on:
            change = fault.kind.message
            if change is not None:
                messages = [new for old in messages for new in change(fault, old)]
        for one in messages:
            super().publish(one)


class Stage:
    """The faults that wait, are on, or are over."""

    def __init__(self, exchange: UnreliableExchange, door: Door) -> None:
        """Start without any."""
        self._on: list[Fault] = []
        self._past: deque[dict[str, Any]] = deque(maxlen=_MOST_PAST)
        self._playing: set[asyncio.Task[None]] = set()
        self._silence_seconds = 0.0, 0.0  # between these monotonic times nobody may ask
        self._disobeyed = 0
        self.hub = UnreliableHub(self._on)
        self._scene = Scene(exchange, self.hub, [], door)

    def wire(self, transport: asyncio.Transport) -> Wire:
        """Return the way to a new client; what spoils the others spoils it too."""
        wires = self._scene.wires
        wires[:] = [wire for wire in wires if not wire.is_closing()]
        wires.append(Wire(transport))
        for fault in self._on:
            if fault.kind.wire is not None:
                fault.kind.wire(fault, wires[-1])
        return wires[-1]

    def order(self, faults: Iterable[Fault]) -> None:
        """Play faults at their time, counted from now."""
        for fault in faults:
            task = asyncio.create_task(self._play(fault))
            self._playing.add(task)
            task.add_done_callback(self._playing.discard)

    def is_refused(self, side: str) -> bool:
        """Return whether a request of this side ("rest" or "stream") is refused now."""
        return any(fault.kind.refuses(fault, side) for fault in self._on if fault.kind.refuses is not None)

    def note_request(self) -> None:
        """Count a request that comes although a Retry-After is not over."""
        since, until = self._silence_seconds
        self._disobeyed += since < time.monotonic() < until

    def note_silence(self, seconds: float) -> None:
        """Take down that a client was told to wait so long."""
        now = time.monotonic()
        self._silence_seconds = now + _IN_FLIGHT_SECONDS, now + seconds

    def answered(self, said: Answer) -> Answer:
        """Return what the faults leave of an answer."""
        for fault in self._on:
            if fault.kind.answer is not None:
                said = fault.kind.answer(fault, said)
        return said

    def describe(self) -> dict[str, Any]:
        """Return what is on, what is over, how many wait, and the candles that will never exist."""
        absences = self._scene.exchange.holes.absences
        return {
            "on": [fault.describe() for fault in self._on],
            "past": list(self._past),
            "waiting": len(self._playing) - len(self._on),
            "missing": [{"symbol": one.symbol, "from_ms": one.from_ms, "to_ms": one.to_ms} for one in absences],
            "disobeyed": self._disobeyed,
        }

    async def clear(self) -> None:
        """End what is on and forget what waits."""
        playing = list(self._playing)
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)

    async def _play(self, fault: Fault) -> None:
        clock = self._scene.exchange.clock
        await asyncio.sleep(fault.after_seconds if fault.at_ms is None else clock.seconds_until(fault.at_ms))
        fault.is_on = True
        self._on.append(fault)
        beginning = asyncio.create_task(self._begin(fault))
        try:
            await asyncio.sleep(fault.for_seconds)
        finally:
            fault.is_on = False
            await beginning
            await self._end(fault)

    async def _begin(self, fault: Fault) -> None:
        if fault.kind.wire is not None:
            for wire in self._scene.wires:
                fault.kind.wire(fault, wire)
        if fault.kind.begin is not None:
            await fault.kind.begin(self._scene, fault)

    async def _end(self, fault: Fault) -> None:
        self._on[:] = [other for other in self._on if other is not fault]
        if fault.kind.end is not None:
            await fault.kind.end(self._scene, fault)
        self._past.append(fault.describe())
