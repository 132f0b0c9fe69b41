"""Tell whoever watches a command how far it is: a bar on a terminal, lines in a log, JSON for a program."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Update = Callable[[float, float | None], None]  # done, total


class Shell:
    """One command's voice."""

    def __init__(self, is_json: bool) -> None:
        """Write JSON lines when asked to, and plain lines when nobody watches a terminal."""
        from rich.console import Console

        self._is_json = is_json
        self._console = Console(highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Iterator[Update]:
        """Show one step while it runs; the body calls what it is given with done and total."""
        if self._is_json or not self._console.is_terminal:
            self.say("step", f"{name} ...", name=name)
            yield lambda done, total: None
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(name, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    def say(self, event: str, text: str, **facts: Any) -> None:
        """Write one line."""
        if self._is_json:
            self._write({"event": event, "text": text, **facts})
        else:
            self._console.print(text)

    def table(self, title: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows of equal keys as one table; numbers with two decimals."""
        if self._is_json:
            self._write({"event": "table", "title": title, "rows": list(rows)})
            return
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        *_, last = rows[0]
        for name, value in rows[0].items():
            is_number = isinstance(value, float)
            heading = name.replace("_", "\n" if is_number else " ")  # narrow columns of numbers leave room for words
            # In a narrow window the last column takes more lines, so that no figure is cut.
            table.add_column(heading, justify="right" if is_number else "left", no_wrap=name != last)
        for row in rows:
            table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
        self._console.print(table)

    def _write(self, message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
