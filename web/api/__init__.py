"""The API under /api/v1: one file a noun.

A file offers one blueprint and files it with `nouns.add("name")(ApiBlueprint(...))`; tables use `web.tables.table`,
which gives them JSON, CSV, tags and documentation at once.
"""

from collections.abc import Callable

from utils.registry import Registry
from web.described import ApiBlueprint

PREFIX = "/api/v1"


class Nouns(Registry[ApiBlueprint]):
    """The blueprints of this folder by name."""

    def add(self, name: str) -> Callable[[ApiBlueprint], ApiBlueprint]:
        """Return a decorator that files a blueprint under `name`."""

        def file(blueprint: ApiBlueprint) -> ApiBlueprint:
            self.file(name, blueprint)
            return blueprint

        return file


nouns = Nouns(__name__)
