"""What this process, and the machine it runs on, use of memory and processor."""

import threading
import time
from dataclasses import dataclass

from utils.performance_monitor import performance_monitor

_SPAN_SECONDS = 5.0  # the share of a processor is one over so long at least


@dataclass(frozen=True, slots=True)
class Used:
    """Memory of this process and of the machine in MB; the share of one processor, more than 1 with several."""

    rss_mb: float
    processor_share: float
    machine_mb: float
    machine_total_mb: float


class OwnUse:
    """Looks at this process when it is asked to; the processor's share is one since an earlier look."""

    def __init__(self) -> None:
        """Begin with the start of the process."""
        self._lock = threading.Lock()
        self._since: tuple[float, float] | None = None  # monotonic seconds, processor seconds until then
        self._share = 0.0

    def look(self) -> Used:
        """Return what is used now."""
        told = performance_monitor.get_system_info()
        now_s, spent_s = time.monotonic(), told["process_cpu_seconds"]
        with self._lock:
            since_s, before_s = self._since or (now_s - told["process_uptime_seconds"], 0.0)
            if self._since is None or now_s - since_s >= _SPAN_SECONDS:
                self._share = max(0.0, spent_s - before_s) / max(now_s - since_s, 1e-3)
                self._since = (now_s, spent_s)
            share = self._share
        total_mb = told["memory_total_mb"]
        return Used(told["process_rss_mb"], share, total_mb * told["memory_used_percent"] / 100, total_mb)
