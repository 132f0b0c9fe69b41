import io

import pytest

from web.limits import MAX_ADDRESS_LETTERS, MAX_ARGUMENTS, MAX_BODY_BYTES


@pytest.mark.parametrize("path", ["/", "/models/cancel", "/nope", "/api/v1/status"])
def test_a_large_body_is_refused(lively, path):
    answer = lively.site.test_client().post(path, data=b"x" * (MAX_BODY_BYTES + 1))

    assert answer.status_code == 413


def test_a_large_body_in_chunks_is_refused_and_not_cut(lively):
    answer = lively.site.test_client().post(
        "/models/cancel",
        input_stream=io.BytesIO(b"a=1&" * MAX_BODY_BYTES),
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 413


def test_a_body_that_breaks_off_is_a_bad_request(lively):
    answer = lively.site.test_client().post("/models/cancel", data=b"a=1", environ_overrides={"CONTENT_LENGTH": "50"})

    assert answer.status_code == 400


def test_a_body_that_cannot_be_read_is_a_bad_request_without_a_trace(lively, caplog):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise RuntimeError("bad chunk")

    answer = lively.site.test_client().post(
        "/models/cancel", input_stream=Broken(), headers={"Transfer-Encoding": "chunked"}
    )

    assert answer.status_code == 400
    assert "Traceback" not in answer.text + caplog.text


def test_a_body_of_several_parts_is_refused_unread(lively):
    answer = lively.site.test_client().post("/models/cancel", data={"file": (io.BytesIO(b"x"), "x")})

    assert answer.status_code == 415


def test_a_long_address_is_refused(lively):
    assert lively.get(f"/?filter={'x' * MAX_ADDRESS_LETTERS}").status_code == 414


def test_an_address_of_many_arguments_is_refused(lively):
    answer = lively.get(f"/api/v1/ledger?{'&'.join(f'a{n}=1' for n in range(MAX_ARGUMENTS + 1))}")

    assert (answer.status_code, answer.json["code"]) == (400, "too_many_arguments")
