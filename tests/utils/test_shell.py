import json

from utils.shell import Shell

SECONDS = {"cold_seconds": 12.345, "warm_seconds": 0.3, "saves_seconds": 12.05}
FOUND = "1 of 3 horizons: 1h; the engine trains the others"
ROWS = [{"step": "candle history", **SECONDS, "what_there_is": FOUND}]


def test_a_table_shows_every_cell_whole_in_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    Shell(is_json=False).table("Steps", ROWS)

    told = capsys.readouterr().out
    assert {*FOUND.split(), "12.35", "0.30", "12.05", "candle", "history"} <= set(told.split())
    assert "…" not in told


def test_a_program_reads_json_lines(capsys):
    shell = Shell(is_json=True)

    with shell.step("models") as update:
        update(1, 2)
    shell.table("Steps", ROWS)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["step", "table"]
    assert lines[1]["rows"] == ROWS
