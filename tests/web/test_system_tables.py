"""What the system page tells beside the market: times, caches, settings, preparation, log; and the same as files."""

import base64
import html
import json
import logging
import re

import pytest

from config import load_config
from startup_optimizer import Step
from tests.web.test_csrf import token_of
from tests.web.test_system import PERFORMANCE, part, system
from utils.logs import LOGS_FOLDER, KeptLog
from web.csrf import FIELD
from web.site import create_site
from web.stores import Stores


def basic(password):
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


def test_the_web_server_tells_how_long_its_addresses_take(lively):
    for _ in range(3):
        lively.get("/s/BTCUSDT")
    lively.site.test_client().post("/system/empty")

    latency = part(system(lively), "latency")

    assert re.search(r"/s/<symbol> 1 [\d.]+ [\d.]+ [\d.]+ [\d.]+", latency)
    assert re.search(r"kept answers 2 ", latency)
    assert "POST /system/empty 1 " in latency


def test_memory_and_time_of_the_web_server_stand_against_their_budget(lively):
    uses = part(system(lively), "uses")

    assert re.search(r"Web server memory \d+ of 80 MB, over it", uses)  # this process holds the tests, too
    assert re.search(r"Web server time on one processor \d+ of 1 000 ms a second (?!, over it)", uses)
    assert re.search(r"Machine memory, above it caches empty [\d.]+ of [\d.]+ GB", uses)


@pytest.mark.parametrize("name", ["answers", "scores", "record"])
def test_a_cache_of_the_web_server_is_emptied_at_once_and_the_page_says_what_went(lively, name):
    client = lively.site.test_client()
    for path in ("/?horizon=1h", "/record"):
        client.get(path)
    before = {row["name"]: row for row in client.get("/api/v1/system/caches").json["items"]}[name]

    answer = client.post("/system/empty", data={FIELD: token_of(client, "/system"), "cache": name})

    told = client.get("/api/v1/system/caches?fields=name,emptied_entries,emptied_bytes").json["items"]
    after = {row["name"]: row for row in told}[name]
    assert (answer.status_code, answer.location) == (303, "/system#caches")
    assert before["entries"] > 0
    assert after["emptied_entries"] >= before["entries"]
    assert after["emptied_bytes"] >= before["bytes"] > 0
    assert re.search(
        rf"{name.capitalize()} web server .* 0 s ago: \d+ entr", part(client.get("/system").text, "caches")
    )


def test_a_cache_of_the_engine_is_asked_for_and_only_while_it_runs(lively):
    client = lively.site.test_client()
    lively.beat(performance=PERFORMANCE)
    form = {FIELD: token_of(client, "/system"), "cache": "models"}

    answer = client.post("/system/empty", data=form)

    assert answer.status_code == 303
    assert lively.stores.mailbox.waiting() == [{"order": "empty", "cache": "models"}]
    assert "asked for" in part(system(lively), "caches")
    assert "asked" not in part(lively.get("/models").text, "asked")
    lively.now_s += 60
    assert client.post("/system/empty", data=form).status_code == 503


def test_a_cache_nobody_has_is_refused_with_those_there_are(lively):
    client = lively.site.test_client()

    answer = client.post("/system/empty", data={FIELD: token_of(client, "/system"), "cache": "all"})

    assert answer.status_code == 400
    assert "answers, scores, record, data, models" in html.unescape(answer.text)


def test_settings_tell_where_they_were_given_and_no_secret(tmp_path):
    (tmp_path / "config.toml").write_text("FEE_BPS = 8\n", "utf-8")
    given = {"INSTANCE_DIR": tmp_path, "PASSWORD": "canary-secret", "ENABLE_DATA_CACHING": "off"}
    config = load_config({f"CANDELA_{name}": str(value) for name, value in given.items()})
    site = create_site(Stores(tmp_path, tmp_path / "models"), config)

    answer = site.test_client().get("/system", headers={"Authorization": basic("canary-secret")})

    effective = part(answer.text, "effective")
    assert "FEE_BPS config.toml 8 config.toml" in effective
    assert "PASSWORD environment set, not shown environment" in effective
    assert "ENABLE_DATA_CACHING environment false environment" in effective
    assert "SLIPPAGE_BPS 2" in effective
    assert "REDIS_URL none" in effective
    assert "canary-secret" not in answer.text


