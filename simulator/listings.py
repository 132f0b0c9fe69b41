"""What is traded on the simulated exchange: real assets' names with believable prices, steps and turnover."""

from dataclasses import dataclass

QUOTE = "USDT"
WALK = "WALK"
EDGE = "EDGE"
_SPARE_ASSET = "SYN"  # SYN058USDT and on, when more symbols are asked for than there are names


@dataclass(frozen=True, slots=True)
class Listing:
    """One pair and its steps; prices move around `price` and about `turnover` of quote is traded a day."""

    base: str
    quote: str
    price_digits: int
    quantity_digits: int
    price: float = 1.0
    turnover: float = 0.0

    @property
    def symbol(self) -> str:
        """Return the pair's name at the exchange."""
        return self.base + self.quote


# base asset, price, digits of the price, digits of the quantity, turnover in millions a day
_COINS = (
    ("BTC", 97_000.0, 2, 5, 2_400.0),
    ("ETH", 3_400.0, 2, 4, 1_500.0),
    ("SOL", 190.0, 2, 3, 620.0),
    ("XRP", 2.3, 4, 1, 540.0),
    ("BNB", 680.0, 2, 3, 310.0),
    ("DOGE", 0.33, 5, 0, 290.0),
    ("ADA", 0.95, 4, 1, 140.0),
    ("TRX", 0.25, 4, 1, 60.0),
    ("AVAX", 38.0, 2, 2, 75.0),
    ("LINK", 23.0, 2, 2, 72.0),
    ("SUI", 4.4, 4, 1, 190.0),
    ("XLM", 0.4, 4, 0, 66.0),
    ("TON", 5.4, 3, 2, 38.0),
    ("SHIB", 0.000022, 8, 0, 64.0),
    ("HBAR", 0.29, 5, 0, 70.0),
    ("DOT", 7.1, 3, 2, 41.0),
    ("LTC", 105.0, 2, 3, 58.0),
    ("BCH", 440.0, 1, 3, 30.0),
    ("UNI", 13.6, 3, 2, 36.0),
    ("PEPE", 0.000018, 8, 0, 180.0),
    ("NEAR", 5.3, 3, 1, 37.0),
    ("APT", 9.4, 2, 2, 28.0),
    ("ICP", 10.4, 3, 2, 18.0),
    ("AAVE", 320.0, 2, 3, 42.0),
    ("ETC", 27.0, 2, 2, 16.0),
    ("POL", 0.47, 4, 1, 14.0),
    ("FET", 1.35, 3, 1, 26.0),
    ("ARB", 0.78, 4, 1, 27.0),
    ("ATOM", 6.6, 3, 2, 15.0),
    ("FIL", 5.2, 3, 2, 20.0),
    ("ALGO", 0.36, 4, 0, 24.0),
    ("OP", 1.9, 3, 2, 21.0),
    ("INJ", 21.0, 2, 2, 14.0),
    ("STX", 1.6, 4, 1, 9.0),
    ("THETA", 2.3, 3, 1, 7.0),
    ("BONK", 0.000031, 8, 0, 39.0),
    ("WIF", 1.9, 3, 2, 44.0),
    ("FLOKI", 0.00018, 8, 0, 21.0),
    ("GRT", 0.21, 4, 0, 8.0),
    ("SEI", 0.41, 4, 1, 22.0),
    ("TIA", 5.0, 3, 2, 19.0),
    ("LDO", 1.8, 3, 2, 13.0),
    ("JUP", 0.85, 4, 1, 16.0),
    ("RUNE", 4.6, 3, 1, 17.0),
    ("IMX", 1.3, 3, 2, 6.0),
    ("SAND", 0.58, 4, 0, 15.0),
    ("MANA", 0.5, 4, 0, 8.0),
    ("GALA", 0.036, 5, 0, 18.0),
    ("ENA", 1.0, 4, 2, 46.0),
    ("PYTH", 0.39, 4, 1, 6.5),
    ("ORDI", 24.0, 2, 2, 17.0),
    ("CRV", 0.9, 3, 1, 32.0),
    ("AXS", 6.3, 3, 2, 5.5),
    ("CHZ", 0.09, 5, 0, 8.5),
    ("EOS", 0.82, 4, 1, 12.0),
    ("DYDX", 1.5, 3, 2, 9.5),
    ("1000SATS", 0.00027, 7, 0, 11.0),
    ("BTTC", 0.000011, 8, 0, 5.0),
)
WALK_LISTING = Listing(WALK, QUOTE, price_digits=4, quantity_digits=2, price=100.0, turnover=90e6)
EDGE_LISTING = Listing(EDGE, QUOTE, price_digits=4, quantity_digits=2, price=50.0, turnover=85e6)
CONTROLS = 2
MIN_SYMBOLS, DEFAULT_SYMBOLS, MAX_SYMBOLS = CONTROLS, len(_COINS) + CONTROLS, 600


def coin_listings(count: int) -> list[Listing]:
    """Return the first `count` coins; what one of them is does not depend on how many there are."""
    named = [
        Listing(base, QUOTE, price_digits, quantity_digits, price, millions * 1e6)
        for base, price, price_digits, quantity_digits, millions in _COINS[:count]
    ]
    return named + [_spare(number) for number in range(len(_COINS), count)]


def _spare(number: int) -> Listing:
    exponent = number % 6 - 2  # prices from 0.01 to 1,000
    return Listing(
        f"{_SPARE_ASSET}{number:03d}", QUOTE, max(0, 4 - exponent), max(0, exponent + 1), 10.0**exponent, 4e6
    )
