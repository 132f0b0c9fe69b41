import json

from utils.shell import Shell

ROWS = [{"step": "candle history", "cold_seconds": 12.345, "what_there_is": "50 symbols, 886,000 new candles"}]


def test_a_table_shows_every_cell_whole_in_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    Shell(is_json=False).table("Steps", ROWS)

    told = capsys.readouterr().out
    assert "12.3" in told
    assert "50 symbols, 886,000 new candles" in told
    assert "…" not in told


def test_a_program_reads_json_lines(capsys):
    shell = Shell(is_json=True)

    with shell.step("models") as update:
        update(1, 2)
    shell.table("Steps", ROWS)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["step", "table"]
    assert lines[1]["rows"] == ROWS
