"""Routes that describe themselves: one typed door to flask-smorest.

The description is the one table of the API: routes, `/docs` and the command line client are all read from it
(`web.operations`). What it needs beyond OpenAPI stands under `x-shown` and, for arguments, `x-allowed`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

from flask import Flask, Response
from flask_smorest import Api, Blueprint  # type: ignore[import-untyped]
from marshmallow import Schema

from web.arguments import Arguments, ArgumentsParser
from web.problems import ProblemSchema

View = Callable[..., Response]
Told = dict[str, Any]
_PROBLEM = "application/problem+json"
_ANYWHERE = (401, 414, 429, 503)  # no password, too long an address, too many wrong passwords, nothing to read from now
_TAG = {"headers": {"ETag": {"description": "send it back as If-None-Match", "schema": {"type": "string"}}}}
_PASSWORD = {"type": "http", "scheme": "basic", "description": "any user name; only where PASSWORD is set"}


@dataclass(frozen=True, slots=True)
class Shown:
    """How people are shown an operation: an example, and its command in a shell.

    `answer` is what `asked`, the example's arguments, may give. `command` is the word in the shell, by default the
    name of the view; `subject` is the argument that may follow it without its name; `columns` are its table's.
    """

    answer: Any = None
    asked: dict[str, Any] = field(default_factory=dict)
    command: str | None = None
    subject: str | None = None
    columns: tuple[str, ...] = ()


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    """A blueprint of the API: its arguments are refused when they are unknown, repeated or out of range."""

    ARGUMENTS_PARSER = ArgumentsParser()


class DescribedApi(Api):  # type: ignore[misc]
    """The API and its OpenAPI description; errors are answered as everywhere else."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # every status there is stands by its name

    def _register_error_handlers(self) -> None:
        """Leave errors to `web.problems`."""

    def description(self) -> dict[str, Any]:
        """Return the OpenAPI description."""
        return cast("dict[str, Any]", self.spec.to_dict())


def describe_api(site: Flask, blueprints: list[ApiBlueprint], prefix: str) -> DescribedApi:
    """Serve the blueprints under `prefix`, and their description."""
    site.config.update(
        API_TITLE="Candela",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=prefix,
        API_SPEC_OPTIONS={
            "components": {"securitySchemes": {"password": _PASSWORD}},
            "security": [{}, {"password": []}],
        },
    )
    api = DescribedApi(site)
    for blueprint in blueprints:
        api.register_blueprint(blueprint, url_prefix=prefix)
    return api


def route(
    blueprint: ApiBlueprint,
    path: str,
    arguments: type[Arguments] = Arguments,
    answer: type[Schema] | dict[str, Any] | None = None,
    media_type: str = "application/json",
    problems: tuple[int, ...] = (400, 404),
    name: str | None = None,
    shown: Shown | None = None,
    is_tagged: bool = False,
) -> Callable[[View], View]:
    """Return a decorator that serves a view at `path`; it gets the checked arguments as one dict first.

    `answer` is the schema of a good answer (plain text when None), `problems` are the statuses of its own
    errors. An answer that `is_tagged` has an ETag, and none when its asker has it already.
    """

    def decorate(view: View) -> View:
        good = _good(answer or {"type": "string"}, media_type, shown)
        answers = {200: good | _TAG if is_tagged else good, **_problems(problems)}
        if is_tagged:
            answers[304] = {"description": "what If-None-Match names is still true", **_TAG}
        described = _described(blueprint, view, name, answers, shown)
        parsed = blueprint.arguments(arguments, location="query")(described)
        blueprint.route(path, endpoint=name)(parsed)
        return view

    return decorate


def question(
    blueprint: ApiBlueprint, path: str, body: type[Schema], answer: type[Schema], shown: Shown
) -> Callable[[View], View]:
    """Return a decorator that serves a view at `path` to POST; it gets the checked JSON body as one dict.

    It is for questions that are too long for an address: the view must change nothing. The example's arguments are
    the body of the example.
    """

    def decorate(view: View) -> View:
        answers = {200: _good(answer, "application/json", shown), **_problems((400, 403, 413, 415))}
        described = _described(blueprint, view, None, answers, shown)
        parsed = blueprint.arguments(body, location="json", example=shown.asked)(described)
        blueprint.route(path, endpoint=view.__name__, methods=["POST"])(parsed)
        return view

    return decorate


def _good(answer: type[Schema] | dict[str, Any], media_type: str, shown: Shown | None) -> Told:
    content = {"schema": answer} | ({} if shown is None or shown.answer is None else {"example": shown.answer})
    return {"description": HTTPStatus.OK.phrase, "content": {media_type: content}}


def _problems(statuses: tuple[int, ...]) -> dict[int, Told]:
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {_PROBLEM: {"schema": ProblemSchema}}}
        for status in sorted({*statuses, *_ANYWHERE})
    }


def _described(
    blueprint: ApiBlueprint, view: View, name: str | None, answers: dict[int, Told], shown: Shown | None
) -> View:
    """Return the view with its answers described, all at once and by classes: flask-smorest copies what it is told."""
    one = shown or Shown()
    told = {"asked": one.asked, "command": one.command, "subject": one.subject, "columns": list(one.columns)}
    described = blueprint.doc(**{"responses": answers, "operationId": name or view.__name__, "x-shown": told})(view)
    return cast("View", described)
