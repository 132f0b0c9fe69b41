"""Compiled templates are kept between starts, and nothing that happens to the folder stops a page."""

import pytest
from jinja2 import DictLoader, Environment

from web.kept_templates import KeptTemplates

PAGES = {"page.html": "{% for n in range(3) %}{{ n }},{% endfor %}"}
RENDERED = "0,1,2,"


class Reader(Environment):
    """An environment that has no compiler."""

    def compile(self, *_, **__):
        """Refuse."""
        raise AssertionError("compiled again")


def rendered(folder, kind=Environment, pages=PAGES):
    environment = kind(loader=DictLoader(pages), bytecode_cache=KeptTemplates(folder))
    return environment.get_template("page.html").render()


@pytest.fixture
def folder(tmp_path):
    """Return a folder in which the page is kept."""
    assert rendered(tmp_path / "kept") == RENDERED
    return tmp_path / "kept"


def test_a_second_start_does_not_compile(folder):
    assert rendered(folder, Reader) == RENDERED


def test_a_changed_template_is_compiled_anew(folder):
    assert rendered(folder, pages={"page.html": "other"}) == "other"
    assert rendered(folder, Reader, {"page.html": "other"}) == "other"


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
def test_a_damaged_one_is_compiled_anew_and_mended(folder, share):
    (path,) = folder.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    assert rendered(folder) == RENDERED
    assert rendered(folder, Reader) == RENDERED


def test_garbage_behind_the_head_is_compiled_anew(folder):
    (path,) = folder.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:20] + b"\xff" * 200)

    assert rendered(folder) == RENDERED


def test_a_folder_that_takes_nothing_in_stops_no_page(tmp_path):
    (tmp_path / "kept").write_text("a file where the folder should be")

    assert rendered(tmp_path / "kept") == RENDERED
