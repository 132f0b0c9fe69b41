"""What can go wrong, named by what the catcher should do."""


class MarketError(Exception):
    """Anything Candela expects to go wrong; its message is one sentence for a person."""


class ConfigError(MarketError):
    """Stop at start and name the setting."""


class DataError(MarketError):
    """Drop the row, count it, go on."""


class SourceError(MarketError):
    """The exchange did not give what was asked for."""


class RateLimited(SourceError):
    """Wait `retry_after_seconds` before the next request."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        """Keep the sentence and the wait the exchange asked for."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class SourceUnavailable(SourceError):
    """Back off and keep serving the last data."""


class ModelError(MarketError):
    """Keep the previous model and show the reason on the page."""