def test_the_last_preparation_is_told_and_before_the_first_one_how_to_do_it(lively):
    before = part(system(lively), "startup")
    steps = [Step("candle history", 21.4, 0.3, "5 symbols, 18,610 new candles").row]
    done = {"finished_at": "2025-11-20T08:02:27.962Z", "steps": steps}
    (lively.folder / "optimized.json").write_text(json.dumps(done))

    after = part(system(lively), "startup")

    assert "Never prepared" in before
    assert "20 Nov, 08:02" in after
    assert "Candle history 21.40 0.30 21.10 5 symbols, 18,610 new candles" in after


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"finished_at": 3, "steps": []}', '{"finished_at": "x", "steps": [1]}']
)
def test_a_damaged_report_is_as_none(lively, text):
    (lively.folder / "optimized.json").write_text(text)

    assert "Never prepared" in part(system(lively), "startup")


@pytest.fixture
def logger(lively):
    """Return a logger of the engine whose lines are kept in the instance."""
    kept = KeptLog(lively.folder / LOGS_FOLDER / "engine.log")
    logger = logging.Logger("engine.loop")
    logger.addHandler(kept)
    yield logger
    kept.close()


def test_the_log_is_shown_newest_first_and_by_level(lively, logger):
    empty = part(system(lively), "lines")
    logger.info("model serves horizon=%s", "1h")
    logger.warning("stream lost <b>")

    every, warnings = (part(lively.get(path).text, "lines") for path in ("/system", "/system?level=WARNING"))

    assert "No line yet." in empty
    assert every.index("stream lost <b>") < every.index("model serves horizon=1h")
    assert "model serves" not in warnings
    assert "stream lost" in warnings


def test_the_id_of_an_error_leads_to_its_line(lively, logger):
    refused = lively.get("/?horizon=9h")
    error_id = re.search(r'href="/system\?log=([0-9a-f]{8})#log"', refused.text)[1]
    logger.info("request refused id=%s status=400", error_id)
    logger.info("request refused id=ffffffff status=400")

    found = part(lively.get(f"/system?log={error_id}").text, "lines")

    assert error_id in found
    assert "ffffffff" not in found
    assert "No line has “nowhere” in it." in part(lively.get("/system?log=nowhere").text, "lines")


@pytest.mark.parametrize(("query", "field"), [("level=LOUD", "level"), (f"log={'x' * 101}", "log")])
def test_a_search_that_cannot_be_is_refused_with_what_it_takes(lively, query, field):
    answer = lively.get(f"/system?{query}")

    assert answer.status_code == 400
    assert f"{field}=" in html.unescape(answer.text).lower()


@pytest.mark.parametrize("name", ["latency", "caches", "jobs", "settings", "startup", "log"])
def test_every_table_of_the_page_is_a_file_too(lively, name):
    page = system(lively)

    for ending in (".csv", ".json"):
        assert f'href="/api/v1/system/{name}{ending}' in page or name == "startup"
        assert lively.get(f"/api/v1/system/{name}{ending}").status_code == 200


def test_the_log_of_the_api_is_that_of_the_page(lively, logger):
    logger.info("read")
    logger.error("broken id=0a1b2c3d")

    items = lively.items("/api/v1/system/log?level=ERROR&word=0a1b2c3d")

    assert [(one["level"], one["process"], one["message"]) for one in items] == [
        ("ERROR", "engine", "broken id=0a1b2c3d")
    ]
