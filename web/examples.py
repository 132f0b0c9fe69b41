"""What the API may answer, for its description: one made-up item of each kind, true to the rules of the real ones."""

from typing import Any

Item = dict[str, Any]

SYMBOL: Item = {
    "symbol": "BTCUSDT",
    "base": "BTC",
    "quote": "USDT",
    "status": "TRADING",
    "state": "live",
    "price_digits": 2,
    "tick_size": 0.01,
    "step_size": 0.00001,
    "min_notional": 5.0,
}
CANDLE: Item = {
    "open_time": "2026-01-31T11:00:00.000Z",
    "open": 101250.0,
    "high": 101480.5,
    "low": 101102.25,
    "close": 101390.75,
    "volume": 312.4,
    "close_time": "2026-01-31T11:59:59.999Z",
}
INDICATORS: Item = {
    "open_time": "2026-01-31T11:00:00.000Z",
    "sma_20": 101212.5,
    "sma_50": 100984.25,
    "ema_26": 101190.75,
    "bollinger_upper_20": 101640.5,
    "bollinger_lower_20": 100784.5,
    "rsi": 57.25,
}
PREDICTION: Item = {
    "id": "binance-4821",
    "symbol": "BTCUSDT",
    "interval": "5m",
    "horizon": "4h",
    "made_at": "2026-01-31T12:00:00.000Z",
    "candle_open_time": "2026-01-31T11:55:00.000Z",
    "due_at": "2026-01-31T16:00:00.000Z",
    "market": "binance",
    "price": 101390.75,
    "probability_up": 0.583,
    "expected_return_bps": 31.5,
    "low_bps": -88.0,
    "high_bps": 151.0,
    "coverage": 0.8,
    "cost_bps": 24.0,
    "edge_bps": 7.5,
    "verdict": "up",
    "reason": None,
    "model": "random_forest-4h-0123456789ab",
    "origin": "live",
    "state": "open",
    "void_reason": None,
    "outcome_return_bps": None,
    "outcome_up": None,
    "brier": None,
    "inside_interval": None,
    "net_bps": None,
    "scored_at": None,
}
SCORED: Item = PREDICTION | {
    "state": "scored",
    "outcome_return_bps": 40.0,
    "outcome_up": True,
    "brier": 0.173889,
    "inside_interval": True,
    "net_bps": 16.0,
    "scored_at": "2026-01-31T16:00:01.250Z",
}
GAP: Item = {
    "symbol": "BTCUSDT",
    "from": "2026-01-31T11:40:00.000Z",
    "to": "2026-01-31T11:50:00.000Z",
    "candles": 2,
    "found_at": "2026-01-31T11:50:01.000Z",
    "ended_at": "2026-01-31T11:50:02.400Z",
    "is_repaired": True,
    "missed_predictions": 4,
    "late_outcomes": 0,
}
CHANGE: Item = {
    "changed_at": "2026-01-31T12:05:00.000Z",
    "horizon": "4h",
    "kind": "promoted",
    "model": "random_forest-4h-0123456789ab",
    "before": "random_forest-4h-ba9876543210",
    "made_by": "the engine",
    "text": "newer, and not measurably worse",
    "n": 2400,
    "difference": 0.004,
    "difference_low": -0.002,
    "difference_high": 0.011,
}
SKILL: Item = {
    "symbol": None,
    "horizon": "4h",
    "origin": "live",
    "market": "binance",
    "n": 4200,
    "n_independent": 42,
    "base_rate": 0.512,
    "accuracy": 0.531,
    "accuracy_low": 0.505,
    "accuracy_high": 0.557,
    "brier": 0.2485,
    "brier_base": 0.2498,
    "brier_skill": 0.0052,
    "brier_skill_low": -0.0021,
    "brier_skill_high": 0.0125,
    "verdict": "no measurable edge",
}
MODEL: Item = {
    "id": "random_forest-4h-0123456789ab",
    "file": "random_forest-4h-0123456789ab.npz",
    "state": "ok",
    "family": "random_forest",
    "horizon": "4h",
    "created": "2026-01-31T00:00:00.000Z",
    "coverage": 0.8,
}
CHAIN: Item = {
    "links": 1805,
    "last_id": "binance-4821",
    "head": "5f3a1c0e9d7b46a28e1f0c5d7a9b3e6f1d2c4b5a69788796a5b4c3d2e1f00f1e",
}
STATUS: Item = {
    "market": "binance",
    "server_time": "2026-01-31T12:00:04.120Z",
    "version": 9120,
    "interval": "5m",
    "horizons": ["1h", "4h", "1d"],
    "feed": {"state": "live", "last_message_age_s": 0.2, "reconnects": 0, "gaps_found": 1, "gaps_repaired": 1},
    "symbols": [
        {"symbol": "BTCUSDT", "state": "live", "last_candle_open": "2026-01-31T11:55:00.000Z", "data_age_s": 0.4}
    ],
    "engine": {"alive": True, "pid": 4711, "uptime_s": 86400.0, "rss_mb": 212.5},
}
SUMMARY: Item = {
    "market": "binance",
    "server_time": "2026-01-31T12:00:04.120Z",
    "version": 9120,
    "interval": "5m",
    "horizon": "4h",
    "engine_alive": True,
    "feed": {"state": "live", "age_s": 0.2},
    "notice": None,
    "symbols": {"followed": 50, "live": 49, "stale": 1},
    "skill": {
        "days": 7,
        "origin": "live",
        "n": 4200,
        "n_independent": 42,
        "brier_skill": 0.0052,
        "brier_skill_low": -0.0021,
        "brier_skill_high": 0.0125,
        "verdict": "no measurable edge",
    },
    "verdicts": {"up": 2, "abstain": 47},
    "abstained": {"cost": 47, "stale": 1},
    "top": [
        {
            "symbol": "BTCUSDT",
            "price": 101390.75,
            "verdict": "up",
            "reason": None,
            "probability_up": 0.583,
            "expected_return_bps": 31.5,
            "edge_bps": 7.5,
        }
    ],
    "last_resolved": [
        {
            "symbol": "BTCUSDT",
            "verdict": "up",
            "due_at": "2026-01-31T08:00:00.000Z",
            "origin": "live",
            "outcome_return_bps": 40.0,
            "net_bps": 16.0,
        }
    ],
}
EVENTS = 'id: 9120\nevent: price\ndata: {"items":[{"symbol":"BTCUSDT","price":101390.75}]}\n\n'
