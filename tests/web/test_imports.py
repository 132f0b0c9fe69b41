import json
import subprocess
import sys

from config import CHECKOUT

HEAVY = {"sklearn", "pandas", "scipy", "numba", "pyarrow", "binance", "features", "models", "joblib"}
SCRIPT = """
import json, sys, tempfile
from pathlib import Path
from config import Config
from web.site import create_site
from web.stores import Stores
folder = Path(sys.argv[1])
site = create_site(Stores(folder, folder), Config(INSTANCE_DIR=folder, SAVED_MODELS_DIR=folder))
assert site.test_client().get("/").status_code == 200
print(json.dumps(sorted(sys.modules)))
"""


def test_the_web_never_loads_what_is_heavy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )

    assert HEAVY & set(json.loads(done.stdout)) == set()
