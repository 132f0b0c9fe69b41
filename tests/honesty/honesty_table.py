"""Show whether Candela is honest: over many seeds of the simulator, and on recorded candles.

`python tests/honesty/honesty_table.py [--seeds 20] [--recorded FOLDER] [--processes 2] [--json FILE]`

A seed is a market of its own, of the default size (50 symbols, 60 days of 5m candles) and horizons. Each is trained on
and walked through without sockets, by the code the trainer runs, and scored by the ledger's.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from config import Config  # noqa: E402
from data.candle_tables import read_files  # noqa: E402
from data.skill import calibration_gap  # noqa: E402
from market.intervals import DAY_MS  # noqa: E402
from models import families  # noqa: E402
from tests.honesty.markets import ALL, CONTROLS, findings, panel_of, simulated, walk  # noqa: E402

SYMBOLS = 50
GROUPS = (ALL, *CONTROLS)
NEAR = 0.02  # of the claim
# files, interval, horizons
RECORDED = (
    ("*-15m-2023*", "15m", "1h,4h,1d"),
    ("BTCUSDT-5m-2024*", "5m", "1h,4h,1d"),
    ("*-1h-2023*", "1h", "4h,1d"),
    ("*-1m-2025*", "1m", "15m,1h"),
)


def seed_findings(seed, config=None, symbols=SYMBOLS):
    """Return the findings of each horizon of one seed."""
    config = config or Config()
    panel = panel_of(simulated(seed, config, symbols), config)
    return {horizon: findings(panel, walk(panel, config, horizon), GROUPS) for horizon in config.horizons}


def recorded_findings(folder, pattern, interval, horizons):
    """Return the findings of each horizon and family on all of the files' time, but for the warm-up."""
    tables = read_files(sorted(folder.glob(pattern)), interval)
    if not tables:
        return {}
    length_ms = min(table["open_ms"][-1] - table["open_ms"][0] for table in tables.values())
    config = Config(INTERVAL=interval, HORIZONS=horizons, HISTORY_DAYS=int(length_ms // DAY_MS))
    panel = panel_of(tables, config)
    return {
        horizon: {
            name: findings(panel, walk(panel, config, horizon, chosen))
            for name, chosen in (("chosen", ()), *((family, (family,)) for family in families))
        }
        for horizon in config.horizons
    }


def over_seeds(by_seed):
    """Return for each horizon and group what all seeds together show."""
    rows = []
    for horizon in by_seed[0]:
        for group in GROUPS:
            found = [seed[horizon]["groups"][group] for seed in by_seed]
            weights = [one["n"] for one in found]
            row = {
                "horizon": horizon,
                "group": group,
                "seeds": len(found),
                "n": sum(weights),
                "skill_median": float(np.median([one["brier_skill"] for one in found])),
                "edge_share": float(np.mean([one["verdict"] == "edge" for one in found])),
                "worse_share": float(np.mean([one["verdict"] == "worse than base" for one in found])),
                "ece_pooled": pooled_gap([one["calibration"] for one in found]),
                "ece_median": float(np.median([calibration_gap(one["calibration"]) for one in found])),
                "ece_by_chance": float(np.median([one["chance_gap"] for one in found])),
                "claimed": float(np.average([one["coverage_claimed"] for one in found], weights=weights)),
                "kept": float(np.average([one["coverage_kept"] for one in found], weights=weights)),
            }
            if group == ALL:
                each = np.concatenate([seed[horizon]["kept_by_symbol"] for seed in by_seed])
                row["symbols_near"] = float((np.abs(each - row["claimed"]) <= NEAR).mean())
            rows.append(row)
    return rows


def pooled_gap(calibrations):
    """Return the calibration error of the bins of many records put together."""
    bins = {}
    for entry in (entry for calibration in calibrations for entry in calibration):
        n, said, seen = bins.get(entry["low"], (0, 0.0, 0.0))
        weight = entry["n"]
        bins[entry["low"]] = (n + weight, said + weight * entry["mean_probability"], seen + weight * entry["share_up"])
    return sum(abs(said - seen) for _, said, seen in bins.values()) / sum(n for n, _, _ in bins.values())


def over_recorded(pattern, found):
    """Return a row for each horizon and family."""
    return [
        {
            "files": pattern,
            "horizon": horizon,
            "family": family,
            "n": skill["n"],
            "horizons": skill["n_independent"],
            "skill": skill["brier_skill"],
            "low": skill["brier_skill_low"],
            "high": skill["brier_skill_high"],
            "verdict": skill["verdict"],
            "ece": calibration_gap(skill["calibration"]),
            "ece_by_chance": skill["chance_gap"],
            "claimed": skill["coverage_claimed"],
            "kept": skill["coverage_kept"],
        }
        for horizon, by_family in found.items()
        for family, one in by_family.items()
        for skill in (one["groups"][ALL],)
    ]


def show(console, title, rows):
    """Print rows of equal keys as one table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*names, title=title, title_justify="left")
    for row in rows:
        cells = [row.get(name, "") for name in names]
        table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in cells))
    console.print(table)


def main(arguments=None):
    """Print both tables; return 0."""
    parser = argparse.ArgumentParser(prog="honesty_table.py", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many made-up markets (default 20)")
    parser.add_argument("--recorded", type=Path, metavar="FOLDER", help="also measure on these kline CSV files")
    parser.add_argument("--processes", type=int, default=1, help="how many seeds at a time (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    asked = parser.parse_args(arguments)
    console, started, by_seed = Console(width=None if sys.stdout.isatty() else 200), time.monotonic(), []
    tables = {}
    with ProcessPoolExecutor(asked.processes) as pool:
        recorded = [
            (pattern, pool.submit(recorded_findings, asked.recorded, pattern, *rest))
            for pattern, *rest in (RECORDED if asked.recorded else ())
        ]
        for found in pool.map(seed_findings, range(1, asked.seeds + 1)):
            by_seed.append(found)
            left_s = (time.monotonic() - started) / len(by_seed) * (asked.seeds - len(by_seed))
            console.print(f"seed {len(by_seed)} of {asked.seeds}, {left_s / 60:.0f} minutes left", style="dim")
        if by_seed:
            tables["seeds"] = over_seeds(by_seed)
        tables["recorded"] = [row for pattern, one in recorded for row in over_recorded(pattern, one.result())]
    for title, rows in tables.items():
        if rows:
            show(console, title, rows)
    if asked.json:
        asked.json.write_text(json.dumps(tables, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
