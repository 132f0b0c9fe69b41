"""What can be checked of the way this project is written."""

import ast
import re
import subprocess

import pytest

from config import CHECKOUT

LONGEST_FILE = 300
# Written in pieces, so that this file does not find itself.
HOSTS = re.compile(r"pypi\.o" r"rg|pythonhosted\.o" r"rg|npmjs\.(?:o" r"rg|com)|yarnpkg\.c" r"om")
UNFINISHED = re.compile(r"TO" r"DO|FIX" r"ME|XX" r"X|raise NotImplemented" r"Error")


def tracked(*patterns):
    """Return the files that are, or would be, in the repository."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        pytest.skip("needs a git checkout")
    return [CHECKOUT / name for name in sorted(listing.stdout.split("\0")) if name and (CHECKOUT / name).is_file()]


def code():
    return [path for path in tracked("*.py") if "tests" not in path.relative_to(CHECKOUT).parts]


def texts():
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            yield path.relative_to(CHECKOUT), content.decode("utf-8")


def test_no_file_is_long():
    assert {path.name: n for path in code() if (n := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE} == {}


def test_every_module_opens_with_its_sentence():
    mute = [path.name for path in code() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]

    assert mute == []


def test_settings_are_read_in_one_place_only():
    readers = [path.name for path in code() if re.search(r"\bos\.(environ|getenv)\b", path.read_text("utf-8"))]

    assert readers == ["config.py"]


def test_nothing_names_a_package_registry():
    assert [str(path) for path, text in texts() if HOSTS.search(text)] == []


def test_nothing_names_a_path_of_this_machine():
    here = f"{CHECKOUT.parent}/"

    assert [str(path) for path, text in texts() if len(here) > 2 and here in text] == []


def test_nothing_is_left_unfinished():
    assert [path.name for path in code() if UNFINISHED.search(path.read_text("utf-8"))] == []
