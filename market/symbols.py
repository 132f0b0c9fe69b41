"""What an exchange says of one trading pair."""

from dataclasses import dataclass
from decimal import Decimal

TRADING = "TRADING"


@dataclass(frozen=True, slots=True)
class Symbol:
    """One pair: its two assets, its status word as the exchange spells it, and its order rules."""

    name: str
    base: str
    quote: str
    status: str
    tick: Decimal | None = None  # smallest price step, in quote units
    step: Decimal | None = None  # smallest quantity step, in base units
    min_quantity: Decimal | None = None
    min_notional: Decimal | None = None

    @property
    def is_trading(self) -> bool:
        """Return whether orders are matched now; an unknown status word means no."""
        return self.status == TRADING

    @property
    def price_digits(self) -> int:
        """Return the decimals a price of this pair is written with."""
        return digits(self.tick) if self.tick else 8


def digits(step: Decimal) -> int:
    """Return the decimals of a step such as 0.0100 (2), without its padding."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
