import csv
import io
import re

import pytest

from data.ledger_rows import FIELDS
from data.model_store import ModelStore
from models.training import TrainingSettings, train_horizon
from tests.models.synthetic import synthetic_panel

TABLES = (
    "symbols",
    "candles/BTCUSDT",
    "indicators/BTCUSDT",
    "predictions",
    "ledger",
    "skill",
    "models",
    "changes",
    "gaps",
)
API = "/api/v1"
UNEXPLAINED = {
    "base_probability": None,
    "contributions": [],
    "other_contributions": None,
    "strangeness": None,
    "nearest_cases": [],
}


def rows_of(answer):
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_empty_before_the_first_start(house, table):
    answer = house.get(f"{API}/{table}")

    assert (answer.status_code, answer.json) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_there_as_csv_with_the_same_rows(lively, table):
    items = lively.items(f"{API}/{table}")
    rows = rows_of(lively.get(f"{API}/{table}.csv"))

    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        assert set(item) <= set(row)


def test_status_has_the_promised_keys(lively):
    status = lively.get(f"{API}/status").json

    assert list(status) == ["market", "server_time", "version", "interval", "horizons", "feed", "symbols", "engine"]
    assert status["market"] == "simulated"
    assert status["server_time"] == "2025-11-20T12:00:00.000Z"
    assert status["feed"]["state"] == "live"
    assert status["symbols"][0] == {
        "symbol": "BTCUSDT",
        "state": "live",
        "last_candle_open": "2025-11-20T11:55:00.000Z",
        "data_age_s": 0.5,
    }
    assert status["engine"]["alive"] is True
    assert status["engine"]["uptime_s"] == 60.0


def test_server_time_runs_at_the_markets_speed(lively):
    lively.now_s += 2

    assert lively.get(f"{API}/status").json["server_time"] == "2025-11-20T12:02:00.000Z"


def test_symbols_tell_their_order_rules(lively):
    first = lively.items(f"{API}/symbols")[0]

    assert (first["symbol"], first["base"], first["quote"], first["status"]) == ("BTCUSDT", "BTC", "USDT", "TRADING")
    assert (first["price_digits"], first["tick_size"], first["step_size"], first["min_notional"]) == (
        2,
        0.01,
        0.001,
        5.0,
    )


def test_a_candle_carries_open_and_close_time(lively):
    (last,) = lively.items(f"{API}/candles/BTCUSDT?limit=1")

    assert list(last) == ["open_time", "open", "high", "low", "close", "volume", "close_time"]
    assert (last["open_time"], last["close_time"]) == ("2025-11-20T11:55:00.000Z", "2025-11-20T11:59:59.999Z")


def test_candles_are_cut_by_iso_time_or_milliseconds(lively):
    iso = lively.items(f"{API}/candles/BTCUSDT?start=2025-11-20T11:00:00Z&end=2025-11-20T11:15:00Z")
    ms = lively.items(f"{API}/candles/BTCUSDT?start=1763636400000&end=1763637300000")

    assert [row["open_time"][11:16] for row in iso] == ["11:00", "11:05", "11:10"]
    assert iso == ms


def test_lines_are_warm_where_older_candles_are_kept(lively):
    lively.add_candles(600, "LONGUSDT", seed=4)
    lively.symbols = (*lively.symbols, "LONGUSDT")
    lively.beat()

    few = lively.items(f"{API}/indicators/LONGUSDT?limit=3&fields=open_time,sma_20,rsi")
    many = lively.items(f"{API}/indicators/LONGUSDT?limit=150")
    short = lively.items(f"{API}/indicators/BTCUSDT")

    assert [list(row) for row in few] == [["open_time", "sma_20", "rsi"]] * 3
    assert few[-1]["rsi"] == pytest.approx(many[-1]["rsi"], rel=1e-9)
    assert all(row["sma_50"] for row in many)
    assert [row["sma_50"] is None for row in short] == [True] * 49 + [False] * 71


def test_lines_of_an_interval_that_cannot_be_made_are_refused(lively):
    assert lively.get(f"{API}/indicators/BTCUSDT?interval=1m").status_code == 400
    assert lively.get(f"{API}/indicators/NOPE").status_code == 404


