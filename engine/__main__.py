"""Run the engine alone: `python -m engine`."""

import argparse
import logging
import signal
import sys
import threading
from queue import SimpleQueue
from types import FrameType

from config import Config, config_or_exit
from engine.source import Source, choose_source
from market.errors import ConfigError
from utils.logs import set_up_logging


def main(arguments: list[str] | None = None) -> int:
    """Follow one exchange until told to stop; exit code 0 stopped, 2 refused to start, 130 Ctrl-C."""
    options = _parser().parse_args(arguments)
    config = config_or_exit()
    set_up_logging(config.LOG_LEVEL, options.json, config.secrets, config.log_file("engine"))
    from utils.file_operations import ensure_writable
    from utils.instance_lock import AlreadyHeldError, InstanceLock

    try:
        ensure_writable(config.INSTANCE_DIR / "run")
        ensure_writable(config.SAVED_MODELS_DIR)
        with InstanceLock(config.INSTANCE_DIR / "engine.lock"):
            return _run(config, _source(config, options))
    except (AlreadyHeldError, ConfigError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2


def _run(config: Config, source: Source) -> int:
    from engine.house import House
    from engine.tools import prepare_tools

    prepare_tools(config)
    house = House(config, source)
    code = 0
    asked: SimpleQueue[None] = SimpleQueue()

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal code
        code = 130 if number == signal.SIGINT else 0
        asked.put(None)

    def stop_when_asked() -> None:
        asked.get()
        house.stop()

    # A handler interrupts the main thread anywhere, also where it holds a lock that stopping takes.
    threading.Thread(target=stop_when_asked, name="stop", daemon=True).start()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, ask)
    house.run()
    return code


def _source(config: Config, options: argparse.Namespace) -> Source:
    if options.rest_url is None:
        source = choose_source(config, logging.getLogger("candela").warning)
        if source.market == "simulated":
            raise ConfigError(
                "the engine alone starts no simulated exchange; run python app.py, or python -m simulator --port 18080 "
                "with CANDELA_MARKET=binance and CANDELA_BINANCE_REST_URL / _STREAM_URL at it"
            )
        return source
    return Source(options.market, options.venue, options.rest_url, options.stream_url, options.speed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine", description="Follow the exchange, predict, keep the ledger."
    )
    parser.add_argument("--json", action="store_true", help="log JSON lines")
    own = parser.add_argument_group("set by python app.py")
    own.add_argument("--market", choices=("binance", "simulated"), default="binance")
    own.add_argument("--venue", default="binance", help="names the database in INSTANCE_DIR")
    own.add_argument("--rest-url", help="root of the REST interface")
    own.add_argument("--stream-url", help="root of the streams")
    own.add_argument("--speed", type=float, default=1.0, help="market seconds a second")
    return parser


if __name__ == "__main__":
    sys.exit(main())
