"""Plug-ins that file themselves: one folder, one decorator, no list to edit."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and what was filed under them, in the order of their names.

    The files of `package` are imported on the first look, never before.
    """

    def __init__(self, package: str, suffix: str = "") -> None:
        """Look for plug-ins in `package`, in files whose name ends in `suffix`."""
        self._package = package
        self._suffix = suffix
        self._items: dict[str, T] = {}
        self._is_loaded = False

    def file(self, name: str, item: T) -> None:
        """Keep `item` under `name`; a second one of the same name is a programming error."""
        if name in self._items:
            raise KeyError(f"{self._package} already has {name!r}")
        self._items[name] = item

    def __getitem__(self, name: str) -> T:
        """Return what was filed under `name`; the error lists what there is."""
        self._load()
        if name not in self._items:
            raise KeyError(f"{self._package} has no {name!r}; it has {', '.join(self)}")
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names, sorted."""
        self._load()
        return iter(sorted(self._items))

    def __len__(self) -> int:
        """Return how many plug-ins there are."""
        self._load()
        return len(self._items)

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True
        folder = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(folder.__path__):
            if module.name.endswith(self._suffix) and not module.name.startswith("_"):
                importlib.import_module(f"{self._package}.{module.name}")
