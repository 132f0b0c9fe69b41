"""Settings: read strictly, refused all at once."""

import re
import subprocess
import sys

import pytest

from config import CHECKOUT, NAMES, Config, child_environment, load_config
from market.errors import ConfigError

UNSUPPORTED = {"DATABASE_URL", "REDIS_URL", "DASK_ADDRESS"}
PARSED_AS = {
    "HORIZONS": ["horizons", "horizon_ms"],
    "SYMBOLS": ["symbols"],
    "ALLOWED_HOSTS": ["allowed_hosts"],
    "FEE_BPS": ["cost_bps"],
    "SLIPPAGE_BPS": ["cost_bps"],
}


def load(tmp_path, **settings):
    return load_config({"CANDELA_INSTANCE_DIR": str(tmp_path), **{f"CANDELA_{k}": v for k, v in settings.items()}})


def refusal(tmp_path, **settings):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, **settings)
    return str(caught.value)


def test_nothing_given_means_the_defaults():
    assert load_config({}) == Config()


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    (tmp_path / "config.toml").write_text('PORT = 8100\nINTERVAL = "15m"\nHORIZONS = ["1h", "2h"]\n', "utf-8")

    config = load(tmp_path, PORT="8200")

    assert (config.PORT, config.INTERVAL, config.horizons, config.MARKET) == (8200, "15m", ["1h", "2h"], "auto")


def test_all_faults_are_told_at_once(tmp_path):
    message = refusal(tmp_path, PORT="none", INTERVAL="7m", FEE_BPS="-1", MARKET="kraken")

    assert message.startswith("4 settings are wrong:")
    for part in ("CANDELA_PORT: 'none'", "CANDELA_INTERVAL: '7m'", "CANDELA_FEE_BPS: '-1'", "CANDELA_MARKET: 'kraken'"):
        assert part in message
    assert "a whole number from 1 to 65535" in message
    assert "auto, binance, simulated" in message


def test_an_unknown_name_is_refused_with_the_nearest_known_one(tmp_path):
    message = refusal(tmp_path, PASWORD="s3cret")

    assert "CANDELA_PASWORD is no setting of Candela; did you mean CANDELA_PASSWORD?" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("PORT", ["0", "65536", "80.5", "٨٠", "8_000", " 80", "", "0x50", "9" * 30]),
        ("HISTORY_DAYS", ["0", "1001"]),
        ("FEE_BPS", ["nan", "inf", "1e999", "-0.1", "1_0", "ten", ""]),
        ("SIMULATOR_SPEED", ["0.5", "3601"]),
        ("SIMULATOR_SEED", ["-1", "1.5"]),
        ("CACHE_TTL_SECONDS", ["0", "-5"]),
        ("MAX_CACHE_SIZE", ["0"]),
        ("MAX_WORKERS", ["0", "65"]),
        ("BATCH_SIZE", ["0", "4097"]),
        ("MAX_MEMORY_USAGE_PERCENT", ["0", "101"]),
        ("ENABLE_DATA_CACHING", ["2", "maybe", ""]),
        ("LOG_LEVEL", ["LOUD", ""]),
        ("HOST", ["", "a b", "-x", "127.0.0.1:80"]),
        ("BINANCE_REST_URL", ["ftp://h", "http://", "api.example", "http://h:99999", "http://u:p@h", "http://h/?a=1"]),
        ("BINANCE_STREAM_URL", ["http://127.0.0.1:1", "ws:///x"]),
        ("SYMBOLS", ["", "top:0", "top:1001", "BTCUSDT,", "btcusdt", "BTC/USDT", "BTCUSDT,BTCUSDT", "A" * 21]),
        ("HORIZONS", ["", "0h", "1h,", "1h,60m", "366d", "1y", "-1h", "1h,1h", "7m"]),
        ("INSTANCE_DIR", [""]),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(tmp_path, name, texts):
    for text in texts:
        assert name in refusal(tmp_path, **{name: text}), text


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PORT", "65535", 65_535),
        ("FEE_BPS", "7.5", 7.5),
        ("SIMULATOR_SPEED", "1.5", 1.5),
        ("ENABLE_DATA_CACHING", "False", False),
        ("ENABLE_DATA_CACHING", "on", True),
        ("BINANCE_REST_URL", "http://127.0.0.1:18080/", "http://127.0.0.1:18080"),
        ("HOST", "::1", "::1"),
        ("HOST", "localhost", "localhost"),
    ],
)
def test_a_value_that_is_allowed_is_read(tmp_path, name, text, value):
    assert getattr(load(tmp_path, **{name: text}), name) == value


