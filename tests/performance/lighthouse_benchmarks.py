"""What Lighthouse says of every page, as a slow phone sees it: four scores of 100, median of three runs."""

import atexit
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any
from unittest import SkipTest

from engine.source import free_port
from tests.house_process import HouseProcess

LIGHTHOUSE = "12.8.2"  # the newest that runs on Node 18 and 20
HOME = Path(sys.prefix) / "lighthouse"
RUNS, TRIES = 3, 3
INSTALL_SECONDS, TRAINING_SECONDS = 300, 900
SETTINGS = {"SYMBOLS": "top:50", "INTERVAL": "5m", "HORIZONS": "1h,4h", "HISTORY_DAYS": "4"}
BROWSER = "--headless=new --no-sandbox --disable-gpu --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'"
CATEGORIES = {"performance": "performance", "accessibility": "accessibility", "best-practices": "best practices"}
CATEGORIES |= {"seo": "SEO"}
PAGES = {
    "board": "/",
    "symbol": "/s/BTCUSDT",
    "record": "/record",
    "models": "/models",
    "system": "/system",
    "settings": "/settings",
    "docs": "/docs",
    "prediction": "/predictions/",
    "login": "/login",
}
# Search engines are not to list the doors of private boards: the page says noindex, and is not blamed for it.
ON_PURPOSE = {"login": ("is-crawlable",)}


def _benchmark(name: str, path: str) -> Callable[[], dict[str, Any]]:
    def page() -> dict[str, Any]:
        environ = {**os.environ, "CHROME_PATH": _browser()}
        command = [*_lighthouse(), *(f"--skip-audits={audit}" for audit in ON_PURPOSE.get(name, ()))]
        house = _locked_house() if name == "login" else _house()
        place = path + (_newest_prediction(house) if name == "prediction" else "")
        reports = [_report(command, environ, f"http://127.0.0.1:{house.port}{place}") for _ in range(RUNS)]
        scores = {key: statistics.median(_score(report, key) for report in reports) for key in CATEGORIES}
        told = ", ".join(f"{word} {scores[key]:.0f}{_faults(reports, key)}" for key, word in CATEGORIES.items())
        left_out = "".join(f", {audit} left out" for audit in ON_PURPOSE.get(name, ()))
        return {
            "anchor": told + left_out,
            "anchor_value": 100,
            "ours_value": min(scores.values()),
            "is_more_better": True,
            "unit": "of 100",
            "goal": ">= 100",
            "gate": "passed" if all(_is_loaded(report) for report in reports) else "failed",
        }

    page.__name__ = f"lighthouse_{name}"
    page.__doc__ = f"Four scores of {path}, phone, median of {RUNS}."
    return page


@cache
def _lighthouse() -> list[str]:
    """Return the command of the pinned Lighthouse, installed beside the Python packages the first time."""
    npm = shutil.which("npm")
    if npm is None:
        raise SkipTest("npm is not installed")
    package = HOME / "node_modules" / "lighthouse"
    if not package.is_dir() or json.loads((package / "package.json").read_text())["version"] != LIGHTHOUSE:
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        install = [npm, "install", "--prefix", str(HOME), *quiet, f"lighthouse@{LIGHTHOUSE}"]
        try:
            subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except subprocess.SubprocessError as error:
            raise SkipTest(f"npm cannot fetch lighthouse@{LIGHTHOUSE}") from error
    options = ["--quiet", "--output=json", "--output-path=stdout", "--no-enable-error-reporting"]
    return [str(HOME / "node_modules" / ".bin" / "lighthouse"), *options, f"--chrome-flags={BROWSER}"]


def _browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SkipTest("Chromium is not installed")
    return found


def _report(command: list[str], environ: dict[str, str], address: str) -> dict[str, Any]:
    """Return what Lighthouse found out; a run in which the browser has shown nothing is repeated."""
    for _ in range(TRIES):
        with tempfile.TemporaryFile("w+") as output:  # Node may leave before a pipe has taken all
            asked = [command[0], address, *command[1:]]
            done = subprocess.run(asked, env=environ, stdout=output, stderr=subprocess.PIPE, text=True)
            output.seek(0)
            told = output.read()
        report = json.loads(told) if told else {"runtimeError": {"message": done.stderr[-300:]}}
        if "runtimeError" not in report:
            return report
    raise RuntimeError(f"{address}: {report['runtimeError']['message']}")


def _score(report: dict[str, Any], category: str) -> float:
    return round(100 * report["categories"][category]["score"])


def _faults(reports: list[dict[str, Any]], category: str) -> str:
    """Return what has cost points in any run: the audits by name, those that cost most first."""
    lost: dict[str, float] = {}
    for report in reports:
        for part in report["categories"][category]["auditRefs"]:
            score = report["audits"][part["id"]]["score"]
            cost = part["weight"] * (1 - score) if score is not None else 0
            if round(100 * (score if score is not None else 1)) < 100:
                lost[part["id"]] = max(lost.get(part["id"], 0), cost)
    named = sorted((name for name, cost in lost.items() if cost), key=lambda name: -lost[name])
    return f" ({', '.join(named)})" if named else ""


def _is_loaded(report: dict[str, Any]) -> bool:
    is_found = report["audits"]["http-status-code"]["score"] == 1
    return is_found and report["finalDisplayedUrl"] == report["requestedUrl"]


@cache
def _house() -> HouseProcess:
    """Return a running house that predicts all its symbols; it ends with the program."""
    house = _started(**SETTINGS)
    house.wait_for("trained models", TRAINING_SECONDS, lambda: _is_trained(house))
    return house


@cache
def _locked_house() -> HouseProcess:
    house = _started(SYMBOLS="BTCUSDT", HISTORY_DAYS=1, PASSWORD="correct horse battery staple")
    house.wait_for("page", 60, lambda: house.get("/login"))
    return house


def _started(**settings: object) -> HouseProcess:
    ends = ExitStack()
    atexit.register(ends.close)
    folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
    return ends.enter_context(HouseProcess(folder, free_port(), **settings))


def _is_trained(house: HouseProcess) -> bool:
    items = house.get("/api/v1/predictions?limit=500")["items"]
    spoken = {row["horizon"] for row in items if row["probability_up"] is not None}
    return spoken == set(SETTINGS["HORIZONS"].split(","))


def _newest_prediction(house: HouseProcess) -> str:
    found = house.get("/api/v1/ledger?symbol=BTCUSDT&state=scored&limit=1")["items"]
    return str(found[0]["id"])


BENCHMARKS = tuple(_benchmark(name, path) for name, path in PAGES.items())
