"""The documentation tells what there is: every setting, every command, nothing else."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from config import CHECKOUT, NAMES, Config

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("**/*.md"))]
ROW = re.compile(r"^\| ([A-Z][A-Z_]+) \| ([^|]+) \|", re.MULTILINE)
CODE = re.compile(r"```(?:sh|shell|bash|console)?\n(.*?)```|`([^`\n]+)`", re.DOTALL)
MAKE = re.compile(r"\bmake ([a-z]+)")
SCRIPT = re.compile(r"\bpython (?!-)([\w./]+\.py)")
MODULE = re.compile(r"\bpython -m ([a-z_.]+)")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(?:#[^)]*)?\)")
INSTALLED = {"pytest"}


def documented_settings():
    return dict(ROW.findall((CHECKOUT / "docs" / "settings.md").read_text("utf-8")))


def as_documented(value):
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return str(value.relative_to(CHECKOUT))
    return f"{value:g}" if isinstance(value, float) else str(value)


def commands(page, pattern):
    text = " \n ".join(block or inline for block, inline in CODE.findall(page.read_text("utf-8")))
    return set(pattern.findall(text))


def test_every_setting_is_documented_with_its_default():
    settings = {entry.name: as_documented(entry.default) for entry in fields(Config) if entry.name in NAMES}

    assert documented_settings() == settings


def test_the_readme_is_short():
    assert len((CHECKOUT / "README.md").read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists(page):
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text("utf-8"), re.MULTILINE))
    modules = {name for name in commands(page, MODULE) if name.split(".")[0] not in INSTALLED}

    missing_modules = {
        name
        for name in modules
        if not (CHECKOUT / name.replace(".", "/") / "__main__.py").is_file()
        and not (CHECKOUT / f"{name.replace('.', '/')}.py").is_file()
    }

    assert commands(page, MAKE) <= targets
    assert {name for name in commands(page, SCRIPT) if not (CHECKOUT / name).is_file()} == set()
    assert missing_modules == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    targets = LINK.findall(page.read_text("utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_a_page_names_exists(page):
    named = set(re.findall(r"CANDELA_([A-Z][A-Z_]*[A-Z])", page.read_text("utf-8")))

    assert named <= set(NAMES)
