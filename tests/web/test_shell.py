"""The frame of every page: what its foot says of the market."""

import re

import pytest

from config import Config
from web.site import create_site


@pytest.mark.parametrize(
    ("asked", "market", "sentence"),
    [
        ("auto", "simulated", "Simulated market: Binance did not answer and is asked again. Nothing here"),
        ("simulated", "simulated", "Simulated market. Nothing here"),
        ("auto", "binance", "Nothing here"),
    ],
)
def test_the_foot_says_which_market_it_is_and_why(lively, asked, market, sentence):
    settings = Config(INSTANCE_DIR=lively.folder, SAVED_MODELS_DIR=lively.folder / "models", MARKET=asked)
    lively.beat(market=market)

    page = create_site(lively.stores, settings).test_client().get("/record").text

    foot = re.search(r'<div class="foot">.*?</div>', page, re.DOTALL)[0]
    assert re.sub(r"<[^>]+>", " ", foot).strip().startswith(sentence)