def test_symbols_are_a_list_or_the_busiest(tmp_path):
    named = load(tmp_path, SYMBOLS="BTCUSDT, ETHUSDT")
    busiest = load(tmp_path, SYMBOLS="top:7")

    assert (named.symbols, named.top) == (["BTCUSDT", "ETHUSDT"], None)
    assert (busiest.symbols, busiest.top) == ([], 7)


def test_horizons_keep_their_spelling_and_know_their_length(tmp_path):
    config = load(tmp_path, INTERVAL="1m", HORIZONS="90m,1d")

    assert config.interval_ms == 60_000
    assert config.horizon_ms == {"90m": 5_400_000, "1d": 86_400_000}


def test_a_horizon_must_be_a_multiple_of_the_interval(tmp_path):
    assert "each must be a multiple of INTERVAL 4h, and 1h is not" in refusal(tmp_path, INTERVAL="4h")


def test_the_cost_is_paid_on_both_sides(tmp_path):
    assert load(tmp_path, FEE_BPS="7.5", SLIPPAGE_BPS="1").cost_bps == 17.0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "board.example"])
def test_a_host_others_can_reach_needs_a_password(tmp_path, host):
    assert "set PASSWORD" in refusal(tmp_path, HOST=host)
    assert "set PASSWORD" in refusal(tmp_path, HOST=host, PASSWORD="")
    assert host == load(tmp_path, HOST=host, PASSWORD="long enough").HOST


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_scale_out_is_refused_without_showing_its_credentials(tmp_path, name):
    message = refusal(tmp_path, **{name: "redis://user:s3cret@db"})

    assert name in message
    assert "leave it unset" in message
    assert "s3cret" not in message


def test_secrets_are_not_in_the_text_form(tmp_path):
    assert "s3cret" not in repr(load(tmp_path, PASSWORD="s3cret"))


def test_a_replay_folder_must_hold_candle_files(tmp_path):
    replay = tmp_path / "replay"
    replay.mkdir()
    assert "kline CSV files" in refusal(tmp_path, SIMULATOR_REPLAY=str(replay))

    (replay / "BTCUSDT-1m-20250601-20250615.csv.gz").write_bytes(b"")

    assert replay == load(tmp_path, SIMULATOR_REPLAY=str(replay)).SIMULATOR_REPLAY


def test_relative_folders_count_from_where_they_are_given(tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "config.toml").write_text('SAVED_MODELS_DIR = "artefacts"\n', "utf-8")
    monkeypatch.chdir(tmp_path)

    config = load_config({"CANDELA_INSTANCE_DIR": "state"})

    assert tmp_path / "state" == config.INSTANCE_DIR
    assert tmp_path / "state" / "artefacts" == config.SAVED_MODELS_DIR
    assert load_config({}).INSTANCE_DIR == CHECKOUT / "instance"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("PORT = [", "cannot be read"),
        ("PORT = true", "'true' is refused"),
        ("PROT = 1", "did you mean PORT?"),
        ("[PORT]\na = 1", "PORT in"),
        ('INSTANCE_DIR = "x"', "has no effect"),
        ("\ud800", "cannot be read"),
    ],
)
def test_faults_of_the_file_name_the_file(tmp_path, text, part):
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    message = refusal(tmp_path)

    assert part in message
    assert str(path) in message


def test_a_wrong_setting_ends_a_program_with_one_readable_error(tmp_path):
    code = "import config; config.config_or_exit()"
    environ = child_environment({"CANDELA_PORT": "x", "CANDELA_INSTANCE_DIR": str(tmp_path)})

    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environ, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr.startswith("1 setting is wrong:\n  CANDELA_PORT: 'x' is refused")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UNSUPPORTED])
def test_every_setting_has_a_reader(name):
    reading = re.compile(rf"\.({'|'.join(PARSED_AS.get(name, [name]))})\b")
    rooms = [path for room in ("web", "engine") for path in (CHECKOUT / room).glob("**/*.py")]

    readers = [path for path in (*CHECKOUT.glob("*.py"), *rooms) if path.name != "config.py"]

    assert any(reading.search(path.read_text("utf-8")) for path in readers)


def test_of_what_is_no_default_it_is_known_where_it_was_given(tmp_path):
    (tmp_path / "config.toml").write_text("PORT = 8100\nFEE_BPS = 5\n", "utf-8")

    config = load(tmp_path, PORT="8200")

    assert config.origins == {"INSTANCE_DIR": "environment", "PORT": "environment", "FEE_BPS": "config.toml"}
