import csv
import html
import io
import json
import re

import numpy as np
import pytest

from data.ledger_inputs import Inputs
from data.prediction_store import PredictionStore
from market.predictions import Origin
from tests.web.conftest import T0
from web.score_drawings import reliability, score_scale, wilson

HOUR_MS = 3_600_000
API = "/api/v1"


def part(page, name):
    """Return the words of the part of the page with this id, every space a plain one."""
    tag = re.search(rf'<(\w+)[^>]* id="{name}"', page)
    markup = page[tag.start() : page.index(f"</{tag[1]}>", tag.start())]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def record(house, query="horizon=1h"):
    answer = house.get(f"/record?{query}")
    assert answer.status_code == 200
    return answer.text


@pytest.fixture
def judged(lively):
    """Return the lively instance with 94 live rows of EDGEUSDT that mostly knew, made with their inputs."""
    candles = lively.add_candles(1_300, "EDGEUSDT", last_open_ms=T0 - 121 * lively.length_ms, seed=4)
    rows, inputs = [], []
    for index in range(100, 1_220, 12):
        open_ms, price = int(candles["open_ms"][index]), float(candles["close"][index])
        later = candles["close"][index + 12]
        rows.append(
            lively.prediction("EDGEUSDT", "1h", open_ms, 0.8 if later > price else 0.2, price=price, model="knower-1h")
        )
        inputs.append(Inputs("EDGEUSDT", open_ms, np.array([1.5 if index < 400 else 0.5, 0.0])))
    store = PredictionStore(lively._engine, "simulated", "5m", ("volatility_trend", "efficiency_48"))
    store.add_replayed(rows, inputs)
    store.score(T0)
    return lively


def test_it_stands_in_the_navigation(lively):
    assert '<a href="/record" aria-current="page">Record</a>' in record(lively)


def test_the_page_opens_with_its_finding(judged):
    page = record(judged, "horizon=1h&origin=live")

    finding = part(page, "finding")
    assert finding.startswith(
        "At 1 h the live probabilities are clearly better than the best baseline : Brier skill +8"
    )
    assert "n 94. After costs, an up or down call earned +" in finding
    assert re.search(r'id="finding" data-live data-n="94"', page)


def test_a_record_without_an_edge_is_called_so(lively):
    lively.lengthen()

    assert "are not measurably better than the best baseline" in part(record(lively), "finding")


def test_of_too_few_horizons_only_the_n_is_told(lively):
    page = record(lively)

    assert "of 8 horizons that do not overlap: too few to tell yet, n 24" in part(page, "finding")
    assert re.search(r"All, 1 h – n 24 too few to tell", part(page, "skill"))
    assert re.search(r"EDGEUSDT control too few n 8", part(page, "matrix"))
    assert "Log-loss skill, 95% too few to tell" in part(page, "scores")


@pytest.mark.parametrize("origin", ["live", "replayed", "imported"])
def test_a_record_without_rows_says_what_to_do(house, origin):
    page = record(house, f"origin={origin}")

    expected = {
        "live": "You need do nothing.",
        "replayed": "come with the first training, by themselves",
        "imported": "python import_signals.py FILE reads them from CSV",
    }
    assert expected[origin] in part(page, "finding")
    assert 'id="reliability" data-live data-n="0" hidden' in page
    assert part(page, "scores").startswith("All figures")


def test_live_rows_are_shown_first_as_soon_as_there_are_enough(judged, lively):
    assert "the live probabilities" in part(record(judged), "finding")
    assert "24 replayed rows" in part(record(judged, "horizon=1h&origin=replayed"), "finding")


def test_the_origins_are_never_one_figure(judged):
    judged.add_signals("friend", count=6)

    origins = re.search(r'id="origins".*?</nav>', record(judged), re.DOTALL)[0]

    assert re.findall(r'data-n="(\d+)"', origins) == ["94", "24", "6"]


