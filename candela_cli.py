"""Ask a running Candela from a shell: `python -m candela_cli predict BTCUSDT --json`.

The commands are those of the API's own description, so they are the same as on its page `/docs`.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from config import Config, config_or_exit
from market.errors import ConfigError

if TYPE_CHECKING:
    import requests

    from web.operations import Operation

FAILED = 1  # the exit code when there is no answer, or a refusal
WRONG_USAGE = 2  # argparse's own
STOPPED = 130
_TIMEOUT_SECONDS = 30
_MOST_COLUMNS = 8  # of a table whose operation names none
_DECIMALS = {
    **dict.fromkeys(("expected_return_bps", "edge_bps", "outcome_return_bps", "net_bps"), 1),
    **dict.fromkeys(("probability_up", "brier_skill", "brier_skill_low", "brier_skill_high"), 3),
}
_CHUNK_BYTES = 65_536
_EVENTS = "text/event-stream"


def main(arguments: list[str] | None = None) -> int:
    """Ask one question and print the answer; return 0, 1 no answer or a refusal, 2 wrong usage, 130 Ctrl-C."""
    known = {one.command: one for one in _operations() if one.command}
    asked = _parser(known).parse_args(arguments)
    one = known[asked.command]
    config = config_or_exit()
    root = (asked.url or f"http://{_host(config)}:{config.PORT}").rstrip("/")
    given = {argument.name: vars(asked).get(argument.name) for argument in one.arguments}
    given = {name: value for name, value in given.items() if value is not None}
    if "fields" in given:
        one = replace(one, columns=tuple(dict.fromkeys(str(given["fields"]).split(","))))
    ending = ".csv" if asked.csv and one.twins else ""
    try:
        return _show(one, _ask(root, one, given, ending, config), asked.json, bool(ending))
    except KeyboardInterrupt:
        return STOPPED
    except BrokenPipeError:  # the reader of our output has had enough
        sys.stderr.close()
        return 0
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USAGE
    except OSError as error:  # every error of requests is one
        sys.stderr.write(f"{root} does not answer ({type(error).__name__}); start Candela with: make run\n")
        return FAILED


def _operations() -> "list[Operation]":
    """Return the operations of this version's API; no running Candela is needed for that."""
    from flask import Flask

    from web.api import PREFIX, nouns
    from web.described import describe_api
    from web.operations import operations

    return operations(describe_api(Flask("candela"), [nouns[name] for name in nouns], PREFIX))


def _parser(known: "dict[str, Operation]") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m candela_cli", description="Ask a running Candela.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, one in sorted(known.items()):
        command = commands.add_parser(name, help=one.summary, description=one.summary)
        command.add_argument("--url", help="address of Candela; by default that of the settings HOST and PORT")
        how = command.add_mutually_exclusive_group()
        how.add_argument("--json", action="store_true", help="print the answer as it came")
        how.add_argument("--csv", action="store_true", help="print a table as CSV" if one.twins else argparse.SUPPRESS)
        for argument in one.arguments:
            options: dict[str, Any] = {"metavar": argument.word.upper(), "type": int if argument.is_number else str}
            if argument.choices:
                options |= {"choices": argument.choices, "metavar": None}
            told = f"{argument.description}: {argument.allowed}".replace("%", "%%")
            if argument.is_part:
                command.add_argument(argument.name, help=told, **options)
            elif argument.name == one.subject:
                command.add_argument(argument.name, nargs="?", help=told, **options)
            else:
                command.add_argument(f"--{argument.word}", dest=argument.name, help=told, **options)
    return parser


def _ask(root: str, one: "Operation", given: dict[str, Any], ending: str, config: Config) -> "requests.Response":
    import requests

    path, _, query = one.address(given).partition("?")
    try:
        address = urlsplit(root)
        # The password goes to the board of these settings only, never to another address.
        is_ours = (address.hostname, address.port) == (_host(config).strip("[]"), config.PORT)
        return requests.get(
            f"{root}{path}{ending}{'?' if query else ''}{query}",
            auth=("candela", config.PASSWORD) if is_ours and config.PASSWORD else None,
            timeout=_TIMEOUT_SECONDS,
            stream=one.media_type == _EVENTS or _is_file(one),
        )
    except ValueError as error:  # of urlsplit, requests and urllib3 alike; none says that nobody answers
        raise ConfigError(f"{root} cannot be asked ({error}); --url is such as http://127.0.0.1:8000") from error


def _is_file(one: "Operation") -> bool:
    """Return whether an answer may be larger than what should be in memory at once."""
    return one.path.endswith((".csv", ".json"))


def _host(config: Config) -> str:
    """Return where the board of these settings is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.HOST, config.HOST)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def _show(one: "Operation", answer: "requests.Response", is_json: bool, is_csv: bool) -> int:
    if answer.status_code != 200:
        sys.stderr.write(f"{_refusal(answer)}\n")
        return FAILED
    if one.media_type == _EVENTS:
        for line in answer.iter_lines():
            if line.startswith(b"data: "):
                sys.stdout.write(f"{line.removeprefix(b'data: ').decode()}\n")
                sys.stdout.flush()
        return 0
    if _is_file(one):
        for part in answer.iter_content(_CHUNK_BYTES):
            sys.stdout.buffer.write(part)
        return 0
    if is_json or is_csv:
        sys.stdout.write(answer.text if answer.text.endswith("\n") else f"{answer.text}\n")
        return 0
    value = answer.json()
    if one.twins:
        _show_table(one, value["items"])
    else:
        for name, figure in _lines("", value):
            sys.stdout.write(f"{name:32} {figure}\n")
    if isinstance(value, dict) and value.get("next_cursor"):
        sys.stderr.write(f"there is more: --cursor {value['next_cursor']}\n")
    return 0


def _refusal(answer: "requests.Response") -> str:
    """Return in a sentence why the question was not answered."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url.partition('?')[0]} answers {answer.status_code} {answer.reason}"


def _show_table(one: "Operation", items: list[dict[str, Any]]) -> None:
    """Write the rows with aligned columns, whole: what is cut off in a shell cannot be read there."""
    if not items:
        sys.stdout.write("nothing\n")
        return
    plain = [name for name, value in items[0].items() if not isinstance(value, (dict, list))]
    columns = one.columns or tuple(plain[:_MOST_COLUMNS])
    rows = [list(columns), *([_cell(name, row.get(name)) for name in columns] for row in items)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns))]
    are_numbers = [any(isinstance(row.get(name), (int, float)) for row in items) for name in columns]
    for row in rows:
        cells = zip(row, widths, are_numbers, strict=True)
        line = "  ".join(text.rjust(width) if is_number else text.ljust(width) for text, width, is_number in cells)
        sys.stdout.write(f"{line.rstrip()}\n")


def _cell(name: str, value: Any) -> str:
    """Return what a table shows: a few decimals do for everything but prices."""
    return f"{value:.{_DECIMALS[name]}f}" if isinstance(value, float) and name in _DECIMALS else _figure(value)


def _lines(before: str, value: Any) -> Iterable[tuple[str, str]]:
    """Yield the names and figures of nested values, one a line."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        name = f"{before}.{key}" if before else str(key)
        if isinstance(inner, (dict, list)):
            yield from _lines(name, inner)
        else:
            yield name, _figure(inner)


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.10g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    sys.exit(main())
