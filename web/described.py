"""Routes that describe themselves: one typed door to flask-smorest."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response
from flask_smorest import Api, Blueprint  # type: ignore[import-untyped]
from marshmallow import Schema

from web.arguments import Arguments, ArgumentsParser
from web.problems import ProblemSchema

View = Callable[..., Response]
_PROBLEM = "application/problem+json"


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    """A blueprint of the API: its arguments are refused when they are unknown, repeated or out of range."""

    ARGUMENTS_PARSER = ArgumentsParser()


class DescribedApi(Api):  # type: ignore[misc]
    """The API and its OpenAPI description; errors are answered as everywhere else."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Leave errors to `web.problems`."""


def describe_api(site: Flask, blueprints: list[ApiBlueprint], prefix: str) -> None:
    """Serve the blueprints under `prefix`, and their description."""
    site.config.update(
        API_TITLE="Candela",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=prefix,
    )
    api = DescribedApi(site)
    for blueprint in blueprints:
        api.register_blueprint(blueprint, url_prefix=prefix)


def route(
    blueprint: ApiBlueprint,
    path: str,
    arguments: type[Arguments] = Arguments,
    answer: type[Schema] | dict[str, Any] | None = None,
    media_type: str = "application/json",
    problems: tuple[int, ...] = (400, 404),
    name: str | None = None,
) -> Callable[[View], View]:
    """Return a decorator that serves a view at `path`; it gets the checked arguments as one dict first.

    `answer` is the schema of a good answer (plain text when None), `problems` are the other statuses there are.
    """

    def decorate(view: View) -> View:
        described = blueprint.response(200, answer or {"type": "string"}, content_type=media_type)(view)
        for status in problems:
            described = blueprint.alt_response(status, schema=ProblemSchema, content_type=_PROBLEM)(described)
        parsed = blueprint.arguments(arguments, location="query")(described)
        blueprint.route(path, endpoint=name)(parsed)
        return view

    return decorate


def question(blueprint: ApiBlueprint, path: str, body: type[Schema], answer: type[Schema]) -> Callable[[View], View]:
    """Return a decorator that serves a view at `path` to POST; it gets the checked JSON body as one dict.

    It is for questions that are too long for an address: the view must change nothing.
    """

    def decorate(view: View) -> View:
        described = blueprint.response(200, answer)(view)
        for status in (400, 403):
            described = blueprint.alt_response(status, schema=ProblemSchema, content_type=_PROBLEM)(described)
        parsed = blueprint.arguments(body, location="json")(described)
        blueprint.route(path, endpoint=view.__name__, methods=["POST"])(parsed)
        return view

    return decorate