def test_scores_are_told_by_horizon_symbol_week_regime_and_model(judged):
    page = record(judged, "horizon=1h&origin=live")

    assert re.match(r"Skill against .* All, 1 h \+8\S+ n 94 edge EDGEUSDT \+8\S+ n 94 edge", part(page, "skill"))
    assert re.search(r"2025-W47 .* n \d+ .* 2025-W46 .* n \d+", part(page, "weeks"))
    assert re.search(r"calm .* n 69 .* wild .* n 25 .* sideways .* n 94", part(page, "regimes"))
    assert re.search(r"knower-1h .* n 94", part(page, "models"))
    assert re.search(r"EDGEUSDT control \+8\S+ n 94 edge", part(page, "matrix"))


def test_a_long_matrix_is_folded(lively):
    names = [f"M{number:02}USDT" for number in range(13)]
    for name in names:
        lively.add_candles(60, name)
    lively.publish(*(lively.prediction(name, "1h", T0 - 14 * lively.length_ms) for name in names))
    lively.ledger.score(T0)

    short, long = (part(record(lively, f"horizon=1h&origin={name}"), "matrix") for name in ("replayed", "live"))

    assert "EDGEUSDT" in short
    assert " symbols " not in short
    assert re.search(r"All 13 symbols Brier skill of each symbol .* M12USDT too few", long)


def test_every_score_carries_its_sample(judged):
    page = record(judged, "horizon=1h&origin=live")

    rows = re.findall(r"<tr[^>]*>.*?</tr>", page, re.DOTALL)
    scored = [row for row in rows if 'class="line-of' in row]
    assert len(scored) > 6
    assert all('data-n="' in row for row in scored)
    assert len(re.findall(r'<g data-n="\d+">', page)) == 2
    assert 'data-kind="claim" data-n="94"' in page


def test_one_symbol_is_shown_alone(judged):
    page = record(judged, "horizon=1h&symbol=edgeusdt")

    assert "probabilities of EDGEUSDT" in part(page, "finding")
    assert "EDGEUSDT, 1 h" in part(page, "skill")
    assert set(re.findall(r"<td class=\"c-name\"><b>(\w+)</b></td>", page)) == {"EDGEUSDT"}


def test_one_model_is_shown_alone(judged):
    page = record(judged, "horizon=1h&model=knower-1h&origin=replayed")

    assert "Nothing to judge yet" in part(page, "finding")
    assert "Nothing scored of these yet" in part(page, "finding")
    assert "n 94" in part(record(judged, "horizon=1h&model=knower-1h"), "finding")


def test_the_list_goes_on_page_by_page_through_all_rows(judged):
    found, query = [], "horizon=1h&origin=live&state=scored"
    while query:
        page = record(judged, query)
        found += re.findall(r'href="/predictions/([^"]+)"', page)
        older = re.search(r'rel="next" href="\?([^"#]+)#rows"', page)
        query = older and html.unescape(older[1])

    items = judged.items(f"{API}/ledger?horizon=1h&origin=live&state=scored&limit=500")
    assert found == [item["id"] for item in items]
    assert len(found) == 94


def test_rows_are_chosen_by_state(judged):
    page = record(judged, "horizon=1h&origin=live&state=open")

    assert page.count('href="/predictions/') == 3
    assert "None: every row that was due has its outcome." in part(record(judged, "state=void"), "rows")


def test_the_head_of_the_chain_can_be_noted_down(lively):
    chain = lively.get(f"{API}/chain").json

    text = part(record(lively), "chain")

    assert chain["head"] in text
    assert f"{chain['links']} links" in text
    assert chain["last_id"] in text


def test_signals_of_others_have_a_record_of_their_own(lively):
    lively.lengthen()
    lively.add_signals("friend", count=12)

    page = record(lively, "horizon=1h&origin=imported")

    assert "At 1 h the imported signals are" in part(page, "finding")
    assert "n 12" in part(page, "finding")
    assert "foreign:friend" in part(page, "models")
    assert "never among them" in page
    assert "n 36" in part(record(lively), "finding")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("origin=dead", 400),
        ("state=x", 400),
        ("horizon=7h", 400),
        ("model=a b", 400),
        ("cursor=!", 400),
        ("symbol=NO", 404),
    ],
)
def test_an_address_that_asks_for_nothing_there_is_is_refused(lively, query, status):
    assert lively.get(f"/record?{query}").status_code == status