def test_predictions_are_the_newest_of_each_symbol_and_horizon(lively):
    items = lively.items(f"{API}/predictions")

    assert [(row["symbol"], row["horizon"]) for row in items] == [
        ("BTCUSDT", "1h"),
        ("BTCUSDT", "4h"),
        ("DOGEUSDT", "1h"),
        ("EDGEUSDT", "1h"),
    ]
    assert tuple(items[0]) == FIELDS
    assert items[0]["probability_up"] == 0.52
    assert (items[1]["probability_up"], items[1]["reason"]) == (None, "too few candles")


@pytest.mark.parametrize("path", ["predictions", "ledger"])
def test_pages_follow_each_other_without_a_gap(lively, path):
    whole = lively.items(f"{API}/{path}?limit=500")

    found, query = [], "limit=3"
    while query:
        page = lively.get(f"{API}/{path}?{query}").json
        found += page["items"]
        query = page["next_cursor"] and f"limit=3&cursor={page['next_cursor']}"

    assert found == whole


def test_a_csv_page_links_to_the_next_one(lively):
    first = lively.get(f"{API}/ledger.csv?limit=3")
    link = first.headers["Link"]

    second = rows_of(lively.get(link[1 : link.index(">")]))

    assert 'rel="next"' in link
    assert [row["id"] for row in second] == [row["id"] for row in lively.items(f"{API}/ledger")[3:6]]


def test_fields_are_chosen(lively):
    answer = lively.get(f"{API}/predictions?fields=symbol,probability_up&symbol=EDGEUSDT")

    assert answer.json["items"] == [{"symbol": "EDGEUSDT", "probability_up": 0.71}]
    assert lively.get(f"{API}/ledger.csv?fields=symbol,id&limit=1").text.startswith("symbol,id\r\n")


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("symbols", "state,symbol"),
        ("candles/BTCUSDT", "close"),
        ("skill", "n,brier_skill"),
        ("models", "state"),
        ("gaps", "to"),
    ],
)
def test_every_list_keeps_only_the_fields_that_are_chosen(lively, path, names):
    lively.add_gap("BTCUSDT")

    keys = {tuple(item) for item in lively.items(f"{API}/{path}?fields={names}")}

    assert keys <= {tuple(names.split(","))}
    assert keys or path == "models"
    assert lively.get(f"{API}/{path}.csv?fields={names}").text.startswith(f"{names}\r\n")


@pytest.mark.parametrize("path", ["predictions", "ledger", "gaps"])
def test_only_a_cursor_this_instance_has_given_for_this_list_leads_on(lively, path):
    lively.add_gap("BTCUSDT")
    lively.add_gap("EDGEUSDT")
    cursor = lively.get(f"{API}/{path}?limit=1").json["next_cursor"]
    place, _, signature = cursor.rpartition(".")
    others = {
        "another place": f"1{place}.{signature}",
        "another signature": f"{place}.{signature[::-1]}",
        "none": place,
        "another list": lively.get(f"{API}/{'gaps' if path == 'ledger' else 'ledger'}?limit=1").json["next_cursor"],
    }

    answers = {kind: lively.get(f"{API}/{path}?limit=1&cursor={text}") for kind, text in others.items()}

    assert lively.get(f"{API}/{path}?limit=1&cursor={cursor}").status_code == 200
    assert {kind: (answer.status_code, answer.json["field"]) for kind, answer in answers.items()} == dict.fromkeys(
        others, (400, "cursor")
    )


def test_one_row_comes_with_what_its_model_saw(lively):
    row = lively.items(f"{API}/predictions?symbol=BTCUSDT")[0]

    answer = lively.get(f"{API}/predictions/{row['id']}")

    assert answer.json == {**row, "inputs": {"rsi": 51.5, "roc": None}, **UNEXPLAINED}


