import html
import re

import pytest

PERFORMANCE = {
    "processor_share": 0.031,
    "functions": {
        "publish": {"count": 1_204, "p50_ms": 3.1, "p95_ms": 8.0, "p99_ms": 15.5, "max_ms": 30.0},
        "predict": {"count": 1_204, "p50_ms": 0.4, "p95_ms": 0.8, "p99_ms": 1.5, "max_ms": 3.0},
    },
    "caches": {"models": {"hits": 3, "misses": 1, "size": 2, "max_size": 100, "evictions": 0, "size_bytes": 1_234_567}},
}


def part(page, name):
    """Return the words of the part of the page with this id, every space a plain one."""
    tag = re.search(rf'<(\w+)[^>]* id="{name}"', page)
    markup = page[tag.start() : page.index(f"</{tag[1]}>", tag.start())]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup.replace("<wbr>", ""))).split())


def system(house):
    return house.get("/system").text


def test_it_stands_in_the_navigation_beside_the_board(lively):
    page = system(lively)

    assert re.search(r'<a href="/system" aria-current="page">System</a>', page)
    assert 'id="source" data-live href="/system"' in page


def test_a_healthy_house_is_called_so(lively):
    page = system(lively)

    assert part(page, "verdict").startswith("Healthy. 3 of 3 symbols are live; no gap since the start 1 min ago")
    assert "Feed live, last message 0 s ago" in part(page, "health")
    assert "Engine alive, pid" in part(page, "health")
    assert 'id="troubled"' not in page


def test_the_feed_tells_its_figures(lively):
    lively.beat(
        feed={
            "lag_s": 0.04,
            "conflated": 1_204,
            "renewals": 1,
            "gaps_found": 4,
            "gaps_repaired": 3,
            "rejected_rows": 7,
        },
        ahead_ms=-12,
    )

    feed = part(system(lively), "feed")

    for figure in (
        "Behind the exchange 0.04 s",
        "States replaced unread 1 204",
        "Reconnects, renewals 2, 1",
        "Gaps found, repaired 4, 3",
        "Rows refused 7",
        "clock 12:00:00, 60×",
        "12 ms behind",
    ):
        assert figure in feed


def test_a_gap_shows_its_repair_and_what_it_touched(lively):
    lively.add_gap("EDGEUSDT", candles=2)
    lively.add_gap("BTCUSDT", is_repaired=False)

    page = part(system(lively), "gaps")

    assert "EDGEUSDT 20 Nov, 11:50 11:50 to 12:00 2 20 Nov, 11:59 from REST in 0.03 s 3 1" in page
    assert "not there , the exchange has none" in page


def test_a_symbol_that_is_not_live_is_listed_with_its_reason(lively):
    lively.states["BTCUSDT"], lively.reasons["BTCUSDT"] = "gapped", "candles are missing and asked for"
    lively.beat(feed={"gaps_found": 1})

    page = system(lively)

    assert "BTCUSDT gapped candles are missing and asked for" in part(page, "troubled")
    assert "3 of 3" not in part(page, "verdict")
    assert part(page, "verdict").startswith("Healthy, with two remarks.")
    assert "1 of 3 symbols not live" in part(page, "health")
    assert "1 of 1 gaps not repaired" in part(page, "health")


def test_a_long_list_of_troubled_symbols_is_cut(house):
    house.symbols = tuple(f"COIN{number:02}USDT" for number in range(25))
    house.states = dict.fromkeys(house.symbols, "stale")
    house.beat()

    page = system(house)

    assert part(page, "troubled").count(" stale ") == 20
    assert "5 more" in part(page, "troubled")
    assert part(page, "ages").count("USDT") == 25


def test_refused_rows_are_told_by_reason(lively):
    lively.beat(feed={"rejected_rows": 5, "rejected_by_reason": {"price out of range": 3, "unknown event": 2}})

    assert "price out of range 3 unknown event 2" in part(system(lively), "refused")