def test_a_cursor_of_another_list_leads_nowhere_on_the_record(judged):
    theirs = judged.get(f"{API}/ledger?limit=1").json["next_cursor"]
    _, unsigned = judged.stores.ledger(limit=1, cursor=None)

    assert judged.get(f"/record?cursor={theirs}").status_code == 400
    assert judged.get(f"/record?cursor={unsigned}").status_code == 400


def test_every_export_of_the_page_answers(judged):
    page = record(judged, "horizon=1h&origin=live")
    paths = {html.unescape(path) for path in re.findall(r'href="(/api/v1/[^"]+\.(?:csv|json)\?[^"]*)"', page)}

    assert len(paths) == 14
    for path in paths:
        answer = judged.get(path)
        assert (answer.status_code, "attachment" in answer.headers["Content-Disposition"]) == (200, True)


def test_all_rows_come_as_one_file(judged):
    items = judged.items(f"{API}/ledger?limit=500")

    as_csv = judged.get(f"{API}/ledger/all.csv")
    as_json = judged.get(f"{API}/ledger/all.json")

    assert [row["id"] for row in csv.DictReader(io.StringIO(as_csv.text, newline=""))] == [item["id"] for item in items]
    assert json.loads(as_json.text) == {"items": items, "next_cursor": None}


def test_a_file_of_no_rows_is_still_one(lively):
    assert lively.get(f"{API}/ledger/all.json?state=void").json == {"items": [], "next_cursor": None}
    assert lively.get(f"{API}/ledger/all.csv?state=void&fields=id").text == "id\r\n"


def test_a_long_file_is_made_while_it_is_sent(lively):
    rows = [
        lively.prediction("BTCUSDT", "1h", T0 - (10 + index) * HOUR_MS, origin=Origin.REPLAYED)
        for index in range(1_200)
    ]
    lively.ledger.add_replayed(rows, [])
    asked = []
    read = lively.stores.ledger
    lively.stores.ledger = lambda **wanted: asked.append(wanted["cursor"]) or read(**wanted)

    parts = iter(lively.get(f"{API}/ledger/all.csv?fields=id", buffered=False).response)

    next(parts), next(parts)
    assert len(asked) <= 2
    assert sum(part.count(b"\r\n") for part in parts) + 500 == 1_200 + 28
    assert len(asked) == 3


def test_a_text_that_a_spreadsheet_would_run_is_quoted_in_every_file(lively):
    lively.publish(lively.prediction("=1+1", "1h", T0 - HOUR_MS - lively.length_ms))

    for path in ("ledger", "ledger/all"):
        assert ",'=1+1," in lively.get(f"{API}/{path}.csv?fields=id,symbol,horizon").text


def test_whiskers_are_wider_where_horizons_overlap():
    bins = [{"low": 0.5, "high": 0.6, "n": 100, "mean_probability": 0.55, "share_up": 0.5}]

    alone, overlapping = reliability(bins, 100).points[0], reliability(bins, 25).points[0]

    assert (alone.low, alone.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)  # Wilson's interval of 50 in 100
    assert overlapping.high - overlapping.low > 1.8 * (alone.high - alone.low)
    assert reliability([], 0) is None


def test_a_share_of_none_or_all_has_an_interval_within_0_and_1():
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_a_scale_holds_most_intervals_and_cuts_exceptions():
    scale = score_scale([(-0.01, 0.03), (0.0, 0.04), (-0.01, 0.02), (-5.0, 1.0), (0.01, 0.05)])

    assert (scale.low, scale.high) == (-0.05, 0.05)
    assert scale.place(0.0) == 50.0
    assert scale.place(-5.0) == scale.place(-0.05) == 2.0
    assert scale.is_cut(-5.0, 1.0)
    assert not scale.is_cut(0.01, 0.05)
    assert score_scale([]).high == 0.02
