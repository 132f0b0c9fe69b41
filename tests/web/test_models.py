"""The models page: who speaks, who is on trial, what was decided, and buttons that work without JavaScript."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from data.champion_store import PERSON, ChampionStore, Change, Holder, Roles
from data.drift import counts_of, edges_of, spread_of
from data.drift_store import DRIFT_DAYS, DriftStore
from data.model_store import ModelStore
from data.paired_score import Compared
from data.shadow_store import shadow_sums
from market.predictions import Origin
from models.served import content_id
from models.training import TrainingSettings, train_horizon
from tests.models.synthetic import COLUMNS, synthetic_panel
from tests.web.test_csrf import token_of
from web.csrf import FIELD

T0 = 1_763_640_000_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def trained():
    panel = synthetic_panel(symbols=2, candles=1_200, seed=1)
    made = train_horizon(panel, "5m", "1h", 12, TrainingSettings(replay_candles=100, folds=1))
    return replace(made, cut_ms=T0 - DAY_MS)


class Cast:
    """Three models of one horizon over a lively instance: a champion, its predecessor, a challenger."""

    def __init__(self, house, trained):
        self.house, self.store = house, ChampionStore(house._engine, "5m")
        self.rows = np.random.default_rng(1).normal(size=(3_000, len(COLUMNS)))
        self.spread = spread_of(self.rows, np.zeros(len(self.rows)))
        self.before, self.champion, self.challenger = (self._save(trained, step) for step in range(3))
        self.roles = Roles(
            Holder(self.champion, T0 - DAY_MS),
            Holder(self.before, T0 - DAY_MS),
            Holder(self.challenger, T0 - DAY_MS // 2),
        )
        self.record("promoted", self.champion, "newer, and not measurably worse", before=self.before)

    def _save(self, trained, step):
        model = replace(trained.model, move=replace(trained.model.move, half_width=1.0 + step))
        whole = replace(trained, model=replace(model, id=content_id(model)), cut_ms=trained.cut_ms + step * 3_600_000)
        store = ModelStore(self.house.config.SAVED_MODELS_DIR, self.house.folder / "model.key")
        return store.save(whole, self.house.venue, (T0 - 10 * DAY_MS, T0), spread=self.spread)

    def record(self, kind, model, text, **more):
        self.store.record(Change(T0, "1h", kind, model, text, **more), self.roles)


@pytest.fixture
def cast(lively, trained):
    return Cast(lively, trained)


def page(house, horizon="1h"):
    return house.get(f"/models?horizon={horizon}").text


def card(text, model):
    return re.search(rf'<section class="card model" id="{model}">.*?</section>', text, re.DOTALL)[0]


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_it_stands_in_the_navigation(lively):
    assert re.search(r'<a href="/models" aria-current="page">Models</a>', page(lively))


def test_before_the_first_model_it_says_what_goes_on(house):
    assert "the engine is not running" in house.get("/models").text.lower()


def test_each_model_stands_in_its_role_the_champion_first(cast):
    text = page(cast.house)

    roles = re.findall(r'<span class="role[^"]*">(\w+)</span>', text)

    assert roles == ["Champion", "Challenger", "Before"]
    assert "Speaks until" in card(text, cast.champion)
    assert "1 folds" in card(text, cast.champion)


def test_every_score_has_its_n(cast):
    for model in (cast.champion, cast.before, cast.challenger):
        assert re.search(r'data-n="[1-9]\d*"><b>[+−][\d.]+%</b> skill', card(page(cast.house), model))


def test_few_rows_of_the_ledger_are_no_figure_and_do_not_hide_the_walk_forward(lively, trained):
    cast = Cast(lively, trained)
    made = [(T0 - 14 * 300_000, Origin.LIVE), (T0 - 15 * 300_000, Origin.REPLAYED)]
    rows = [lively.prediction("BTCUSDT", "1h", at, model=cast.challenger, origin=origin) for at, origin in made]
    lively.ledger.add_replayed(rows, [])
    lively.ledger.score(T0)

    text = words(card(page(lively), cast.challenger))

    assert "Skill live: too few horizons to tell yet, n 1." in text
    assert re.search(r"[+−][\d.]+% skill in walk-forward n.\d{3}", text)


def test_what_was_tried_for_a_model_stands_on_its_card_with_n(cast):
    text = card(page(cast.house), cast.champion)

    assert re.search(r'<li data-n="[1-9]\d*"><b>Trees</b> \d+ of 32\. Log-loss by their number: 4: 0\.\d{5}', text)
    assert re.search(r'<li data-n="[1-9]\d*"><b>Family</b>', text)


def test_ranges_are_told_before_and_after_each_symbol_has_its_own_width(lively, trained):
    cast = Cast(lively, trained)
    lively.lengthen()
    opens = [T0 - hours * 3_600_000 - 2 * lively.length_ms for hours in range(9, 21)]
    texts = []
    for some in (opens[:9], opens[9:]):  # too few horizons at first
        lively.ledger.add_replayed([lively.prediction("BTCUSDT", "1h", at, model=cast.champion) for at in some], [])
        lively.ledger.score(T0)
        lively.beat()
        texts.append(words(card(page(lively), cast.champion)))

    few, enough = texts
    assert re.search(r"Range of 80% kept, one width for all\s*[\d.]+%, n.\d+", few)
    assert "With each symbol’s own width" not in few
    assert re.search(r"With each symbol’s own width, live\s*[\d.]+%, n.12", enough)


def test_a_challenger_is_compared_with_its_champion_on_the_same_rows(cast):
    row = {"model": cast.challenger, "champion": cast.champion, "horizon": "1h", "interval": "5m", "n": 10.0}
    rows = [row | {"block": at, "brier": 2.4 - 0.01 * (at % 2), "champion_brier": 2.5} for at in range(24)]
    with cast.house._engine.begin() as connection:
        connection.execute(shadow_sums.insert(), rows)

    text = words(card(page(cast.house), cast.challenger))

    assert re.search(r"Ahead of the champion by 4\.2% in Brier score, n.240, 95% \+4\.\d to \+4\.\d", text)


def test_a_challenger_of_few_horizons_is_neither_ahead_nor_behind(cast):
    row = {"model": cast.challenger, "champion": cast.champion, "horizon": "1h", "interval": "5m", "n": 10.0}
    rows = [row | {"block": at, "brier": 2.4, "champion_brier": 2.5} for at in range(3)]
    with cast.house._engine.begin() as connection:
        connection.execute(shadow_sums.insert(), rows)

    text = words(card(page(cast.house), cast.challenger))

    assert re.search(r"Too few horizons to compare by yet, n.30\.", text)
    assert "of the champion by" not in text


def test_drift_is_drawn_and_named(cast):
    edges = edges_of(cast.spread, len(COLUMNS))
    moved = cast.rows.copy()
    moved[:, 2] += 1.0
    store = DriftStore(cast.house._engine, "5m")
    for day in range(DRIFT_DAYS):
        store.keep(day, {cast.champion: counts_of(moved, edges)})

    text = card(page(cast.house), cast.champion)

    assert f"1 of {len(COLUMNS)} features have moved" in words(text)
    assert text.count('class="bar-moved"') == 1
    assert COLUMNS[2] in words(text)


def test_a_day_of_drift_is_too_little_to_speak_of(cast):
    edges = edges_of(cast.spread, len(COLUMNS))
    DriftStore(cast.house._engine, "5m").keep(1, {cast.champion: counts_of(cast.rows + 9, edges)})

    assert "Too few to say" in card(page(cast.house), cast.champion)


def test_changes_tell_what_was_decided_and_on_which_figures(cast):
    cast.record(
        "dropped", cast.challenger, "scored worse than its champion", compared=Compared(480, 24, -0.1, -0.2, -0.01)
    )

    text = words(page(cast.house))

    assert f"{cast.challenger} dropped: scored worse than its champion" in text
    assert f"{cast.champion} promoted: newer, and not measurably worse" in text


def test_a_persons_choice_can_be_undone_with_one_click(cast):
    cast.roles = Roles(Holder(cast.challenger, T0, PERSON), Holder(cast.champion, T0), None)
    cast.record("promoted", cast.challenger, "chosen on this page", before=cast.champion, made_by=PERSON)
    client = cast.house.site.test_client()
    text = client.get("/models?horizon=1h").text
    form = re.search(r'<form method="post" action="(/models/promote)">((?:(?!</form>).)*?)Undo</button>', text)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[2]))

    answer = client.post(form[1], data=fields)

    assert answer.status_code == 303
    assert cast.house.stores.mailbox.waiting() == [{"order": "promote", "model": cast.champion}]


def test_what_the_engine_chose_is_not_offered_to_be_undone(cast):
    assert "Undo" not in page(cast.house)


@pytest.mark.parametrize(
    ("path", "fields", "letter", "told"),
    [
        ("retrain", {"horizon": "1h"}, {"order": "retrain", "horizon": "1h"}, "Retraining of 1 h was asked for"),
        ("cancel", {}, {"order": "cancel"}, "The end of the training was asked for"),
        ("promote", {"model": "x-1h"}, {"order": "promote", "model": "x-1h"}, "x-1h was asked to speak"),
        ("leaks", {}, {"order": "leaks"}, "The leak tests were asked for"),
    ],
)
def test_a_button_leaves_an_order_and_the_page_says_so_at_once(lively, path, fields, letter, told):
    client = lively.site.test_client()

    answer = client.post(f"/models/{path}", data={FIELD: token_of(client), "show": "1h", **fields})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/models?horizon=1h")
    assert lively.stores.mailbox.waiting() == [letter]
    assert told in words(client.get(answer.headers["Location"]).text).replace("\u00a0", " ")


def test_of_an_engine_that_does_not_run_nothing_is_asked(lively):
    client = lively.site.test_client()
    token = token_of(client)
    lively.now_s += 10

    answer = client.post("/models/cancel", data={FIELD: token})

    assert answer.status_code == 503
    assert "offline" in answer.text
    assert lively.stores.mailbox.waiting() == []


def test_a_training_shows_how_far_it_is_and_can_be_cancelled(lively):
    progress = {"step": "training 1h", "done": 2.0, "total": 5, "eta_s": 70.0, "horizons": ["1h", "4h"]}
    lively.beat(training=progress)

    text = page(lively)

    assert 'aria-label="40 percent done"' in text
    assert "step 3 of 5, about 1 min left" in words(text)
    assert 'action="/models/cancel"' in text
    assert re.search(r'<button class="btn btn-main" type="submit" disabled>Retrain', text)


@pytest.mark.parametrize("path", ["/", "/models", "/system", "/s/BTCUSDT"])
def test_a_failed_or_late_refresh_is_told_on_every_page(lively, path):
    lively.beat(models={"alarms": ["The last training of 1h failed: the disk is full."]})

    text = lively.get(path).text

    assert 'class="notice notice-fault"' in text
    assert "The last training of 1h failed" in text


def test_refused_files_are_listed_with_the_reason(cast):
    folder = cast.house.config.SAVED_MODELS_DIR
    (folder / "<b>evil.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    path = folder / f"{cast.before}.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    text = page(cast.house)

    assert "&lt;b&gt;evil.pkl" in text
    assert "is no model file; nothing here opens it" in text
    assert f"{cast.before}.npz does not match its checksum" in words(text)


def test_the_api_tells_the_same(cast):
    cards = {item["id"]: item for item in cast.house.items("/api/v1/models")}
    described = cast.house.get("/api/v1/openapi.json").json["components"]["schemas"]["Model"]["properties"]

    assert {name: cards[getattr(cast, name)]["role"] for name in ("champion", "challenger")} == {
        "champion": "champion",
        "challenger": "challenger",
    }
    assert cards[cast.before]["role"] == "predecessor"
    assert cards[cast.challenger]["compared"] == {
        "n": 0,
        "difference": None,
        "difference_low": None,
        "difference_high": None,
    }
    assert set(cards[cast.champion]) <= set(described)


def test_before_the_first_live_outcome_no_week_has_a_score(lively):
    assert "No live outcome yet" in page(lively)


def test_the_live_score_of_each_week_is_shown(lively):
    open_ms = T0 - 14 * 300_000
    lively.publish(*(lively.prediction(symbol, "1h", open_ms, up=0.6) for symbol in lively.symbols))
    lively.ledger.score(T0)
    lively.beat()

    assert re.search(r'<tr data-n="3"><td>2025-W47</td>.*too few', page(lively))


def test_the_leak_tests_tell_what_the_last_run_found(lively):
    result = {"test": "masked future", "horizon": "1h", "n": 840, "skill": 0.05, "low": 0.01, "high": 0.09}
    found = [result | {"verdict": "leak", "sentence": "Masked future, 1h: something leaks."}]
    path = lively.folder / f"{lively.venue}.leaks.json"
    path.write_text(json.dumps({"state": "done", "results": found}))
    lively.beat(models={"leaks_failure": "it ended with code 1"})

    text = page(lively)

    assert re.search(r'<li data-n="840" class="fault">.*?Masked future, 1h: something leaks\.', text)
    assert "ended with code 1" not in text  # it ended as it should: it found something


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"results": 3}', '{"results": [3]}', '{"results": [{}]}'])
def test_half_a_report_of_leak_tests_is_none(lively, content):
    (lively.folder / f"{lively.venue}.leaks.json").write_text(content)

    assert "Run the leak tests" in page(lively)


def test_what_became_of_the_models_is_a_table_of_the_api_too(cast):
    compared = Compared(n=240, spans=20, difference=0.042, low=0.01, high=0.07)
    cast.record("rolled back", cast.before, "asked for", before=cast.champion, made_by=PERSON, compared=compared)

    newest, older = cast.house.items("/api/v1/changes?horizon=1h")

    assert (newest["kind"], newest["model"], newest["made_by"]) == ("rolled back", cast.before, PERSON)
    assert (newest["n"], newest["difference"], newest["difference_high"]) == (240, 0.042, 0.07)
    assert (older["kind"], older["changed_at"]) == ("promoted", "2025-11-20T12:00:00.000Z")
    assert cast.house.items("/api/v1/changes?horizon=4h") == []
    assert "/api/v1/changes.csv" in page(cast.house)