def test_what_is_limited_shows_how_much_of_it_is_used(lively):
    lively.beat(feed={"weight_limit_1m": 6_000}, performance=PERFORMANCE)

    uses = part(system(lively), "uses")

    assert "Engine memory 123 of 300 MB" in uses
    assert "Engine time on one processor 31 of 1 000 ms a second" in uses
    assert "Request weight, 1 min 40 of 6 000" in uses
    assert "Disk" in uses


def test_the_engine_tells_its_timings_and_caches(lively):
    lively.beat(performance=PERFORMANCE)

    page = system(lively)

    assert "0 to 20 ms publish 1 204 3.10 8.00 15.50 predict" in part(page, "timings")
    assert "Models engine 75.0% n 4 1 2 of 100 1.2 MB 0" in part(page, "caches")


def test_a_training_shows_how_far_it_is(lively):
    lively.beat(training={"step": "training 4h", "done": 3, "total": 12, "eta_s": 40})

    page = system(lively)

    assert "Doing training 4h" in part(page, "doing")
    assert "Training 3 of 12 steps, 40 s left Leak tests idle" in part(page, "jobs")
    assert '<rect class="f" width="100.0"' in page


@pytest.mark.parametrize("path", ["/", "/s/BTCUSDT", "/system"])
def test_a_feed_that_cannot_keep_up_says_so_on_every_page(lively, path):
    lively.beat(feed={"lag_s": 3.21})

    assert "The feed is behind by 3.2 s. Newest states only" in part(lively.get(path).text, "notice")


def test_a_lag_that_no_reader_would_see_is_not_told(lively):
    lively.beat(feed={"lag_s": 0.9})

    assert "behind" not in part(lively.get("/").text, "notice")


def test_before_the_first_start_it_is_whole_and_says_so(house):
    page = system(house)

    assert part(page, "verdict").startswith("No engine yet.")
    assert part(page, "doing").startswith("Engine not running")


def test_of_a_dead_engine_it_shows_the_last_state_with_its_age(lively):
    lively.beat(performance=PERFORMANCE)
    lively.now_s += 125

    page = system(lively)

    assert part(page, "verdict").startswith("The engine does not run. What follows is the last it said.")
    assert "Engine offline, last sign of life 2 min ago" in part(page, "health")
    assert "3 of 3 symbols not live" in part(page, "health")
    assert "EDGEUSDT stale the engine does not run" in part(page, "troubled")
    assert "publish" in part(page, "timings")


def test_of_a_silent_feed_it_says_since_when(lively):
    lively.beat(feed={"state": "stale", "last_message_mono_s": lively.now_s - 42})

    page = system(lively)

    assert part(page, "verdict").startswith("No live feed.")
    assert "Feed stale, last message 42 s ago" in part(page, "health")


def test_the_strip_of_the_board_leads_to_what_is_wrong(lively):
    lively.states["BTCUSDT"] = "gapped"
    lively.beat()

    strip = re.search(r'id="c-data".*?</dd>', lively.get("/?horizon=1h").text, re.DOTALL)[0]

    assert '<a href="/system">1 gapped</a>' in strip


def test_a_job_that_failed_says_why_and_stands_among_the_alarms(lively):
    lively.beat(market="binance", sealing={"failure": "the sealer ended with code 1"})

    page = system(lively)

    assert "Sealing of old months failed the sealer ended with code 1" in part(page, "jobs")
    assert "Old months were not sealed: the sealer ended with code 1." in part(page, "health")
    assert "Old months were not sealed" in part(lively.get("/?horizon=1h").text, "alarms")


def test_a_drift_is_an_open_alarm_but_no_notice_on_every_page(lively):
    drift = "3 of 50 features of the model of 4h have moved from its training."
    lively.beat(models={"drifts": [drift]})

    board = lively.get("/?horizon=1h").text

    assert drift in part(board, "alarms")
    assert "moved" not in part(board, "notice")
    assert drift in part(system(lively), "health")
