"""The routes of the Open Inference Protocol, version 2, that tell of the server and its model.

A prediction by this protocol goes the way of every invocation; see canarywood.serving.wsgi.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, jsonify

from canarywood import __version__
from canarywood.errors import NotFoundError
from canarywood.formats import oip
from canarywood.schema.definition import Column, Schema
from canarywood.serving.encoding import SCORE, VERSION

View = TypeVar("View", bound=Callable[..., Response])

_DATATYPES = {"number": "FP64", "category": "BYTES", "time": "BYTES"}


def infer_paths(model: str) -> tuple[str, ...]:
    """The paths under which a model is asked, as they stand in a WSGI environment."""
    name = model.encode().decode("latin-1")
    folder = f"/v2/models/{name}"
    return f"{folder}/infer", f"{folder}/versions/{VERSION}/infer"


def routes(schema: Schema, outputs: int) -> Blueprint:
    """The routes of one model.

    Args:
        outputs: numbers that a row is answered with.
    """
    found = Blueprint("v2", "v2")

    def get(rule: str, endpoint: str) -> Callable[[View], View]:
        return found.get(rule, endpoint=endpoint, provide_automatic_options=False)

    @get("/v2", "server")
    def server() -> Response:
        return jsonify(oip.server_metadata("canarywood", __version__))

    @get("/v2/health/live", "live")
    def live() -> Response:
        return jsonify(oip.live(True))

    @get("/v2/health/ready", "ready")
    def ready() -> Response:
        return jsonify(oip.ready(True))  # a worker that answers has its model

    @get("/v2/models/<name>", "model")
    @get("/v2/models/<name>/versions/<version>", "version")
    def model(name: str, version: str = VERSION) -> Response:
        _check(schema, name, version)
        return jsonify(_metadata(schema, outputs))

    @get("/v2/models/<name>/ready", "model_ready")
    @get("/v2/models/<name>/versions/<version>/ready", "version_ready")
    def model_ready(name: str, version: str = VERSION) -> Response:
        _check(schema, name, version)
        return jsonify(oip.model_ready(name, is_ready=True))

    def infer(name: str, version: str = VERSION) -> Response:
        _check(schema, name, version)
        raise NotFoundError("no such path; see /openapi.json")  # the hot path has the others

    for place in ("", "/versions/<version>"):
        found.add_url_rule(
            f"/v2/models/<name>{place}/infer",
            endpoint=f"infer{bool(place):d}",
            view_func=infer,
            methods=["POST"],
            provide_automatic_options=False,
        )
    return found


def _check(schema: Schema, name: str, version: str) -> None:
    if name != schema.name or version != VERSION:
        raise NotFoundError(f"there is one model: {schema.name}, version {VERSION}")


def _metadata(schema: Schema, outputs: int) -> dict[str, object]:
    return oip.model_metadata(
        schema.name,
        inputs=[_input(column) for column in schema.inputs],
        outputs=[(SCORE, "FP32", outputs)],
        versions=[VERSION],
    )


def _input(column: Column) -> tuple[str, str]:
    return column.name, _DATATYPES[column.kind]
