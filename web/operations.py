"""Read from the API's own description what a page, or a shell, needs to offer it to people."""

import json
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from web.described import DescribedApi

TWINS = (".csv", ".json")  # the same table as a file
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: a part of the path, or else of the query or of the body."""

    name: str
    is_part: bool
    is_number: bool
    allowed: str
    choices: tuple[str, ...]
    default: str
    description: str

    @property
    def word(self) -> str:
        """Return its name in a shell."""
        return self.name.rstrip("_")


@dataclass(frozen=True, slots=True)
class Operation:
    """One question the API answers."""

    name: str
    method: str
    path: str
    summary: str
    arguments: tuple[Argument, ...]
    media_type: str
    twins: tuple[str, ...]  # endings of its path under which it is a file
    asked: dict[str, Any]
    answer: str
    command: str | None  # in a shell; None where there is none
    subject: str | None
    columns: tuple[str, ...]
    problems: tuple[int, ...]

    @property
    def shown_path(self) -> str:
        """Return the path as people read it: /candles/<symbol>."""
        return self.path.replace("{", "<").replace("_}", "}").replace("}", ">")

    def address(self, asked: dict[str, Any]) -> str:
        """Return path and query of these arguments."""
        parts = {one.name for one in self.arguments if one.is_part}
        query = urlencode({name: value for name, value in asked.items() if name not in parts}, safe=",:")
        path = self.path.format(**{name: asked[name] for name in parts})
        return f"{path}?{query}" if query else path

    def curl(self, root: str) -> str:
        """Return the example for a shell with curl."""
        if self.method == "POST":
            body = shlex.quote(json.dumps(self.asked))
            return f"curl -s -H 'Content-Type: {_JSON}' -d {body} '{root}{self.path}'"
        stream = "N" if self.media_type != _JSON else ""
        return f"curl -s{stream} '{root}{self.address(self.asked)}'"

    def shell(self) -> str | None:
        """Return the example for the command line client."""
        if self.command is None:
            return None
        first = [one.name for one in self.arguments if one.is_part] + ([self.subject] if self.subject else [])
        words = [str(self.asked[name]) for name in first if name in self.asked]
        words += [f"--{name} {value}" for name, value in self.asked.items() if name not in first]
        return " ".join(["python -m candela_cli", self.command, *words])


def operations(api: DescribedApi) -> list[Operation]:
    """Return every operation in the order of the paths; a table's files are part of its operation."""
    description = api.description()
    paths, schemas = description["paths"], description["components"]["schemas"]
    return [
        _operation(
            path,
            method,
            told,
            [*methods.get("parameters", []), *told.get("parameters", []), *_of_body(told, schemas)],
            [end for end in TWINS if path + end in paths],
        )
        for path, methods in sorted(paths.items())
        for method, told in methods.items()
        if method in ("get", "post") and not any(path.endswith(end) and path[: -len(end)] in paths for end in TWINS)
    ]


def _operation(
    path: str, method: str, told: dict[str, Any], parameters: list[dict[str, Any]], twins: list[str]
) -> Operation:
    shown, good = told["x-shown"], told["responses"]["200"]["content"]
    media_type = next(iter(good))
    answer = good[media_type].get("example")
    return Operation(
        name=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        arguments=tuple(_argument(one) for one in parameters),
        media_type=media_type,
        twins=tuple(twins),
        asked=shown["asked"],
        answer=answer if isinstance(answer, str) else json.dumps(answer, indent=2),
        command=(shown["command"] or told["operationId"].replace("_", "-")) if method == "get" else None,
        subject=shown["subject"],
        columns=tuple(shown["columns"]),
        problems=tuple(int(status) for status in told["responses"] if status.isdigit() and status != "200"),
    )


def _of_body(told: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of an operation's body in the form of parameters."""
    if "requestBody" not in told:
        return []
    name = told["requestBody"]["content"][_JSON]["schema"]["$ref"].rpartition("/")[2]
    return [
        {"name": key, "in": "body", "schema": form, "description": form.get("description", "")}
        for key, form in schemas[name]["properties"].items()
    ]


def _argument(one: dict[str, Any]) -> Argument:
    form, is_part = one["schema"], one["in"] == "path"
    allowed = form.get("x-allowed", "a name from one of the lists")
    return Argument(
        name=one["name"],
        is_part=is_part,
        is_number="integer" in form["type"],
        allowed=allowed if isinstance(allowed, str) else ", ".join(allowed),
        choices=tuple(value for value in form.get("enum", []) if value is not None),
        default="" if form.get("default") is None else str(form["default"]),
        description=one.get("description", "part of the path" if is_part else ""),
    )
