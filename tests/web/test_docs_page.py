"""One table drives the routes, the description, the page about it and the command line client."""

import io
import json
import re

import pytest

import candela_cli
from web.api import PREFIX
from web.operations import TWINS, operations

NOT_IN_A_SHELL = {"batch"}  # its body is a list of paths


@pytest.fixture
def known(lively):
    return {one.name: one for one in operations(lively.site.extensions["api"])}


@pytest.fixture
def ask(served, capsys):
    """Return a function that runs the client against the served instance: exit code, output, regrets."""

    def run(*words):
        try:
            code = candela_cli.main([*words, *(["--url", served.url] if words else [])])
        except SystemExit as left:
            code = left.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def routes(site):
    """Return the paths of the API's routes, as the description writes them."""
    rules = [rule for rule in site.url_map.iter_rules() if rule.rule.startswith(f"{PREFIX}/")]
    return {re.sub(r"<(\w+)>", r"{\1}", rule.rule) for rule in rules} - {f"{PREFIX}/openapi.json"}


def test_routes_description_page_and_client_agree(lively, known):
    described = set(lively.get(f"{PREFIX}/openapi.json").json["paths"])
    page = lively.get("/docs").text
    commands = {one.command for one in candela_cli._operations() if one.command}

    assert described == routes(lively.site)
    assert described == {one.path + end for one in known.values() for end in ("", *one.twins)}
    assert set(re.findall(r'<section class="card docs-one" id="(\w+)"', page)) == set(known)
    assert commands == {one.command for one in known.values() if one.command}
    assert {one.name for one in known.values() if one.command is None} == NOT_IN_A_SHELL


def test_the_page_tells_every_argument_and_an_example(lively, known):
    page = lively.get("/docs").text

    for one in known.values():
        card = page.split(f'docs-one" id="{one.name}"')[1].split("</section>")[0]
        assert all(f'class="mono">{argument.word}</th>' in card for argument in one.arguments)
        assert "curl -s" in card
        assert ("python -m candela_cli" in card) == (one.command is not None)


@pytest.mark.parametrize(
    ("name", "path"),
    [("symbols", "symbols"), ("predictions", "predictions"), ("ledger", "ledger"), ("candles", "candles/BTCUSDT")],
)
def test_the_examples_have_the_keys_of_real_answers(lively, known, name, path):
    example = json.loads(known[name].answer)["items"][0]

    assert set(example) == set(lively.items(f"{PREFIX}/{path}?limit=1" if name != "symbols" else f"{PREFIX}/{path}")[0])


def test_the_description_is_whole(lively):
    description = lively.get(f"{PREFIX}/openapi.json").json
    text = json.dumps(description)
    names = [
        told["operationId"]
        for methods in description["paths"].values()
        for key, told in methods.items()
        if key in ("get", "post")
    ]

    assert len(names) == len(set(names))
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found = description
        for part in reference.split("/"):
            found = found[part]
    for path, methods in description["paths"].items():
        parts = {one["name"] for one in methods.get("parameters", []) if one["in"] == "path" and one["required"]}
        assert parts == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize("end", TWINS)
def test_every_table_is_there_as_a_file(lively, known, end):
    tables = [one for one in known.values() if one.twins]

    for one in tables:
        parts = {"symbol": "BTCUSDT"} if "{symbol}" in one.path else {}
        answer = lively.get(one.path.format(**parts) + end)
        assert answer.status_code == 200
        assert f'{end}"' in answer.headers["Content-Disposition"]
    assert len(tables) >= 7


def test_the_client_prints_the_answer_as_it_came(ask, served):
    code, said, _ = ask("predict", "EDGEUSDT", "--json")

    assert code == 0
    assert json.loads(said) == served.house.get(f"{PREFIX}/predictions?symbol=EDGEUSDT").json


def test_the_client_prints_tables_for_people_and_csv_for_programs(ask):
    _, table, _ = ask("predict", "--horizon", "1h")
    _, lines, _ = ask("candles", "BTCUSDT", "--limit", "2", "--csv")

    assert all(word in table for word in ("EDGEUSDT", "0.710", "abstain", "probability_up"))
    assert lines.startswith("open_time,open,")
    assert len(lines.splitlines()) == 3


def test_a_table_has_the_fields_that_were_asked_for_in_that_order(ask, served):
    row = served.house.items(f"{PREFIX}/ledger?limit=1")[0]

    _, table, _ = ask("ledger", "--limit", "1", "--fields", "symbol,id,symbol")

    assert [line.split() for line in table.splitlines()] == [["symbol", "id"], [row["symbol"], row["id"]]]


def test_the_whole_ledger_comes_as_one_file(ask, served):
    _, lines, _ = ask("ledger-csv", "--symbol", "BTCUSDT")
    _, text, _ = ask("ledger-json", "--symbol", "BTCUSDT")

    rows = served.house.items(f"{PREFIX}/ledger?symbol=BTCUSDT")
    assert json.loads(text)["items"] == rows
    assert len(lines.splitlines()) == 1 + len(rows)


@pytest.mark.parametrize("command", ["status", "summary", "chain", "symbols", "models", "gaps", "skill", "ledger"])
def test_every_command_answers(ask, command):
    code, said, _ = ask(command)

    assert code == 0
    assert said


def test_a_row_is_asked_for_by_its_id(ask, served):
    id_ = served.house.items(f"{PREFIX}/predictions")[0]["id"]

    code, said, _ = ask("prediction", id_)

    assert code == 0
    assert "inputs.rsi" in said


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("predict", "NOPE"), 1, "is not followed here"),
        (("ledger", "--limit", "501"), 1, "1 to 500"),
        (("ledger", "--limit", "many"), 2, "invalid int value"),
        (("ledger", "--state", "lost"), 2, "invalid choice"),
        (("candles",), 2, "required"),
        (("fly",), 2, "invalid choice"),
        ((), 2, "required"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(ask, words, code, sentence):
    left, _, regrets = ask(*words)

    assert left == code
    assert sentence in regrets
    assert "Traceback" not in regrets


def test_a_candela_that_is_not_there_is_told_in_one_line(capsys, free_port):
    code = candela_cli.main(["status", "--url", f"http://127.0.0.1:{free_port}"])

    regrets = capsys.readouterr().err
    assert code == 1
    assert "make run" in regrets
    assert len(regrets.splitlines()) == 1


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:abc", "http://127.0.0.1:99999", "http://[x", "http://a..b", "ftp://127.0.0.1", "here"]
)
def test_an_address_that_is_none_is_told_in_one_line(capsys, address):
    code = candela_cli.main(["status", "--url", address])

    regrets = capsys.readouterr().err
    assert code == 2
    assert regrets.startswith(f"{address} cannot be asked")
    assert len(regrets.splitlines()) == 1


def test_the_password_goes_to_our_own_board_only(served, monkeypatch, capsys):
    import requests

    asked = []
    monkeypatch.setenv("CANDELA_PASSWORD", "a long one")
    monkeypatch.setattr(requests, "get", lambda url, **options: asked.append(options["auth"]) or _Refusal())

    candela_cli.main(["status"])
    candela_cli.main(["status", "--url", served.url])

    assert asked == [("candela", "a long one"), None]


class _Refusal:
    status_code, reason, url = 503, "Service Unavailable", "http://127.0.0.1/"

    def json(self):
        return json.load(io.StringIO('{"detail": "not now"}'))
