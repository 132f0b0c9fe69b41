"""The tables of the ledger: every prediction, what its model saw, and the sums its scores are made of."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, Table, Text

from data.database import metadata
from market.adaptation import STATE

# SQLite gives only an INTEGER primary key the speed of its row number.
_KEY = BigInteger().with_variant(Integer, "sqlite")

predictions = Table(
    "predictions",
    metadata,
    Column("seq", _KEY, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("interval", Text, nullable=False),
    Column("horizon", Text, nullable=False),
    Column("candle_open_ms", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("price", Float, nullable=False),
    Column("cost_bps", Float, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    Column("origin", Text, nullable=False),
    Column("model", Text),
    Column("probability_up", Float),
    Column("expected_return_bps", Float),
    Column("low_bps", Float),
    Column("high_bps", Float),
    Column("coverage", Float),
    Column("edge_bps", Float),
    Column("state", Text, nullable=False),
    Column("outcome_return_bps", Float),
    Column("outcome_up", Integer),
    Column("brier", Float),
    Column("inside_interval", Integer),
    Column("net_bps", Float),
    Column("scored_ms", BigInteger),
    Column("void_reason", Text),
)
# One row for ever for a symbol, horizon and candle: a second one cannot be written.
Index(
    "predictions_key",
    predictions.c.symbol,
    predictions.c.candle_open_ms,  # before the horizon: all rows of a symbol's candle lie on one page
    predictions.c.horizon,
    predictions.c.interval,
    unique=True,
)
Index("predictions_newest", predictions.c.made_ms)
# Replayed rows lie below all live ones: without this a list of them would look through those first.
Index("predictions_replayed", predictions.c.made_ms, sqlite_where=predictions.c.origin == "replayed")
Index("predictions_open", predictions.c.due_ms, sqlite_where=predictions.c.state == "open")
Index(
    "predictions_called",
    predictions.c.due_ms,
    sqlite_where=predictions.c.net_bps.is_not(None),
)

# What was published and has no place in the tables above yet: durable in one short write, `PredictionStore.settle`.
prediction_journal = Table(
    "prediction_journal",
    metadata,
    Column("number", _KEY, primary_key=True),
    Column("made_ms", BigInteger, nullable=False),  # the newest of its rows
    Column("last_seq", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # of the ledger once it is settled
    Column("checksum", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # data.ledger_journal
)

# Each link hashes the one before it and the rows it stands for: a row that is changed later breaks the chain.
ledger_links = Table(
    "ledger_links",
    metadata,
    Column("number", _KEY, primary_key=True),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256, data.ledger_chain
)

# The newest row of each symbol and horizon, so that the board reads 150 rows and not the ledger.
newest_predictions = Table(
    "newest_predictions",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("candle_open_ms", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

feature_sets = Table(
    "feature_sets",
    metadata,
    Column("feature_set", Text, primary_key=True),  # hash of the names
    Column("names", Text, nullable=False),  # JSON list, in the order of the values
)

prediction_inputs = Table(
    "prediction_inputs",
    metadata,
    Column("candle_open_ms", BigInteger, primary_key=True),  # first: what closes together lies together
    Column("symbol", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("feature_set", Text, nullable=False),
    Column("values", LargeBinary, nullable=False),  # float64, little endian
    sqlite_with_rowid=False,
)

# Sums over the scored rows of one horizon-long span of time: skill is made of these, never of the ledger's rows.
SUMS = (
    "n",
    "ups",
    "hits",
    "brier",
    "last_sign_brier",
    "log_loss",
    "last_sign_log_loss",
    "intervals",
    "claimed",
    "inside",
    "calls",
    "net_bps",
)
skill_blocks = Table(
    "skill_blocks",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("block", BigInteger, primary_key=True),  # made_ms // horizon
    *(Column(name, Float, nullable=False) for name in SUMS),
    sqlite_with_rowid=False,
)

calibration_bins = Table(
    "calibration_bins",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("bin", Integer, primary_key=True),  # tenths of probability_up
    Column("n", Float, nullable=False),
    Column("probability_sum", Float, nullable=False),
    Column("ups", Float, nullable=False),
    sqlite_with_rowid=False,
)

# What the outcomes of a symbol and horizon have taught, moved by each of them in its commit: `market.adaptation`.
adaptations = Table(
    "adaptations",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    *(Column(name, Float, nullable=False) for name in STATE),
    sqlite_with_rowid=False,
)

ledger_state = Table(
    "ledger_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
