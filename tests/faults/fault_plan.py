"""A seeded list of random faults, never so that an honest exchange could not be told from them."""

import random

REST = ["latency", "server_error", "too_many_requests", "banned", "page", "truncated", "broken_off", "strange_body"]
EVENTS = ["duplicate", "disorder", "lost_closes", "stalled", "closed_early", "late_state", "bad_candles"]
LINES = ["reset", "close", "half_open", "slow_drip", "refused", "shutdown", "nonsense", "burst"]
MARKET = ["clock_skew", "unheard_of", "missing", "halt", "delist"]
KINDS = REST + EVENTS + LINES + MARKET
LONGEST_SECONDS = 4.0


def fault_plan(seed, count, symbols, span_seconds):
    """Return so many orders, spread over the span; every kind is among them when there is room for it."""
    chance = random.Random(seed)
    names = (KINDS * (count // len(KINDS) + 1))[:count]
    chance.shuffle(names)
    starts = sorted(round(chance.uniform(0.0, span_seconds), 2) for _ in names)
    return [_order(chance, name, at, symbols) for name, at in zip(names, starts, strict=True)]


def _order(chance, name, at, symbols):
    order = {"fault": name, "after_seconds": at, "for_seconds": round(chance.uniform(0.2, LONGEST_SECONDS), 2)}
    if name in (*REST, "clock_skew") and chance.random() < 0.5:
        order["share"] = 0.5
    if name in (*EVENTS, "missing", "halt", "delist") and (name in MARKET or chance.random() < 0.7):
        order["symbol"] = chance.choice(symbols)
    options = {
        "latency": {"seconds": chance.choice([0.3, 1.5, 3.0])},
        "server_error": {"status": chance.choice([403, 500, 502, 503, 504]), "body": chance.choice(["html", "json"])},
        "too_many_requests": {"retry_after": chance.choice([1, 2, 3])},
        "banned": {"retry_after": chance.choice([2, 4])},
        "strange_body": {"body": chance.choice(["object", "null", "number", "text", "list", "empty"])},
        "bad_candles": {
            "how": chance.choice(["nan", "infinity", "negative", "zero", "crossed", "off_grid", "null"]),
            "side": chance.choice(["both", "rest", "stream"]),
        },
        "close": {"code": chance.choice([1000, 1001, 1008, 1011])},
        "slow_drip": {"bytes_a_second": chance.choice([20, 200, 2_000])},
        "refused": {"side": chance.choice(["both", "rest", "stream"])},
        "shutdown": {"notice_seconds": chance.choice([0, 1, 3])},
        "burst": {"messages_a_second": chance.choice([500, 2_000])},
        "clock_skew": {"seconds": chance.choice([-36_000, -600, 600, 36_000])},
        "halt": {"status": chance.choice(["HALT", "BREAK", "CANCEL_ONLY", "LUNCH"])},
    }
    return {**order, **options.get(name, {})}