def test_an_explained_row_adds_up_to_its_probability(lively):
    lively.explain("BTCUSDT", "1h")
    row = lively.items(f"{API}/predictions?symbol=BTCUSDT")[0]

    told = lively.get(f"{API}/predictions/{row['id']}").json

    parts = [one["contribution"] for one in told["contributions"]]
    assert told["base_probability"] + sum(parts) + told["other_contributions"] == pytest.approx(0.52, abs=1e-9)
    assert told["contributions"][0] == {
        "feature": "rsi",
        "name": "Gains against losses",
        "value": 51.5,
        "contribution": pytest.approx(0.05),
    }
    assert told["nearest_cases"][0] == {
        "symbol": "EDGEUSDT",
        "candle_open_time": "2025-11-19T12:00:00.000Z",
        "return_bps": 31.0,
    }


def test_the_ledger_is_filtered(lively):
    scored = lively.items(f"{API}/ledger?state=scored&symbol=EDGEUSDT&horizon=1h&origin=replayed")
    other = lively.items(f"{API}/ledger?model=hist_gradient_boosting-1h-000000000000")

    assert len(scored) == 8
    assert all(row["outcome_return_bps"] is not None for row in scored)
    assert other == []


def test_gaps_tell_what_they_touched_page_by_page(lively):
    lively.add_gap("EDGEUSDT", candles=2, is_repaired=False)
    lively.add_gap("BTCUSDT", candles=3)

    first = lively.get(f"{API}/gaps?limit=1").json
    (row,) = first["items"]
    (other,) = lively.items(f"{API}/gaps?limit=1&cursor={first['next_cursor']}")

    assert (row["symbol"], row["candles"], row["is_repaired"]) == ("EDGEUSDT", 2, False)
    assert (row["missed_predictions"], row["late_outcomes"]) == (3, 1)  # only the newest candle has its 1 h row
    assert (other["symbol"], other["to"]) == ("BTCUSDT", "2025-11-20T12:00:00.000Z")
    assert lively.items(f"{API}/gaps?symbol=DOGEUSDT") == []


def test_a_cursor_of_another_list_is_refused(lively):
    answer = lively.get(f"{API}/gaps?cursor=BTCUSDT.1h")

    assert (answer.status_code, answer.json["field"]) == (400, "cursor")


def test_skill_is_pooled_by_horizon(lively):
    (pooled,) = lively.items(f"{API}/skill?by=horizon&origin=replayed")

    assert (pooled["symbol"], pooled["horizon"], pooled["n"]) == (None, "1h", 24)
    assert len(lively.items(f"{API}/skill")) == 3


def test_a_damaged_model_file_is_an_item_with_its_reason(lively):
    folder = lively.config.SAVED_MODELS_DIR
    folder.mkdir()
    (folder / "random_forest-1h-0123456789ab.json").write_text("{")

    (card,) = lively.items(f"{API}/models")

    assert (card["file"], card["state"]) == ("random_forest-1h-0123456789ab.json", "refused")
    assert "not JSON" in card["reason"]


