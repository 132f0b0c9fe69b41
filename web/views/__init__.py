"""The pages: one file each.

A file offers one blueprint and files it: `page = pages.add("board", "Board", order=1)(Blueprint("board", __name__))`.
A page with a label stands in the navigation, with the icon of its own name from static/icons/sprite.svg; its first
address is the endpoint `<name>.index`. A page without a label names the page it belongs to: `within="board"`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint

from utils.registry import Registry


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its routes, and its place in the navigation if it has one."""

    name: str
    blueprint: Blueprint
    label: str | None
    order: int
    within: str | None


class Pages(Registry[Page]):
    """The pages of this folder by name."""

    def add(
        self, name: str, label: str | None = None, order: int = 0, within: str | None = None
    ) -> Callable[[Blueprint], Blueprint]:
        """Return a decorator that files a blueprint as the page `name`."""

        def file(blueprint: Blueprint) -> Blueprint:
            self.file(name, Page(name, blueprint, label, order, within))
            return blueprint

        return file

    def place(self, endpoint: str | None) -> str | None:
        """Return the name of the navigation's page an endpoint belongs to."""
        name = (endpoint or "").partition(".")[0]
        if name not in self:
            return None
        return self[name].within or name

    def navigation(self) -> list[Page]:
        """Return the pages that stand in the navigation, in its order."""
        return sorted((self[name] for name in self if self[name].label), key=lambda page: page.order)


pages = Pages(__name__)
