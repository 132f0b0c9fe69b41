"""Set the ground tools as the settings say, and look after memory while the engine runs."""

import logging
import time
from collections.abc import Callable

from config import Config
from utils.data_cache import data_cache
from utils.model_cache import model_cache
from utils.performance_monitor import performance_monitor

logger = logging.getLogger(__name__)

MEMORY_SECONDS = 10.0
SUMMARY_SECONDS = 300.0
_EMPTIES = {"data": data_cache.clear, "models": model_cache.clear_cache}


def prepare_tools(config: Config) -> None:
    """Give the caches and the performance monitor of this process their settings."""
    data_cache.configure(
        ttl_seconds=config.CACHE_TTL_SECONDS, max_size=config.MAX_CACHE_SIZE, is_enabled=config.ENABLE_DATA_CACHING
    )
    model_cache.configure(
        max_size=config.MAX_CACHE_SIZE,
        load_timeout_seconds=config.MODEL_LOAD_TIMEOUT,
        is_enabled=config.ENABLE_MODEL_CACHING,
    )
    performance_monitor.configure(
        is_memory_monitored=config.ENABLE_MEMORY_MONITORING,
        max_memory_percent=config.MAX_MEMORY_USAGE_PERCENT,
        is_logging=config.ENABLE_PERFORMANCE_LOGGING,
    )
    performance_monitor.watch_cache("data", data_cache.get_stats)
    performance_monitor.watch_cache("models", model_cache.get_stats)


class Upkeep:
    """What is looked after every now and then while the engine runs: memory, and a summary of timings."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin to count the time."""
        self._monotonic = monotonic
        self._memory_at_s = monotonic() + MEMORY_SECONDS
        self._summary_at_s = monotonic() + SUMMARY_SECONDS

    def tend(self) -> None:
        """Do what is due; call it often."""
        now = self._monotonic()
        if now >= self._memory_at_s:
            self._memory_at_s = now + MEMORY_SECONDS
            relieve_memory()
        if now >= self._summary_at_s:
            self._summary_at_s = now + SUMMARY_SECONDS
            performance_monitor.log_summary()


def relieve_memory() -> bool:
    """Empty the caches when the machine's memory is fuller than allowed; return whether that was so."""
    if not performance_monitor.is_memory_high():
        return False
    for empty in _EMPTIES.values():
        empty()
    logger.warning("caches emptied reason=memory")
    return True


def empty_cache(name: str) -> None:
    """Empty the cache of this name, as a person asked for; what is needed is loaded or computed again."""
    if name not in _EMPTIES:
        logger.warning("no such cache name=%r", name[:40])
        return
    emptied = _EMPTIES[name]()
    logger.info("cache emptied name=%s entries=%d bytes=%d", name, emptied.entries, emptied.size_bytes)
