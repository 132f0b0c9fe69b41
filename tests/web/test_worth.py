"""A fee of the reader's own changes what pages say a prediction is worth, and nothing that was predicted or scored."""

import re

import pytest

from web.csrf import FIELD

LOW, HIGH = "7.5", "30"  # the instance's is 10, with slippage 24 bps a round trip: these make 19 and 64


def words(markup):
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def row(page, name):
    return re.search(rf'<tr id="{name}".*?</tr>', page, re.DOTALL)[0]


@pytest.fixture
def see(lively):
    """Return a function that reads a page as somebody with this fee; without one as anybody."""

    def page(path, fee=None):
        client = lively.site.test_client()
        if fee is not None:
            client.set_cookie("candela-8000-fee", fee)
        return client.get(path).text

    return page


def test_the_board_shows_the_edge_after_the_readers_costs_and_says_so(see):
    usual, own = see("/?horizon=1h"), see("/?horizon=1h", LOW)

    assert "+60.0" in words(row(usual, "r-EDGEUSDT"))
    assert "+65.0" in words(row(own, "r-EDGEUSDT"))
    assert "Your edge" not in words(usual)
    assert "Your edge" in words(own)
    assert "your costs of 19 bps" in words(own)
    assert "Costs 24 bps a round trip; yours 19" in words(own)


def test_a_call_that_the_readers_costs_eat_up_is_grey_and_no_signal(see):
    page = see("/?horizon=1h", HIGH)

    down = row(see("/?horizon=1h", "50"), "r-DOGEUSDT")
    assert 'class="is-down"' in row(page, "r-DOGEUSDT")  # 76 bps expected, 64 of costs
    assert 'class="is-abstain"' in down
    assert "\u221228.0 down , below your costs" in words(down)
    assert 'data-verdict="down"' in down
    assert "Signals 2" in words(page)
    assert "Signals 0" in words(see("/?horizon=1h", "50"))


def test_an_abstention_never_becomes_a_call(see):
    line = row(see("/?horizon=1h", "0"), "r-BTCUSDT")

    assert "+4.0 abstain , cost" in words(line)
    assert 'class="is-abstain"' in line


def test_the_sum_on_the_page_of_a_symbol_is_of_the_readers_fee_and_adds_up(see):
    page = see("/s/EDGEUSDT?horizon=1h", HIGH)

    total = re.search(r'<dl class="sum">(.*?)</dl>', page, re.DOTALL)[1]
    figures = [float(text.replace("\u2212", "-")) for text in re.findall(r"<dd[^>]*>([+\u2212][\d.]+)", total)]
    assert figures == [84.0, -60.0, -4.0, 20.0]
    assert "Fee, 2 × 30" in words(total)
    assert "Edge after your costs" in words(total)
    assert "The verdict was made, and is scored, at costs of 24 bps: edge +60.0 bps." in words(page)
    assert "+20.0" in words(row(page, "h-1h"))


@pytest.mark.parametrize(
    ("symbol", "fee", "sentence"),
    [("EDGEUSDT", "50", "At yours nothing is left of it."), ("BTCUSDT", "0", "It stays an abstention.")],
)
def test_the_page_of_a_symbol_says_what_another_fee_does_not_change(see, symbol, fee, sentence):
    assert sentence in words(see(f"/s/{symbol}?horizon=1h", fee))


def test_rows_are_sorted_by_the_edge_that_is_shown(lively, see):
    lively.publish(lively.prediction("DOGEUSDT", "4h", up=0.71, cost_bps=70.0, edge_bps=14.0))
    lively.publish(lively.prediction("EDGEUSDT", "4h", up=0.65))

    order = r'<tr id="r-(\w+)"'
    assert re.findall(order, see("/?horizon=4h"))[:2] == ["EDGEUSDT", "DOGEUSDT"]
    assert re.findall(order, see("/?horizon=4h", LOW))[:2] == ["DOGEUSDT", "EDGEUSDT"]


@pytest.mark.parametrize("path", ["/api/v1/predictions", "/api/v1/predictions.csv", "/api/v1/summary?horizon=1h"])
def test_the_api_knows_no_fee_but_the_instances(lively, see, path):
    assert see(path, HIGH) == see(path)


@pytest.mark.parametrize("fee", ["-1", "1e3", "101", "nan", "7,5", "٣", "ten", "1" * 300])
def test_a_fee_that_is_none_is_passed_over(see, fee):
    assert "yours" not in words(see("/?horizon=1h", fee))


def test_the_form_keeps_a_fee_refuses_what_is_none_and_forgets_the_instances_own(lively):
    client = lively.site.test_client()

    def choose(fee):
        token = re.search(rf'name="{FIELD}" value="([0-9a-f]+)"', client.get("/settings").text)[1]
        return client.post("/settings", data={FIELD: token, "fee": fee})

    assert choose("7,5").status_code == 303
    assert client.get_cookie("candela-8000-fee").value == "7.5"
    assert 'value="7.5"' in client.get("/settings").text
    refused = choose("200")
    assert refused.status_code == 400
    assert "0 to 100" in refused.text
    choose("10.0")
    assert client.get_cookie("candela-8000-fee") is None
