"""One log line an event: words for a person, or JSON for a program; secrets masked, control characters escaped."""

import io
import json
import logging
import re
import time
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOGS_FOLDER = "logs"  # in INSTANCE_DIR: one file a process, and the one before it
KEPT_BYTES = 1_000_000  # of each file
MASK = "***"
_MIN_SECRET_LETTERS = 4  # a shorter one would blank out half of what is said
# All that could end a line, or move a terminal's cursor; a trace keeps its lines.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*(?=@)")


class _Masking(logging.Formatter):
    """Writes a record without the secrets it was told of, nor the credentials of any address."""

    converter = staticmethod(time.gmtime)

    def __init__(self, form: str | None, secrets: Sequence[str]) -> None:
        super().__init__(form)
        long_enough = sorted({one for one in secrets if len(one) >= _MIN_SECRET_LETTERS}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, long_enough))) if long_enough else None

    def masked(self, text: str) -> str:
        """Return the text with `MASK` in the place of every secret."""
        text = _CREDENTIALS.sub(MASK, text)
        return self._secrets.sub(MASK, text) if self._secrets else text


class WordsFormatter(_Masking):
    """Writes a record as one line of words; an exception's trace follows it."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        """Mask `secrets`."""
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", secrets)

    converter = staticmethod(time.localtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name logging gives it
        """Return the line without what could break it."""
        return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record and its trace."""
        return self.masked(super().format(record))


class JsonFormatter(_Masking):
    """Writes a record as one JSON object; an exception's trace is one of its fields."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        """Mask `secrets`."""
        super().__init__(None, secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "name": record.name,
            "message": self.masked(record.getMessage()),
        }
        if record.exc_info:
            line["trace"] = self.masked(self.formatException(record.exc_info))
        return json.dumps(line)


class KeptLog(RotatingFileHandler):
    """The newest lines of one process in a file, as JSON; where the disk does not take them, they are not kept."""

    def __init__(self, path: Path, secrets: Sequence[str] = ()) -> None:
        """Write to `path`, which is made with the first line; mask `secrets`."""
        super().__init__(path, maxBytes=KEPT_BYTES, backupCount=1, encoding="utf-8", delay=True)
        self.setFormatter(JsonFormatter(secrets))

    def _open(self) -> io.TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name logging gives it
        """Go on: the same line goes to the standard error stream."""


def set_up_logging(level: str, is_json: bool, secrets: Sequence[str] = (), kept: Path | None = None) -> None:
    """Log to the standard error stream, and into the file `kept`, from `level` on; never one of `secrets`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(secrets) if is_json else WordsFormatter(secrets))
    handlers: list[logging.Handler] = [handler] if kept is None else [handler, KeptLog(kept, secrets)]
    logging.basicConfig(level=level, handlers=handlers)
    logging.getLogger("numba").setLevel(logging.WARNING)