@pytest.mark.parametrize(
    "path", ["predictions", "ledger", "skill", "symbols", "candles/BTCUSDT", "models", "gaps", "ledger.csv"]
)
def test_an_unchanged_answer_is_not_sent_again(lively, path):
    first = lively.get(f"{API}/{path}")
    again = lively.get(f"{API}/{path}", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_a_changed_ledger_is_sent_again(lively):
    tag = lively.get(f"{API}/predictions").headers["ETag"]
    lively.publish(lively.prediction("BTCUSDT", "1h", 1_763_640_000_000, 0.6))

    assert lively.get(f"{API}/predictions", headers={"If-None-Match": tag}).status_code == 200


def test_numbers_that_are_not_finite_are_null(lively):
    lively.publish(lively.prediction("BTCUSDT", "1h", 1_763_640_000_000, 0.6, low_bps=float("-inf")))

    answer = lively.get(f"{API}/predictions?symbol=BTCUSDT&horizon=1h")

    assert answer.json["items"][0]["low_bps"] is None
    assert "Infinity" not in answer.text


def test_text_in_csv_is_no_formula(lively):
    lively.publish(lively.prediction("BTCUSDT", "1h", 1_763_640_000_000, 0.4, model='=HYPERLINK("x")'))

    (row,) = rows_of(lively.get(f"{API}/predictions.csv?symbol=BTCUSDT&horizon=1h"))

    assert row["model"] == '\'=HYPERLINK("x")'
    assert float(row["expected_return_bps"]) == pytest.approx(-40)


def test_the_description_names_every_path_and_argument(lively):
    spec = lively.get(f"{API}/openapi.json").json

    paths = {path.removeprefix(API) for path in spec["paths"]}
    assert spec["openapi"].startswith("3.1")
    assert {"/status", "/symbols", "/candles/{symbol}", "/predictions", "/predictions/{id_}", "/ledger"} <= paths
    assert {"/skill", "/models", "/gaps", "/gaps.csv", "/stream", "/predictions.csv", "/candles/{symbol}.csv"} <= paths
    named = {entry["name"] for entry in spec["paths"][f"{API}/ledger"]["get"]["parameters"]}
    assert named == {"symbol", "horizon", "model", "origin", "state", "limit", "cursor", "fields"}


def test_every_pattern_of_the_description_is_whole_for_any_reader(lively):
    spec = lively.get(f"{API}/openapi.json").json

    operations = [path["get"] for path in spec["paths"].values() if "get" in path]
    described = [one["schema"] for told in operations for one in told.get("parameters", [])]
    patterns = {schema["pattern"] for schema in described if "pattern" in schema}
    assert len(patterns) > 2
    assert all(re.fullmatch(r"\^[^^$]+\$", pattern) and "\\Z" not in pattern for pattern in patterns)


def test_every_key_of_a_score_is_described(lively):
    described = lively.get(f"{API}/openapi.json").json["components"]["schemas"]["Skill"]["properties"]
    model = lively.items(f"{API}/ledger?state=scored")[0]["model"]

    scores = lively.items(f"{API}/skill?model={model}")[0]

    assert scores["model"] == model
    assert set(scores) <= set(described)


def test_every_key_of_a_model_card_is_described(lively):
    described = lively.get(f"{API}/openapi.json").json["components"]["schemas"]["Model"]["properties"]
    panel = synthetic_panel(symbols=2, candles=1_200, seed=1)
    trained = train_horizon(panel, "5m", "1h", 12, TrainingSettings(replay_candles=100, folds=1))
    ModelStore(lively.config.SAVED_MODELS_DIR, lively.folder / "model.key").save(
        trained, lively.venue, (0, 360_000_000)
    )

    (card,) = lively.items(f"{API}/models")

    assert card["state"] == "ok"
    assert set(card) <= set(described)


def test_a_span_that_ends_before_it_begins_is_refused(lively):
    answer = lively.get("/api/v1/candles/BTCUSDT?start=2025-11-20&end=2025-11-19")

    assert answer.status_code == 400
    assert answer.json["field"] == "end"


@pytest.mark.parametrize("by", ["model", "week", "regime"])
def test_skill_is_told_apart_by_parts(lively, by):
    items = lively.items(f"{API}/skill?by={by}")
    rows = rows_of(lively.get(f"{API}/skill.csv?by={by}"))

    assert sum(item["n"] for item in items) == (0 if by == "regime" else 24)  # these rows came without inputs
    assert [row[by] for row in rows] == [item[by] for item in items]


def test_signals_of_others_come_when_they_are_asked_for(lively):
    before = {path: lively.items(f"{API}/{path}") for path in ("ledger", "skill", "skill?by=model")}

    lively.add_signals("friend")

    assert {path: lively.items(f"{API}/{path}") for path in before} == before
    by_origin = lively.items(f"{API}/ledger?origin=imported&state=scored")
    by_model = lively.items(f"{API}/ledger?model=foreign:friend&state=scored")
    assert by_origin == by_model
    assert {row["origin"] for row in by_origin} == {"imported"}
    assert lively.get(f"{API}/predictions/{by_origin[0]['id']}").json == {**by_origin[0], "inputs": {}}
    (skill,) = lively.items(f"{API}/skill?origin=imported&by=model")
    assert (skill["model"], skill["n"]) == ("foreign:friend", len(by_origin))
