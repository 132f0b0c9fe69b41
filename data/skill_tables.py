"""The tables of the sums of skill by regime, and of the calibration by week and by regime."""

from sqlalchemy import BigInteger, Column, Float, Integer, Table, Text

from data.database import metadata
from data.ledger_tables import SUMS

# Like skill_blocks, for the rows of one regime (`data.regimes`): a row counts in one of volatility and one of trend.
regime_blocks = Table(
    "regime_blocks",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("regime", Text, primary_key=True),
    Column("block", BigInteger, primary_key=True),
    *(Column(name, Float, nullable=False) for name in SUMS),
    sqlite_with_rowid=False,
)

# Like calibration_bins, for one week or one regime.
part_bins = Table(
    "part_bins",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("part", Text, primary_key=True),  # 2025-W47, or the name of a regime
    Column("bin", Integer, primary_key=True),
    Column("n", Float, nullable=False),
    Column("probability_sum", Float, nullable=False),
    Column("ups", Float, nullable=False),
    sqlite_with_rowid=False,
)
