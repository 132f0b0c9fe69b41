"""The description of the API is valid; what it allows or refuses is answered as it says, in hundreds of examples."""

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.web.conftest import House, enliven
from web.api import PREFIX, nouns
from web.described import describe_api
from web.security import HEADERS

PATHS = describe_api(Flask("described"), [nouns[name] for name in nouns], PREFIX).description()["paths"]
ROUTES = [(method, path) for path, item in PATHS.items() for method in ("get", "post") if method in item]
NEVER_ENDS = f"{PREFIX}/stream"
EXAMPLES, TWIN_EXAMPLES = 40, 10  # a file beside a list takes the list's arguments by the list's rules
# Well formed is not enough for these: they name what this instance has, or has given, or a day of the calendar.
NAMES = {"cursor", "horizon", "interval", "start", "end"}


@pytest.fixture(scope="module")
def living(tmp_path_factory):
    """Return a lively instance that all examples are asked of."""
    house = enliven(House(tmp_path_factory.mktemp("described")))
    house.add_gap()
    yield house
    house.close()


@pytest.fixture(scope="module")
def described(living):
    """Return the strict description as schemathesis reads it, over the instance."""
    import schemathesis  # takes its time, which a run of other tests need not wait for

    found = schemathesis.openapi.from_dict(strict(living))
    found.app = living.site.wsgi_app
    return found


def strict(house):
    """Return the description, where each key that it does not tell of is a violation."""
    told = house.get(f"{PREFIX}/openapi.json").json
    for schema in told["components"]["schemas"].values():
        schema["additionalProperties"] = False
    return told


def test_the_description_is_valid_openapi(living):
    told = living.get(f"{PREFIX}/openapi.json").json

    assert told["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(told).iter_errors()] == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_operation_has_examples_that_fit_their_schemas(living, method, path):
    told = strict(living)
    operation = told["paths"][path][method]
    ((_, good),) = operation["responses"]["200"]["content"].items()
    asked = operation.get("requestBody", {}).get("content", {}).values()

    for one in (good, *asked):
        schema = {**one["schema"], "components": told["components"]}
        fits = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        assert one["example"]
        assert [error.message for error in fits.iter_errors(one["example"])] == []


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[1] != NEVER_ENDS])
def test_what_is_described_is_answered_so(described, method, path):
    from schemathesis import GenerationMode
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    operation = described[path][method]
    takes_something = operation.query or operation.path_parameters or operation.body
    modes = [mode for mode in GenerationMode if takes_something or mode == GenerationMode.POSITIVE]

    count = TWIN_EXAMPLES if path.endswith((".csv", ".json")) else EXAMPLES

    @settings(
        max_examples=count, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]))
    def ask(case):
        answer = case.call(headers={"Accept-Encoding": "identity"})

        is_named = NAMES & (case.query or {}).keys()
        case.validate_response(answer, excluded_checks=[positive_data_acceptance] if is_named else None)
        assert {name: answer.headers[name.lower()] for name in HEADERS} == {name: [HEADERS[name]] for name in HEADERS}

    ask()
