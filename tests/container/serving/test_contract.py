"""Formats, outputs, the version 2 protocol and every limit at its edge, of a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from canarywood import media
from tests.container.serving import bodies
from tests.container.serving.bodies import BODIES
from tests.container.serving.models import World, flights_world
from tests.container.serving.server import Server, started

pytestmark = pytest.mark.slow

LIMIT_BYTES, LIMIT_ROWS, LIMIT_CELLS, LIMIT_HEADER = 20_000, 40, 250, 2000
V2 = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("base") / "model"
    folder.mkdir()
    (folder / "canarywood").mkdir()
    return flights_world(folder)


@pytest.fixture(
    scope="module", params=[{}, {"SAGEMAKER_USE_NGINX": "false"}], ids=["nginx", "gunicorn"]
)
def server(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    limits = {
        "SAGEMAKER_MAX_REQUEST_SIZE": str(LIMIT_BYTES),
        "CANARYWOOD_MAX_ROWS": str(LIMIT_ROWS),
        "CANARYWOOD_MAX_CELLS": str(LIMIT_CELLS),
        "CANARYWOOD_MAX_HEADER_BYTES": str(LIMIT_HEADER),
    }
    folder = tmp_path_factory.mktemp("server")
    with started(world.folder.parent, folder, **limits, **request.param) as running:
        running.wait_until_ready()
        yield running


def expected(world: World, count: int) -> Any:
    return world.booster.predict(world.data())[:count]


def numbers(lines: bytes) -> Any:
    return np.array(lines.split(), dtype=np.float64).astype(np.float32)


@pytest.mark.parametrize("name", BODIES)
def test_every_format_is_answered_with_xgboosts_own_numbers(
    server: Server, world: World, name: str
) -> None:
    content, body = BODIES[name]
    sent = body(world.rows[:30], world.schema.input_names)
    parameters = "".join(f";{key}={value}" for key, value in content.parameters.items())
    answer = server.predict(sent, Content_Type=content.name + parameters, Accept="text/csv")
    assert answer.status == 200, answer.body
    np.testing.assert_array_equal(numbers(answer.body), expected(world, 30))


def test_a_request_selects_its_outputs(server: Server, world: World) -> None:
    rows = bodies.csv(world.rows[:3])
    accept = "application/jsonlines; outputs=predicted_label,contributions"
    answer = server.predict(rows, Accept=accept)
    assert answer.headers["content-type"] == "application/jsonlines"
    found = [json.loads(line) for line in answer.body.splitlines()]
    late = expected(world, 3) > 0.5
    assert [row["predicted_label"] for row in found] == np.where(late, "late", "on time").tolist()
    assert list(found[0]["contributions"]) == [*world.schema.features, "bias"]
    refused = server.predict(rows, Accept="text/csv; outputs=foo")
    assert (refused.status, refused.problem["code"]) == (406, "unknown_output")


# ---- version 2


@pytest.mark.parametrize("folder", ["", "/versions/1"])
def test_a_model_is_asked_by_its_name(server: Server, world: World, folder: str) -> None:
    sent = json.dumps(bodies.v2(world.rows[:3], id="a")).encode()
    answer = server.ask(f"/v2/models/flights{folder}/infer", sent, V2)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    found = json.loads(answer.body)
    assert (found["id"], found["model_name"]) == ("a", "flights")
    data = np.array(found["outputs"][0]["data"]).astype(np.float32)
    np.testing.assert_array_equal(data, expected(world, 3))
    assert server.ask("/invocations", sent, V2).body == answer.body
    assert answer.headers["x-request-id"]


def test_what_the_protocol_tells_of_server_and_model(server: Server) -> None:
    def get(path: str) -> Any:
        answer = server.ask(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        return json.loads(answer.body)

    assert get("/v2")["name"] == "canarywood"
    assert get("/v2/health/live") == {"live": True}
    assert get("/v2/health/ready") == {"ready": True}
    for path in ("/v2/models/flights", "/v2/models/flights/versions/1"):
        assert get(f"{path}/ready") == {"name": "flights", "ready": True}
        found = get(path)
        assert (found["name"], found["versions"]) == ("flights", ["1"])
        assert found["inputs"][3] == {"name": "carrier", "datatype": "BYTES", "shape": [-1]}
        assert found["outputs"] == [{"name": "score", "datatype": "FP32", "shape": [-1]}]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        ("POST", "/v2/models/other/infer", V2, b"{}", (404, "not_found")),
        ("POST", "/v2/models/flights/versions/2/infer", V2, b"{}", (404, "not_found")),
        ("GET", "/v2/models/other/ready", {}, None, (404, "not_found")),
        ("GET", "/v2/nothing", {}, None, (404, "not_found")),
        ("GET", "/v2x", {}, None, (404, "not_found")),
        ("GET", "/v2/models/flights/infer", {}, None, (405, "method_not_allowed")),
        ("POST", "/v2", {}, b"{}", (405, "method_not_allowed")),
        ("POST", "/v2/models/flights/infer", V2, b"[[1]]", (400, "oip")),
        ("POST", "/v2/models/flights/infer", V2, b"{", (400, "json")),
        ("POST", "/v2/models/flights/infer", V2, b"", (400, "empty_body")),
        (
            "POST",
            "/v2/models/flights/infer",
            {"Content-Type": "text/csv"},
            b"1\n",
            (415, "unsupported_media_type"),
        ),
        (
            "POST",
            "/v2/models/flights/infer",
            {**V2, "Accept": "text/csv"},
            b"{}",
            (406, "not_acceptable"),
        ),
    ],
)
def test_a_request_that_the_protocol_does_not_know_is_json(
    server: Server,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | None,
    expected: tuple[int, str],
) -> None:
    answer = server.ask(path, body, headers, method=method)
    assert (answer.status, answer.problem["code"]) == expected


# ---- limits: one less, just so many, one more


@pytest.mark.parametrize(
    ("size", "status"), [(LIMIT_BYTES - 1, 200), (LIMIT_BYTES, 200), (LIMIT_BYTES + 1, 413)]
)
def test_the_limit_of_bytes(server: Server, world: World, size: int, status: int) -> None:
    row = bodies.csv(world.rows[:1])
    answer = server.predict(row.rstrip() + b"\n" * (size - len(row) + 1))
    assert answer.status == status
    if status == 413:
        assert answer.problem["code"] == "payload_too_large"


@pytest.mark.parametrize(
    ("rows", "status"), [(LIMIT_ROWS - 1, 200), (LIMIT_ROWS, 200), (LIMIT_ROWS + 1, 413)]
)
def test_the_limit_of_rows(server: Server, world: World, rows: int, status: int) -> None:
    answer = server.predict(bodies.csv(world.rows[:rows]))
    assert answer.status == status
    if status == 413:
        assert answer.problem["code"] == "too_many_rows"
    else:
        np.testing.assert_array_equal(numbers(answer.body), expected(world, rows))


@pytest.mark.parametrize(("rows", "status"), [(30, 200), (31, 200), (32, 413)])
def test_the_limit_of_cells_counts_those_of_an_answer_too(
    server: Server, world: World, rows: int, status: int
) -> None:
    """A row has eight leaves; 250 cells are 31 such rows."""
    answer = server.predict(bodies.csv(world.rows[:rows]), Accept="text/csv;outputs=leaves")
    assert answer.status == status
    if status == 413:
        assert answer.problem["code"] == "too_many_cells"


@pytest.mark.parametrize(
    ("size", "status"), [(LIMIT_HEADER - 1, 200), (LIMIT_HEADER, 200), (LIMIT_HEADER + 1, 431)]
)
def test_the_limit_of_a_header(server: Server, world: World, size: int, status: int) -> None:
    padding = "x" * (size - len("X-Padding: \r\n"))
    answer = server.predict(bodies.csv(world.rows[:1]), X_Padding=padding)
    assert answer.status == status
    if status == 431:
        assert answer.problem["code"] == "headers_too_large"


# ---- batch transform


def test_a_batch_job_is_answered_line_by_line_in_the_type_of_its_body(
    world: World, tmp_path: Path
) -> None:
    given = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "100"}
    with started(world.folder.parent, tmp_path, **given) as running:
        running.wait_until_ready()
        lines = bodies.json_lines(world.rows[:9], ())
        answer = running.ask("/invocations", lines, {"Content-Type": media.JSON_LINES})
        assert answer.headers["content-type"] == media.JSON_LINES
        found = [json.loads(line)["score"] for line in answer.body.splitlines()]
        np.testing.assert_array_equal(np.array(found).astype(np.float32), expected(world, 9))
        answer = running.predict(bodies.csv(world.rows[:9]))
        assert answer.headers["content-type"] == media.CSV
        np.testing.assert_array_equal(numbers(answer.body), expected(world, 9))
        answer = running.predict(lines, Content_Type=media.JSON_LINES, Accept=media.JSON)
        assert len(json.loads(answer.body)["predictions"]) == 9
        answer = running.predict(bodies.parquet(world.rows[:9], world.schema.input_names),
                                 Content_Type=media.PARQUET)  # fmt: skip
        assert answer.headers["content-type"] == media.CSV
        parameters = json.loads(running.ask("/execution-parameters").body)
        assert parameters["MaxPayloadInMB"] == 100
        assert parameters["MaxConcurrentTransforms"] == 1


@pytest.mark.parametrize("outputs", ["foo", "predicted_label,foo"])
def test_a_server_does_not_start_with_an_output_that_there_is_not(
    world: World, tmp_path: Path, outputs: str
) -> None:
    given = {"SAGEMAKER_INFERENCE_OUTPUT": outputs}
    with started(world.folder.parent, tmp_path, **given) as running:
        assert running.process.wait(60) == 1
        assert "SAGEMAKER_INFERENCE_OUTPUT: 'foo': no such output" in running.errors
        assert "choose from predicted_label, labels, probability" in running.errors
