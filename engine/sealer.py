"""Seal the months of candles and the ledger rows that have grown old, and leave."""

import argparse
import logging
import sys

from config import Config, config_or_exit
from market.errors import MarketError
from utils.logs import set_up_logging
from utils.processes import lower_priority

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Seal once; exit code 0 done, 1 when the disk did not take it, which changes nothing."""
    parser = argparse.ArgumentParser(prog="python -m engine.sealer", description="Seal old months once and leave.")
    parser.add_argument("--venue", required=True, help="names the database in INSTANCE_DIR")
    parser.add_argument("--before-ms", required=True, type=int, help="no month that ends later is sealed")
    options = parser.parse_args(arguments)
    config = config_or_exit()
    set_up_logging(config.LOG_LEVEL, is_json=False, secrets=config.secrets, kept=config.log_file("sealer"))
    lower_priority()
    try:
        _seal(config, options.venue, options.before_ms)
    except (MarketError, OSError) as error:
        logger.warning("months not sealed reason=%s", error)
        return 1
    return 0


def _seal(config: Config, venue: str, before_ms: int) -> None:
    from data.database import open_database
    from data.ledger_sealing import seal_rows
    from data.sealing import Sealing

    engine = open_database(config.INSTANCE_DIR / f"{venue}.db")
    try:
        for _ in Sealing(engine, config.INTERVAL).steps(before_ms):
            pass
        rows = sum(seal_rows(engine, config.INTERVAL, before_ms))
        if rows:
            logger.info("ledger rows sealed count=%d", rows)
    finally:
        engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
