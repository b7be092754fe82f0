from __future__ import annotations

import json
from http import HTTPStatus

from canarywood.errors import RowsError
from canarywood.serving.problems import problem, problem_of, request_id_of


def test_an_error_has_the_fields_of_rfc_9457_and_ours() -> None:
    error = RowsError("too many cells", code="feature_count", row=2, column="f1")
    assert json.loads(problem_of(error, "id-1")) == {
        "type": "about:blank",
        "title": HTTPStatus(422).phrase,
        "status": 422,
        "code": "feature_count",
        "detail": "too many cells",
        "request_id": "id-1",
        "row": 2,
        "column": "f1",
    }


def test_row_and_column_are_left_out_where_there_are_none() -> None:
    assert set(json.loads(problem(404, "not_found", "no", request_id="x"))) == {
        "type",
        "title",
        "status",
        "code",
        "detail",
        "request_id",
    }


def test_a_body_is_valid_json_of_at_most_2048_characters() -> None:
    for text in ("a" * 1_000_000, "\U0001f600" * 5000, '"\\' * 3000):
        body = problem(400, "body", text, request_id="r" * 128, column=text)
        assert len(body) <= 2048
        assert text.startswith(json.loads(body)["detail"][:-1])


def test_the_callers_request_id_is_kept() -> None:
    assert request_id_of({"HTTP_X_REQUEST_ID": "Root=1-67891233-abc"}) == "Root=1-67891233-abc"
    assert request_id_of({"HTTP_X_AMZN_REQUESTID": "amzn"}) == "amzn"


def test_an_unusable_request_id_is_replaced() -> None:
    for wrong in ('a"b', "a b", "", "x" * 129, "ü"):
        made = request_id_of({"HTTP_X_REQUEST_ID": wrong})
        assert len(made) == 32
        assert int(made, 16) >= 0
