import json
import subprocess
import sys

import pytest

from config import CHECKOUT

HEAVY = {"sklearn", "pandas", "scipy", "numba", "pyarrow", "binance", "features", "models", "joblib"}
ELSEWHERE = {"aiohttp", "engine", "numpy.random", "picows", "prometheus_client", "requests", "rich", "simulator"}
SCRIPT = """
import gc, json, sys
from pathlib import Path
from marshmallow import Schema
from config import Config
from web.site import create_site
from web.stores import Stores
folder = Path(sys.argv[1])
site = create_site(Stores(folder, folder), Config(INSTANCE_DIR=folder, SAVED_MODELS_DIR=folder))
assert site.test_client().get("/").status_code == 200
gc.collect()
schemas = sum(isinstance(one, Schema) for one in gc.get_objects())
print(json.dumps({"modules": sorted(sys.modules), "schemas": schemas}))
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """Return what a web process holds that has answered one page."""
    folder = tmp_path_factory.mktemp("process")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_web_never_loads_what_is_heavy(process):
    assert HEAVY & set(process["modules"]) == set()


def test_the_web_starts_without_what_few_questions_need(process):
    assert ELSEWHERE & set(process["modules"]) == set()


def test_the_description_of_the_api_holds_no_copies_of_its_schemas(process):
    assert process["schemas"] == 0
